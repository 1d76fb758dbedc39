"""Evidence: kept whole, never overwritten, and noticed when it is not what was collected."""

from __future__ import annotations

import hashlib
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from decisions.evidence import Coverage
from decisions.ledger import check_chain
from records import evidence, ledger

CASE = "VMX-20260302-ABCD"


def collect(content=b'{"a": 1}', what="bucket policy of example-drop", case=CASE, **change):
    return evidence.store(case, what, "s3:GetBucketPolicy", content, **({"media_type": "application/json"} | change))


def test_what_was_collected_can_be_loaded_and_stands_in_the_ledger(database, tmp_path):
    day = Coverage(
        searched_from=datetime(2026, 3, 1, tzinfo=UTC), searched_to=datetime(2026, 3, 2, tzinfo=UTC), complete=True
    )
    kept = collect(coverage=day)
    assert (kept.id, kept.stored_at) == ("EV-0001", f"{CASE}/EV-0001-bucket-policy-of-example-drop.json")
    assert evidence.load(kept) == b'{"a": 1}'
    assert Path(evidence.location(kept)).read_bytes() == b'{"a": 1}'
    assert evidence.listing(CASE) == (kept,)
    assert evidence.find(CASE, "EV-0001") == kept
    [entry] = ledger.entries(CASE, "evidence-collected")
    assert entry.data["sha256"] == hashlib.sha256(b'{"a": 1}').hexdigest()
    assert stat.S_IMODE((tmp_path / "evidence" / kept.stored_at).stat().st_mode) == 0o400
    assert stat.S_IMODE((tmp_path / "evidence" / CASE).stat().st_mode) == 0o700


def test_collectors_at_once_get_ids_of_their_own(database):
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda n: collect(str(n).encode()), range(24)))
    assert sorted(e.id for e in kept) == [f"EV-{n:04d}" for n in range(1, 25)]
    assert sorted(evidence.load(e) for e in kept) == sorted(str(n).encode() for n in range(24))
    assert check_chain(ledger.entries(CASE)) == ()


@pytest.mark.parametrize("what", ["../../etc/passwd", "", "...", "a/b\x00c", "ключ", "x" * 5000, "-rf *"])
def test_a_hostile_description_names_a_file_inside_the_case(database, tmp_path, what):
    kept = collect(what=what)
    assert (tmp_path / "evidence" / kept.stored_at).resolve().parent == tmp_path / "evidence" / CASE
    assert kept.what == what
    assert evidence.load(kept)


@pytest.mark.parametrize("case", ["../elsewhere", "", "a/b", ".", "x" * 81, "a\n"])
def test_a_case_id_that_leads_elsewhere_is_refused(database, tmp_path, case):
    with pytest.raises(ValueError, match="cannot name a folder"):
        collect(case=case)
    assert ledger.cases() == ()


def test_changed_missing_and_exchanged_bytes_are_not_handed_out(database, tmp_path):
    changed, missing, linked = collect(), collect(), collect()
    folder = tmp_path / "evidence"
    (folder / changed.stored_at).chmod(0o600)
    (folder / changed.stored_at).write_bytes(b'{"a": 2}')
    (folder / missing.stored_at).unlink()
    (folder / linked.stored_at).rename(tmp_path / "moved")
    (folder / linked.stored_at).symlink_to(tmp_path / "moved")
    with pytest.raises(evidence.EvidenceDamaged, match="changed"):
        evidence.load(changed)
    for gone in (missing, linked):
        with pytest.raises(evidence.EvidenceDamaged, match="cannot be read"):
            evidence.load(gone)


def test_what_a_dead_process_left_is_set_aside_and_never_overwritten(database, tmp_path):
    left = tmp_path / "evidence" / CASE / "EV-0001-bucket-policy-of-example-drop.json"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"written, then killed before the commit")
    kept = collect()
    assert kept.id == "EV-0001"
    assert evidence.load(kept) == b'{"a": 1}'
    assert [p.read_bytes() for p in (tmp_path / "evidence/set-aside").rglob("EV-*")] == [
        b"written, then killed before the commit"
    ]


def test_a_failed_write_leaves_no_entry_and_no_gap_in_the_numbers(database, tmp_path):
    (tmp_path / "evidence").write_text("a file where the folder should be")
    with pytest.raises(OSError):
        collect()
    assert ledger.entries(CASE) == ()
    (tmp_path / "evidence").unlink()
    assert collect().id == "EV-0001"
