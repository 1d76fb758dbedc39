"""A case is what its ledger tells: how far it is, what stands, what was taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from decisions import case as kinds
from decisions.case import CaseState, fold
from decisions.ledger import GENESIS, next_entry

NOW = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
CASE = "VMX-20260302-ABCD"


def told(*happened):
    entries, last = [], (0, GENESIS)
    for n, (kind, data) in enumerate(happened):
        entries.append(next_entry(CASE, last, NOW + timedelta(minutes=n), kind, "flow", data))
        last = (entries[-1].seq, entries[-1].hash)
    return fold(entries)


def joined(n=1):
    event = {
        "event_id": f"event-{n}", "api": "ExportImage", "outcome": "accepted", "event_time": NOW.isoformat(),
        "principal_arn": "arn:aws:iam::111122223333:user/jo",
    }  # fmt: skip
    return kinds.ALERT_JOINED, {"event": event}


OPENED = (kinds.CASE_OPENED, {"event_id": "event-1"})


def carried_out(gate="containment", failed=()):
    return kinds.PLAN_CARRIED_OUT, {"plan_hash": "p", "gate": gate, "left_out": [], "failed": list(failed)}


def done(action="s3.lock-export:example-drop", verified=True, plan="p"):
    at = NOW.isoformat()
    return kinds.ACTION_DONE, {
        "action_id": action, "kind": action.split(":")[0], "plan_hash": plan, "changed": True, "before": {}, "after": {},
        "request_ids": [], "applied_at": at, "verified_at": at if verified else None,
        "verification": {"verified": verified, "probes": ["GetObject: AccessDenied"]}, "inverse": "put the policy back",
    }  # fmt: skip


def answered(decision="approve"):
    return kinds.GATE_ANSWERED, {
        "case_id": CASE, "gate": "containment", "plan_hash": "p", "decision": decision, "approver": "alice@example.com",
        "method": "totp", "time": NOW.isoformat(), "reason": "", "expires": (NOW + timedelta(hours=1)).isoformat(),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("happened", "state"),
    [
        ((), CaseState.OPEN),
        ((carried_out(),), CaseState.CONTAINED),
        ((carried_out(failed=["s3.lock-export failed"]),), CaseState.OPEN),
        ((carried_out("recovery"),), CaseState.OPEN),
        ((carried_out(), joined(2)), CaseState.OPEN),
        ((carried_out(), carried_out("eradication")), CaseState.CONTAINED),
        ((carried_out(), carried_out("release")), CaseState.OPEN),
        ((carried_out(), (kinds.CASE_CLOSED, {"verdict": "malicious"})), CaseState.CLOSED),
        ((carried_out(), (kinds.CASE_CLOSED, {"verdict": "malicious"}), carried_out("release")), CaseState.CLOSED),
    ],
)
def test_how_far_the_case_is(happened, state):
    assert told(OPENED, joined(), *happened).state is state


def test_what_it_is_about():
    case = told(OPENED, joined(1), joined(2), (kinds.RUN_STARTED, {"run": "run-1"}))
    assert (case.id, case.opened_at, case.updated_at) == (CASE, NOW, NOW + timedelta(minutes=3))
    assert [e.event_id for e in case.exports] == ["event-1", "event-2"]
    assert case.actors == ("arn:aws:iam::111122223333:user/jo",)
    assert case.runs == ("run-1",)
    assert (case.severity, case.verdict, case.closed_at) == (None, None, None)


def test_the_last_assessment_and_verdict_count():
    def assessed(level):
        return kinds.ASSESSED, {
            "assessment": {"level": level, "held": ["r"], "reasons": ["because"], "undecided": [], "would_change": []}
        }

    case = told(
        OPENED,
        assessed("low"),
        assessed("high"),
        (kinds.VERDICT, {"verdict": "undetermined", "missing": ["who read it"]}),
    )
    assert (case.severity, case.verdict, case.missing) == ("high", "undetermined", ("who read it",))


def test_an_action_that_was_done_again_stands_with_its_newest_receipt_and_one_taken_back_does_not_stand():
    case = told(OPENED, done(verified=False, plan="p"), done("iam.deny-user:jo"), done(verified=True, plan="q"))
    assert [(r.action_id, r.verification.verified) for r in case.receipts] == [
        ("s3.lock-export:example-drop", True),
        ("iam.deny-user:jo", True),
    ]
    back = told(OPENED, done(), done("iam.deny-user:jo"), (kinds.REVERTED, {"action_id": "iam.deny-user:jo"}))
    assert [r.action_id for r in back.receipts] == ["s3.lock-export:example-drop"]
    assert [r.action_id for r in back.reverted] == ["iam.deny-user:jo"]


def test_agreement_and_refusal_are_kept_apart():
    case = told(OPENED, answered(), answered("decline"))
    assert [a.decision for a in case.approvals] == ["approve"]
    assert [a.decision for a in case.declined] == ["decline"]


def test_a_kind_of_a_later_version_changes_nothing_but_the_length():
    case = told(OPENED, joined(), ("something-new", {"any": ["thing"]}))
    assert (case.seq, len(case.exports), case.state) == (3, 1, CaseState.OPEN)


def test_a_case_without_entries_is_none():
    with pytest.raises(LookupError):
        fold(())


def test_every_kind_is_documented_once():
    named = {v for k, v in vars(kinds).items() if k.isupper() and isinstance(v, str)}
    assert named == kinds.KINDS


def read_again(event_id="event-1", truth="event-1", differences=(), **change):
    event = joined()[1]["event"] | {"event_id": truth, "alert_id": "a-1"} | change
    return kinds.ALERT_READ_AGAIN, {
        "alert_id": "a-1", "told": event_id, "event": event, "differences": list(differences),
    }  # fmt: skip


def told_by_alert(n=1):
    kind, data = joined(n)
    return kind, {"event": data["event"] | {"alert_id": f"a-{n}", "bucket": "example-drop"}}


def test_an_alert_that_was_read_again_stands_in_for_what_its_body_said():
    case = told(OPENED, told_by_alert(), told_by_alert(2), read_again(bucket="real-bucket", differences=["It lied."]))
    assert [(e.event_id, e.bucket) for e in case.exports] == [("event-1", "real-bucket"), ("event-2", "example-drop")]
    assert case.corrections == {"event-1": ("It lied.",)}


def test_a_body_that_named_another_event_is_corrected_once():
    case = told(OPENED, told_by_alert(), told_by_alert(2), read_again(truth="event-2"))
    assert [e.event_id for e in case.exports] == ["event-2"], "it was the other alert's event all along"


def test_only_the_export_of_that_alert_is_corrected():
    case = told(OPENED, joined(), read_again(bucket="real-bucket"))
    assert [e.bucket for e in case.exports] == [None], "nobody said that it came from this alert"


def test_a_case_that_is_opened_again_is_open_until_it_is_closed_again():
    read = {"event_id": "read-1", "time": NOW.isoformat(), "event_name": "GetObject", "event_source": "s3.amazonaws.com", "origin": "x"}  # fmt: skip
    closed = (kinds.CASE_CLOSED, {"verdict": "malicious"})
    found = (kinds.DOWNLOAD_FOUND, {"finding": "f", "exports": ["event-1"], "record": read})
    again = (kinds.CASE_REOPENED, {"finding": "f", "why": "somebody read it"})
    case = told(OPENED, joined(), closed, found, again)
    assert (case.state, case.closed_at, case.reopened) == (CaseState.OPEN, None, 1)
    assert [r.event_id for r in case.downloads] == ["read-1"]
    ended = told(OPENED, joined(), closed, found, again, closed)
    assert (ended.state, ended.closed_at, ended.reopened) == (CaseState.CLOSED, NOW + timedelta(minutes=5), 1)
