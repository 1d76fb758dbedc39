"""What a hunt found becomes a case once, whatever is known already and whoever dies in between."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from decisions.case import CaseState, fold
from decisions.exposure import object_reads
from records import closing, hunt_intake, hunts, inbox, intake, ledger
from records.database import transaction
from settings.organization import organization
from tests.records.findings_of import download_finding, export_finding, read

pytestmark = pytest.mark.usefixtures("database")
OTHERS = {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/jo", "accessKeyId": "AKIAEXAMPLEEXAMPLE02"}


def nobody(case_id):
    return ()


def known_reads(*event_ids):
    return object_reads([read(one) for one in event_ids], organization())


def find(*findings):
    with transaction() as connection:
        hunts.findings_within(connection, findings)


def take_in(*findings, reads=nobody):
    find(*findings)
    return list(hunt_intake.take_in(reads))


def close(case_id, *heard):
    known = {e.event_id for e in fold(ledger.entries(case_id)).exports}
    return closing.close(case_id, "test", {"verdict": "malicious", "why": "The end."}, {*known, *heard})


def case_of(case_id):
    return fold(ledger.entries(case_id))


def test_an_export_that_nobody_told_of_opens_a_case_through_the_inbox():
    found = export_finding()
    [taken] = take_in(found)
    assert taken.what == "opened"
    case = case_of(taken.case_id)
    assert [e.event_id for e in case.exports] == [found.event_id]
    assert (case.exports[0].bucket, case.exports[0].task_id) == ("example-drop", "export-i-0fedcba9876543210")
    with transaction() as connection:
        [kept] = hunts.findings(connection)
    assert (kept.state, kept.case_id) == ("handed", taken.case_id)
    assert inbox.pending() == inbox.quarantined() == ()


def test_the_next_run_finds_it_known_and_writes_nothing():
    [first] = take_in(export_finding())
    before = ledger.entries(first.case_id)
    assert take_in(export_finding()) == []
    assert ledger.entries(first.case_id) == before


@pytest.mark.parametrize("ended", [False, True])
def test_an_export_that_an_alert_told_of_is_seen(ended):
    item = inbox.receive(b"{}", "elastic", None)
    [case_id] = {a.case_id for a in inbox.assign(item.id, [export_finding().export])}
    if ended:
        close(case_id)
    before = ledger.entries(case_id)
    [taken] = take_in(export_finding())
    assert (taken.what, taken.said) == ("known", f"seen: case {case_id} is {'closed' if ended else 'open'}")
    assert ledger.entries(case_id) == before


def test_it_is_the_same_case_where_another_trail_gave_the_event_another_id():
    [first] = take_in(export_finding())
    [again] = take_in(export_finding(event_id="another-trail"))
    assert (again.what, again.case_id) == ("known", first.case_id)


def test_exports_of_one_key_are_one_case_and_a_denied_one_is_taken_in_as_an_alert_of_it_would_be():
    denied = export_finding(
        event_id="event-2",
        task="export-i-0aaaaaaaaaaaaaaaa",
        errorCode="Client.UnauthorizedOperation",
        responseElements=None,
    )
    first, second = take_in(export_finding(), denied)
    assert (first.what, second.what, second.case_id) == ("opened", "joined", first.case_id)
    assert [e.outcome for e in case_of(first.case_id).exports] == ["accepted", "denied"]


@pytest.mark.parametrize("dies_after", ["receive", "work"])
def test_who_dies_in_between_leaves_it_to_the_next_and_nothing_happens_twice(dies_after, monkeypatch):
    find(export_finding())
    whole = intake.work

    def work(item):
        if dies_after == "work":
            whole(item)
        raise KeyboardInterrupt

    monkeypatch.setattr(intake, "work", work)
    with pytest.raises(KeyboardInterrupt):
        list(hunt_intake.take_in(nobody))
    monkeypatch.setattr(intake, "work", whole)
    [taken] = hunt_intake.take_in(nobody)
    assert taken.what == "opened"
    assert [e.kind for e in ledger.entries(taken.case_id)] == ["case-opened", "alert-joined"]
    assert inbox.pending() == ()


def test_two_at_once_hand_over_nothing_twice():
    find(*(export_finding(event_id=f"event-{n}", task=f"export-i-{n:017x}") for n in range(12)))
    with ThreadPoolExecutor(3) as pool:
        taken = [one for got in pool.map(lambda _: list(hunt_intake.take_in(nobody)), range(3)) for one in got]
    assert sorted(one.finding.event_id for one in taken) == sorted(f"event-{n}" for n in range(12))
    [case_id] = {one.case_id for one in taken}
    assert len(case_of(case_id).exports) == 12


def test_a_late_read_opens_a_closed_case_again_once_and_the_case_ends_again_when_it_was_heard():
    export = export_finding()
    [first] = take_in(export)
    assert close(first.case_id) == ()
    [late] = take_in(download_finding(export))
    assert (late.what, late.case_id) == ("reopened", first.case_id)
    case = case_of(first.case_id)
    assert (case.state, case.closed_at, case.reopened) == (CaseState.OPEN, None, 1)
    assert [read.source_address for read in case.downloads] == ["203.0.113.9"]
    assert take_in(download_finding(export)) == []
    assert close(first.case_id) == ("read-1",)
    assert close(first.case_id, "read-1") == ()
    assert case_of(first.case_id).state is CaseState.CLOSED
    [seen] = take_in(download_finding(export, event_id="read-2"), reads=lambda case_id: known_reads("read-2"))
    assert (seen.what, seen.said) == ("known", f"seen: case {first.case_id} is closed")


def test_an_open_case_is_told_of_a_read_and_stays_open_until_it_was_heard():
    export = export_finding()
    opened, told = take_in(export, download_finding(export))
    assert (told.what, told.case_id) == ("told", opened.case_id)
    assert close(opened.case_id) == ("read-1",)


def test_a_case_that_is_open_again_is_joined_by_exports():
    export = export_finding()
    [first] = take_in(export)
    close(first.case_id)
    take_in(download_finding(export))
    [joined] = take_in(export_finding(event_id="event-2", task="export-i-0aaaaaaaaaaaaaaaa"))
    assert (joined.what, joined.case_id) == ("joined", first.case_id)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            {
                "userIdentity": {
                    "type": "AssumedRole", "accountId": "777788889999",
                    "arn": "arn:aws:sts::777788889999:assumed-role/vmexport-forensics/VMX",
                }
            },
            "role of ours",
        ),
        ({"additionalEventData": {"http_status": 403}}, "no image"),
    ],
)  # fmt: skip
def test_our_own_copy_and_a_read_that_delivered_nothing_reopen_nothing(change, why):
    export = export_finding()
    [first] = take_in(export)
    close(first.case_id)
    [taken] = take_in(download_finding(export, **change))
    assert taken.what == "noted"
    assert why in taken.said
    assert case_of(first.case_id).state is CaseState.CLOSED


def test_what_has_no_canonical_form_is_kept_as_text_and_holds_up_nothing():
    export = export_finding()
    hostile = {"bucketName": "example-drop", "key": "\ud800 export-i-0fedcba9876543210", "n": 2**60, "nul": "\0"}
    first, told = take_in(export, download_finding(export, requestParameters=hostile))
    assert told.what == "told"
    assert case_of(first.case_id).downloads[0].request_parameters["n"] == str(2**60)


def test_a_read_of_an_export_that_no_case_knows_is_kept_and_said():
    [taken] = take_in(download_finding(export_finding()))
    assert (taken.what, taken.case_id) == ("noted", None)
    assert "no case knows" in taken.said


def test_what_a_rule_matches_is_noted():
    rule = export_finding().model_copy(update={"kind": "rule", "id": "rule:1:e", "export": None})
    [taken] = take_in(rule)
    assert (taken.what, taken.case_id) == ("noted", None)


@pytest.mark.parametrize(
    ("second", "address", "what"),
    [(1, "203.0.113.9", "known"), (9, "203.0.113.9", "reopened"), (1, "203.0.113.8", "reopened")],
)
def test_the_other_logs_line_about_a_read_that_is_known_is_no_news(second, address, what):
    export = export_finding()
    [first] = take_in(export)
    close(first.case_id)
    line = download_finding(
        export, event_id="access-log:R:REST.GET.OBJECT:k", eventName="REST.GET.OBJECT", sourceIPAddress=address,
        eventTime=f"2026-03-04T10:00:0{second}Z",
    )  # fmt: skip
    [taken] = take_in(line, reads=lambda case_id: known_reads("read-1"))
    assert taken.what == what
