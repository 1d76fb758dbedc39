"""The chain: whatever is done to a ledger, the place is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.ledger import GENESIS, LedgerEntry, check_chain, entry_hash, next_entry

NOW = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)


def chain(length=6):
    entries, last = [], (0, GENESIS)
    for n in range(length):
        entries.append(next_entry("VMX-1", last, NOW + timedelta(seconds=n), "gap", "flow", {"n": n}, f"key-{n}"))
        last = (entries[-1].seq, entries[-1].hash)
    return entries


def test_a_whole_chain_has_no_break_and_neither_has_an_empty_one():
    assert check_chain(chain()) == ()
    assert check_chain(()) == ()


CHANGES = {
    "case": "VMX-2", "time": NOW, "kind": "gap ", "by": "person:mallory@example.com", "data": {"n": 99}, "key": "other",
    "previous": "1" * 64,
}  # fmt: skip


@pytest.mark.parametrize("field", sorted(CHANGES))
@pytest.mark.parametrize("place", [0, 2, 5])
def test_a_changed_field_names_its_entry(field, place):
    entries = chain()
    entries[place] = entries[place].model_copy(update={field: CHANGES[field]})
    if entries[place] == chain()[place]:
        return
    assert check_chain(entries)[0].seq == place + 1


@pytest.mark.parametrize("place", range(5))
def test_a_change_with_its_hash_made_anew_is_betrayed_by_the_next_entry(place):
    entries = chain()
    forged = entries[place].model_copy(update={"data": {"n": 99}})
    entries[place] = forged.model_copy(update={"hash": entry_hash(forged)})
    assert [(b.seq, b.what) for b in check_chain(entries)] == [(place + 2, "unchained")]


@pytest.mark.parametrize("place", range(5))
def test_a_removed_entry_is_named(place):
    entries = chain()
    del entries[place]
    assert (check_chain(entries)[0].seq, check_chain(entries)[0].what) == (place + 1, "removed")


def test_a_long_cut_is_named_by_its_ends():
    entries = chain(12)
    assert check_chain([*entries[:2], *entries[10:]])[0].why == "entries 3 to 10 are missing"


@given(st.permutations(range(6)))
def test_any_other_order_is_noticed(order):
    entries = chain()
    moved = [entries[n] for n in order]
    assert (check_chain(moved) == ()) == (moved == entries)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=9))
def test_only_a_beginning_of_the_chain_passes(picked):
    entries = chain()
    assert (check_chain([entries[n] for n in picked]) == ()) == (picked == list(range(len(picked))))


def test_the_zone_in_which_a_time_is_written_does_not_matter():
    entry = chain()[0]
    elsewhere = entry.model_copy(update={"time": entry.time.astimezone(timezone(timedelta(hours=5, minutes=30)))})
    assert entry_hash(elsewhere) == entry.hash


def test_the_hash_is_sha256_over_rfc_8785_so_that_anybody_can_check_it():
    import hashlib
    import json

    entry = next_entry("VMX-1", (0, GENESIS), NOW, "gap", "flow", {"b": "é", "a": [1, True, None]})
    fields = {
        "by": "flow", "case": "VMX-1", "data": {"a": [1, True, None], "b": "é"}, "key": None, "kind": "gap", "previous": GENESIS,
        "seq": 1, "time": "2026-03-02T10:30:00+00:00",
    }  # fmt: skip
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert entry.hash == hashlib.sha256(text).hexdigest()
    assert LedgerEntry.model_validate_json(entry.model_dump_json()) == entry
