"""The inbox: nothing is lost, one alert is one case however often and at once it comes, and related exports meet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from decisions.export import ExportApi, ExportEvent, Outcome
from decisions.ledger import check_chain
from records import inbox, ledger

NOW = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)


pytestmark = pytest.mark.usefixtures("database")


def export(n=1, **change):
    return ExportEvent(
        **{
            "event_id": f"event-{n}",
            "api": ExportApi.INSTANCE,
            "outcome": Outcome.ACCEPTED,
            "event_time": NOW,
            "recipient_account": "111122223333",
            "caller_account": "111122223333",
            "region": "us-east-1",
            "principal_type": "IAMUser",
            "principal_arn": "arn:aws:iam::111122223333:user/jo",
            "principal_id": "AIDAEXAMPLEEXAMPLE",
            "access_key_id": "AKIAEXAMPLEEXAMPLE01",
            "bucket": "example-drop",
            "task_id": f"export-i-{n:017x}",
        }
        | change
    )


def other(n, **change):
    """An export by somebody else into another bucket."""
    somebody = f"somebody-{n}"
    return export(
        n,
        principal_arn=f"arn:aws:iam::111122223333:user/{somebody}", principal_id=f"AIDA{n:016d}",
        access_key_id=f"AKIA{n:016d}", bucket=f"example-{somebody}", **change,
    )  # fmt: skip


def post(*events, body=b"{}"):
    return inbox.assign(inbox.receive(body, "elastic", "application/json").id, events)


def test_a_body_is_kept_as_it_came_until_it_is_decided():
    body = bytes(range(256)) * 10
    kept = inbox.receive(body, "elastic", "text/plain\x00; x")
    assert inbox.pending() == (kept,)
    assert kept.body == body
    assert inbox.pending()[0].content_type == "text/plain; x"
    inbox.quarantine(kept.id, "it holds no export: \x00")
    assert inbox.pending() == ()
    assert [(q.body, q.state, q.why) for q in inbox.quarantined()] == [
        (body, "quarantined", "it holds no export: \ufffd")
    ]


def test_a_first_alert_opens_a_case_and_its_ledger_says_which_body_told_of_it():
    item = inbox.receive(b"the alert", "elastic", None)
    [said] = inbox.assign(item.id, [export()])
    opened, joined = ledger.entries(said.case_id)
    assert (said.new, said.joined) == (True, True)
    assert (opened.kind, joined.kind) == ("case-opened", "alert-joined")
    assert opened.data["sha256"] == joined.data["sha256"] == item.sha256
    assert ExportEvent.model_validate(joined.data["event"]) == export()
    assert inbox.pending() == ()
    assert inbox.quarantined() == ()


def test_twenty_posts_of_one_alert_at_once_are_one_case_with_one_export():
    with ThreadPoolExecutor(20) as pool:
        said = [a for result in pool.map(lambda _: post(export()), range(20)) for a in result]
    assert len({a.case_id for a in said}) == 1
    assert sum(a.new for a in said) == 1
    assert ledger.cases() == (said[0].case_id,)
    assert len(ledger.entries(said[0].case_id, "alert-joined")) == 1


def test_deciding_one_item_again_changes_nothing():
    item = inbox.receive(b"{}", "elastic", None)
    first = inbox.assign(item.id, [export(1), export(2)])
    before = ledger.entries(first[0].case_id)
    again = inbox.assign(item.id, [export(1), export(2)])
    assert [(a.case_id, a.new, a.joined) for a in again] == [(a.case_id, False, False) for a in first]
    assert ledger.entries(first[0].case_id) == before


def test_a_hundred_exports_by_one_key_posted_at_once_are_one_case():
    events = [export(n, bucket=f"example-{n}") for n in range(100)]
    with ThreadPoolExecutor(8) as pool:
        said = [a for result in pool.map(post, events) for a in result]
    assert len({a.case_id for a in said}) == 1
    joined = ledger.entries(said[0].case_id, "alert-joined")
    assert {e.data["event"]["event_id"] for e in joined} == {e.event_id for e in events}
    assert check_chain(ledger.entries(said[0].case_id)) == ()


def test_another_alert_of_the_same_export_task_is_not_another_export():
    first, again = post(export(1)), post(export(1, event_id="another-rule-saw-it"))
    assert again[0] == inbox.Assigned(first[0].case_id, new=False, joined=False)


def test_the_same_bucket_joins_and_a_stranger_opens_a_case_of_their_own():
    [first] = post(export(1))
    [same_bucket] = post(other(2).model_copy(update={"bucket": "example-drop"}))
    [stranger] = post(other(3))
    assert same_bucket == inbox.Assigned(first.case_id, new=False, joined=True)
    assert stranger.new
    assert stranger.case_id != first.case_id


@pytest.mark.parametrize(("hours", "joins"), [(0, True), (23.9, True), (-23.9, True), (24.1, False), (-24.1, False)])
def test_the_case_window_counts_from_the_events_not_from_their_arrival(hours, joins):
    [first] = post(export(1))
    [second] = post(export(2, event_time=NOW + timedelta(hours=hours)))
    assert (second.case_id == first.case_id) is joins


def test_the_window_moves_with_the_exports_that_joined():
    cases = {post(export(n, event_time=NOW + timedelta(hours=20 * n)))[0].case_id for n in range(4)}
    assert len(cases) == 1


def test_a_closed_case_is_not_joined_but_keeps_its_own_repeated_alerts():
    [first] = post(export(1))
    ledger.append(first.case_id, "case-closed", "flow", {"verdict": "expected"})
    [later] = post(export(2))
    assert later.new
    assert later.case_id != first.case_id
    assert post(export(1)) == (inbox.Assigned(first.case_id, new=False, joined=False),)


def test_an_export_that_fits_two_cases_joins_that_of_its_credential_and_names_the_other():
    [by_bucket] = post(other(1))
    [by_key] = post(export(2))
    [both] = post(export(3, bucket=other(1).bucket))
    assert both.case_id == by_key.case_id
    assert ledger.entries(both.case_id, "alert-joined")[-1].data["related"] == [by_bucket.case_id]


def test_a_body_of_which_a_part_could_not_be_decoded_is_assigned_and_shown():
    item = inbox.receive(b"{}", "elastic", None)
    inbox.assign(item.id, [export()], ["record 2 holds no event"])
    assert [(q.id, q.state, q.why) for q in inbox.quarantined()] == [(item.id, "assigned", "record 2 holds no event")]


def test_an_unknown_item_is_said_and_opens_no_case():
    with pytest.raises(LookupError):
        inbox.assign(7, [export()])
    with pytest.raises(LookupError):
        inbox.quarantine(7, "why")
    assert ledger.cases() == ()


def test_if_one_export_of_a_body_cannot_be_kept_none_is_and_the_body_stays_pending():
    item = inbox.receive(b"{}", "elastic", None)
    broken = export(2, description="half a pair").model_copy(update={"description": "\ud800"})
    with pytest.raises(ledger.NotJson):
        inbox.assign(item.id, [export(1), broken])
    assert ledger.cases() == ()
    assert [p.id for p in inbox.pending()] == [item.id]
