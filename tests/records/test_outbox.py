"""A note is kept once, sent by one sender, in the order of its case, until it is taken or given up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from sqlalchemy import text

from records import outbox
from records.database import transaction

CASE, OTHER = "VMX-20260302-ABCD", "VMX-20260302-EFGH"
pytestmark = pytest.mark.usefixtures("database")


def enqueue(*keys: str, case: str = CASE) -> int:
    return outbox.enqueue("kibana", case, [(key, {"said": key}) for key in keys])


def taken(case: str = CASE) -> list[str]:
    return [item.key for item in outbox.take_due("kibana", case)]


def later(by: timedelta) -> None:
    """Let time pass for everything that is kept."""
    with transaction() as connection:
        connection.execute(text("update outbox set next_at = next_at - :by, made_at = made_at - :by"), {"by": by})


def test_a_note_is_kept_once_and_as_it_was_first() -> None:
    assert enqueue("a", "b") == 2
    assert outbox.enqueue("kibana", CASE, [("a", {"said": "else"}), ("c", {"said": "c\0\ud800"})]) == 1
    assert [(i.key, i.body["said"]) for i in outbox.items("kibana", CASE)] == [
        ("a", "a"),
        ("b", "b"),
        ("c", "c\0\ud800"),
    ]
    assert not outbox.items("slack", CASE)


def test_what_is_taken_is_not_taken_again_before_the_lease_ends() -> None:
    enqueue("a", "b")
    assert taken() == ["a", "b"]
    enqueue("c")
    assert taken() == [], "c goes after a and b, which somebody is sending"
    later(outbox.LEASE)
    assert taken() == ["a", "b", "c"], "the sender died"


def test_a_note_that_failed_holds_up_its_case_and_no_other() -> None:
    enqueue("a", "b")
    enqueue("a", case=OTHER)
    first, second = outbox.take_due("kibana", CASE)
    outbox.failed(first, "Kibana is away\0.", again=True)
    outbox.release([second])
    assert outbox.cases_due("kibana") == (OTHER,)
    assert taken() == []
    later(outbox.FIRST_WAIT)
    assert set(outbox.cases_due("kibana")) == {CASE, OTHER}
    (again, _) = outbox.take_due("kibana", CASE)
    assert (again.attempts, again.why) == (1, "Kibana is away\ufffd.")


def test_a_note_that_nobody_will_ever_take_lets_the_others_pass() -> None:
    enqueue("a", "b")
    first, second = outbox.take_due("kibana", CASE)
    outbox.failed(first, "400: no such field", again=False)
    outbox.done(second, {"id": "x"}, "one alert is gone")
    assert [(i.state, i.why, i.answer) for i in outbox.items("kibana", CASE)] == [
        ("given-up", "400: no such field", None), ("done", "one alert is gone", {"id": "x"}),
    ]  # fmt: skip
    assert not outbox.cases_due("kibana")


def test_waits_grow_and_end() -> None:
    enqueue("a")
    waits: list[timedelta] = []
    for _ in range(9):
        (item,) = outbox.take_due("kibana", CASE)
        outbox.failed(item, "away", again=True)
        (kept,) = outbox.items("kibana", CASE)
        waits.append(kept.next_at - datetime.now(UTC))
        later(outbox.LONGEST_WAIT)
    assert [round(w.total_seconds() / 30) for w in waits] == [1, 2, 4, 8, 16, 32, 64, 120, 120]
    later(outbox.GIVE_UP_AFTER)
    (item,) = outbox.take_due("kibana", CASE)
    outbox.failed(item, "away", again=True)
    assert outbox.items("kibana", CASE)[0].state == "given-up"


def test_the_other_side_may_ask_for_a_longer_wait() -> None:
    enqueue("a")
    (item,) = outbox.take_due("kibana", CASE)
    outbox.failed(item, "429", again=True, wait=timedelta(minutes=20))
    assert outbox.items("kibana", CASE)[0].next_at - datetime.now(UTC) > timedelta(minutes=19)


def test_of_many_senders_one_gets_the_notes() -> None:
    enqueue(*(f"n{n}" for n in range(20)))
    together, got = Barrier(6), []

    def send() -> None:
        together.wait()
        got.append(taken())

    senders = [Thread(target=send) for _ in range(6)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(timeout=30)
    assert sorted(map(len, got)) == [0, 0, 0, 0, 0, 20]
