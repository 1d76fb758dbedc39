"""The ledger under many writers, twice-sent entries and people who want it otherwise."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from decisions.ledger import GENESIS, check_chain
from records import ledger
from records.database import transaction

CASE = "VMX-20260302-ABCD"


def test_sixteen_writers_at_once_make_one_chain_without_a_hole(database):
    with ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(ledger.append, CASE, "gap", "flow", {"n": n}) for n in range(160)]:
            done.result()
    written = ledger.entries(CASE)
    assert [e.seq for e in written] == list(range(1, 161))
    assert check_chain(written) == ()
    assert {e.data["n"] for e in written} == set(range(160))
    assert ledger.head(CASE) == (160, written[-1].hash)


def test_an_entry_with_a_key_is_written_once_and_the_first_one_stands(database):
    with ThreadPoolExecutor(8) as pool:
        said = list(
            pool.map(lambda n: ledger.append(CASE, "run-started", "receiver", {"n": n}, key="run-started"), range(24))
        )
    assert len(set(e.hash for e in said)) == 1
    assert ledger.entries(CASE) == (said[0],)
    assert ledger.find(CASE, "run-started") == said[0]
    assert ledger.append("VMX-20260302-WXYZ", "run-started", "receiver", {}, key="run-started").seq == 1


def test_what_is_read_back_is_what_was_written(database):
    hostile = {
        "tag": "a\x00b\u2028'); drop table ledger; --",
        "size": 2**53 - 1,
        "ratio": 0.1,
        "none": None,
        "deep": [{"é": []}],
    }
    written = ledger.append(CASE, "gap", "flow", hostile)
    assert written.data == hostile
    assert ledger.entries(CASE) == (written,)
    assert written.previous == GENESIS


@pytest.mark.parametrize(
    "data", [{"n": float("nan")}, {"n": 2**60}, {"text": "\ud800"}, {1: "number as a key"}, {"when": object()}]
)
def test_what_canonical_json_cannot_hold_is_refused_and_nothing_is_written(database, data):
    with pytest.raises(ledger.NotJson):
        ledger.append(CASE, "gap", "flow", data)
    assert ledger.entries(CASE) == ()
    assert ledger.append(CASE, "gap", "flow", {}).seq == 1


@pytest.mark.parametrize(
    "statement",
    ["update ledger set data = '{}'", "delete from ledger", "truncate ledger", "truncate chain cascade", "delete from chain",
     "set session_replication_role = replica; delete from ledger"],
)  # fmt: skip
def test_the_database_refuses_to_change_what_happened(database, statement):
    before = ledger.append(CASE, "gap", "flow", {"why": "no access"})
    with (
        pytest.raises(DBAPIError, match=r"append-only|violates foreign key"),
        transaction() as connection,
    ):
        connection.execute(text(statement))
    assert ledger.entries(CASE) == (before,)


def test_entries_of_one_kind_and_cases_in_the_order_they_began(database):
    for case, kind in [("VMX-B", "case-opened"), ("VMX-A", "case-opened"), ("VMX-B", "gap")]:
        ledger.append(case, kind, "flow", {})
    assert ledger.cases() == ("VMX-B", "VMX-A")
    assert [e.seq for e in ledger.entries("VMX-B", "gap")] == [2]
    assert ledger.entries("VMX-C") == ()
    assert ledger.find("VMX-C", "any") is None
