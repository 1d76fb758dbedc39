"""A case is closed only when every export that joined it was dealt with."""

from __future__ import annotations

from records import closing, inbox, ledger
from tests.decisions.story import event


def opened(*events):
    """The case that these exports are in."""
    item = inbox.receive(b"{}", "test", "application/json")
    return inbox.assign(item.id, events)[0].case_id


def test_a_case_whose_exports_are_all_known_is_closed_once(database):
    case = opened(event())
    assert closing.close(case, "test", {"verdict": "malicious"}, {"event-1"}) == ()
    assert closing.close(case, "test", {"verdict": "expected"}, {"event-1"}) == ()
    assert [e.data["verdict"] for e in ledger.entries(case, "case-closed")] == ["malicious"]


def test_an_export_that_joined_meanwhile_keeps_it_open_and_is_named(database):
    case = opened(event())
    assert opened(event(event_id="event-2", task_id="export-i-2")) == case
    assert closing.close(case, "test", {"verdict": "malicious"}, {"event-1"}) == ("event-2",)
    assert ledger.entries(case, "case-closed") == ()


def test_an_export_that_comes_after_the_end_opens_a_case_of_its_own(database):
    case = opened(event())
    closing.close(case, "test", {"verdict": "malicious"}, {"event-1"})
    assert opened(event(event_id="event-2", task_id="export-i-2")) != case
