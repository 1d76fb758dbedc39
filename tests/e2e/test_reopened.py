"""A read that a hunt finds after the end: the case is open again, a run of its own looks at it, and the case ends again."""

from __future__ import annotations

from cli.processes import wait_until
from decisions.case import CaseState, fold
from decisions.cloudtrail import parse_record
from decisions.evidence import utc
from decisions.hunt import finding_id, finding_of
from records import hunt_intake, hunts, ledger
from records.database import transaction
from tasks import case_facts

READER = {"type": "AWSAccount", "accountId": "210987654321", "principalId": "AIDAEXAMPLEREADER"}


def late_read(export):
    """What a hunt makes of a GetObject of the export's object by a stranger."""
    record = parse_record(
        {
            "eventID": "late-read-1", "eventTime": utc(export.event_time), "eventName": "GetObject",
            "eventSource": "s3.amazonaws.com", "awsRegion": export.region, "sourceIPAddress": "203.0.113.9", "userIdentity": READER,
            "requestParameters": {"bucketName": export.bucket, "key": f"{export.prefix or ''}{export.task_id}.ova"},
        },
        "test",
    )  # fmt: skip
    about = (finding_id("vm-export", export.event_id),)
    return finding_of("vm-export", "download", "Exported object read by GetObject", "high", record).model_copy(
        update={"about": about, "record": record}
    )


def test_a_late_read_begins_the_response_again_and_is_in_its_findings(incident):
    case, run = incident.open_case("production-export")
    incident.follow(case, run, "approve")
    ended = fold(ledger.entries(case))
    assert ended.state is CaseState.CLOSED
    with transaction() as connection:
        hunts.findings_within(connection, [late_read(ended.exports[0])])
    [taken] = hunt_intake.take_in(case_facts.reads_known)
    assert (taken.what, taken.case_id) == ("reopened", case)

    wait_until(lambda: len(ledger.entries(case, "run-started")) == 2, 60, "no run began")
    again = ledger.entries(case, "run-started")[-1].data["run"]
    assert again != run
    incident.follow(case, again, "approve")
    over = fold(ledger.entries(case))
    assert (over.state, over.reopened) == (CaseState.CLOSED, 1)
    assert len(ledger.entries(case, "report-written")) == 2
    assert "late-read-1" in {read.event_id for read in case_facts.reads_known(case)}
    assert {r.action_id for r in over.receipts} >= {r.action_id for r in ended.receipts}
