"""What an investigation concludes from facts: verdict, concerns, and what it lacks. No AWS, no Prefect."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from decisions.actor import attribute, chain
from decisions.evidence import Coverage
from decisions.export import ExportTask, Outcome
from decisions.exposure import ObjectRead
from decisions.facts import OrganizationAccount
from decisions.findings import Severity, Verdict
from decisions.investigation import conclude
from decisions.severity import assess
from decisions.statements import EXPORTS, KEYS, PERMISSIONS, Investigated
from flows.vm_export.rules import SEVERITY_RULES
from tests.flows.given import (
    BUCKET,
    DEVELOPMENT,
    EXPORTED,
    FOREIGN,
    KEY,
    NOW,
    ROLE,
    SESSION,
    answer,
    bucket,
    case,
    event,
    export,
    known,
    organization,
    record,
    task,
    unknown,
)

EXPECTED, SUSPICIOUS = Verdict.EXPECTED, Verdict.SUSPICIOUS
MALICIOUS, UNDETERMINED = Verdict.MALICIOUS, Verdict.UNDETERMINED


def investigated(*exports, **change):
    """An approved migration of which everything is known, and nothing speaks against it."""
    told = exports or (export(),)
    given = {
        "case_id": "VMX-20260302-ABCD",
        "exports": told,
        "told": frozenset(e.event.event_id for e in told),
        "buckets": {BUCKET: known(bucket())},
        "activity": {KEYS: known(answer(record())), PERMISSIONS: known(answer()), EXPORTS: known(answer())},
        "accounts": known(()),
        "evidence": {KEYS: ("EV-0007",), PERMISSIONS: ("EV-0008",), EXPORTS: ("EV-0009",), f"bucket {BUCKET}": ("EV-0002",)},
        "organization": organization(),
        "as_of": NOW,
    }  # fmt: skip
    return Investigated(**(given | change))


def findings(facts):
    rated = case(*facts.exports, buckets=facts.buckets, activity=facts.activity.get(KEYS, unknown()))
    return conclude(facts, assess(rated, SEVERITY_RULES))


def activity(*records, gaps=(), question=KEYS):
    base = {KEYS: known(answer(record())), PERMISSIONS: known(answer()), EXPORTS: known(answer())}
    return base | {question: known(answer(*records, gaps=gaps))}


def opened(**change):
    allow = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    policy = json.dumps({"Statement": [allow]})
    return {BUCKET: known(bucket(**({"public_access_block": None, "policy": policy} | change)))}


def changed_bucket(**who):
    asked = {"bucketName": BUCKET}
    return record("PutBucketPolicy", event_source="s3.amazonaws.com", request_parameters=asked, **who)


def given_rights():
    asked = {"roleName": "vm-migration"}
    who = {"principal_arn": "admin", "issuer_arn": None, "access_key_id": "AKIAOTHER"}
    return record("AttachRolePolicy", event_source="iam.amazonaws.com", request_parameters=asked, **who)


def share(grantee, how="add"):
    asked = {"imageId": "ami-1", "attributeType": "launchPermission", "launchPermission": {how: {"items": [grantee]}}}
    return record("ModifyImageAttribute", request_parameters=asked)


def test_an_approved_documented_export_without_a_concern_is_expected_and_low():
    found = findings(investigated())
    assert (found.verdict, found.assessment.level) == (EXPECTED, Severity.LOW)
    assert found.missing == ()
    assert not any(s.concern for s in found.statements)


LACKING = {
    "task": (investigated(export(task=unknown("EC2 has forgotten it"))), "EC2 has forgotten it"),
    "bucket name": (investigated(export(bucket=unknown("not told"))), "bucket is an approved one"),
    "bucket state": (investigated(buckets={BUCKET: unknown("AccessDenied")}), "AccessDenied"),
    "caller": (investigated(export(event=event(principal_type=None, principal_arn=None, issuer_arn=None))), "approved exporter"),
    "activity": (investigated(activity={EXPORTS: known(answer()), PERMISSIONS: known(answer())}), "nobody asked"),
    "activity unreadable": (investigated(activity={KEYS: unknown("no logs")}), "no logs"),
    "activity with a gap": (investigated(activity=activity(record(), gaps=("No files for 2026-03-01.",))), "No files for"),
}  # fmt: skip


@pytest.mark.parametrize("name", LACKING)
def test_without_one_of_the_facts_for_it_an_export_is_not_expected(name):
    facts, why = LACKING[name]
    found = findings(facts)
    assert found.verdict is UNDETERMINED
    assert any(why in reason for reason in found.verdict_reasons)


SUSPECT = {
    "somebody else": (investigated(export(event=event(issuer_arn=f"arn:aws:iam::{DEVELOPMENT}:role/ops"))), "not an approved exporter"),
    "no ticket": (investigated(export(task=known(task(description=None)), event=event(description=None))), "No change ticket"),
    "another bucket": (investigated(export(bucket=known("example-other")), buckets={"example-other": known(bucket(bucket="example-other"))}), "not a bucket that exports"),
    "a refused attempt": (investigated(export(event=event(outcome=Outcome.DENIED, error_code="Client.UnauthorizedOperation"), task=unknown("none"))), "an attempt"),
    "alert and EC2 differ": (investigated(export(differences=("The alert says a; EC2 says b. EC2 wins.",))), "EC2 wins"),
    "public bucket": (investigated(buckets=opened()), "Anybody can read"),
    "replicated bucket": (investigated(buckets={BUCKET: known(bucket(replication=True))}), "second copy"),
    "young bucket": (investigated(export(bucket=known("example-new")), buckets={"example-new": known(bucket(bucket="example-new", created_at=EXPORTED - timedelta(hours=1)))}), "shortly before"),
    "rights given to somebody unapproved": (investigated(export(event=event(issuer_arn=f"arn:aws:iam::{DEVELOPMENT}:role/vm-migration2")), activity=activity(given_rights(), question=PERMISSIONS)), "rights of vm-migration were changed by admin"),
    "foreign address": (investigated(activity=activity(record(source_address="203.0.113.9"))), "203.0.113.9"),
    "many refusals": (investigated(activity=activity(*(record(event_id=f"r{n}", error_code="AccessDenied") for n in range(3)))), "3 calls were refused"),
    "second door": (investigated(activity=activity(record("CreateInstanceExportTask", error_code="Client.UnauthorizedOperation"), record("ExportImage"))), "tried another way"),
    "own rights": (investigated(activity=activity(record("AttachRolePolicy", event_source="iam.amazonaws.com", request_parameters={"roleName": "vm-migration"}), question=PERMISSIONS)), "rights of vm-migration"),
    "bucket changed by the actor": (investigated(activity=activity(changed_bucket(), question=PERMISSIONS)), "The actor called PutBucketPolicy"),
    "found in the logs": (investigated(export(), told=frozenset()), "No alert told"),
    "a task without a record": (investigated(tasks={"t": known((ExportTask(task_id="export-i-0dddddddddddddddd", api="CreateInstanceExportTask", state="active", bucket="x"),))}), "no record tells"),
}  # fmt: skip


@pytest.mark.parametrize("name", SUSPECT)
def test_one_concern_makes_it_suspicious_and_is_the_reason(name):
    facts, why = SUSPECT[name]
    found = findings(facts)
    assert found.verdict is SUSPICIOUS
    assert any(why in reason for reason in found.verdict_reasons)


HOSTILE = {
    "logging stopped": (investigated(activity=activity(record("StopLogging"))), "StopLogging"),
    "image shared with a stranger": (investigated(activity=activity(share({"userId": FOREIGN}))), FOREIGN),
    "image shared with everybody": (investigated(activity=activity(share({"group": "all"}))), "all"),
    "bucket opened by the actor": (investigated(buckets=opened(), activity=activity(changed_bucket(), question=PERMISSIONS)), "strangers can read it now"),
    "caller of another organization": (investigated(export(event=event(caller_account=FOREIGN))), "not ours"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_honest_export_has_makes_it_malicious(name):
    facts, why = HOSTILE[name]
    found = findings(facts)
    assert found.verdict is MALICIOUS
    assert any(why in reason for reason in found.verdict_reasons)


def taken(outside):
    read = ObjectRead(
        time=NOW, event_id="r", who="jo from 203.0.113.9", operation="GetObject", outside=outside, why="Because."
    )
    return {f"{BUCKET}/k": known((read,))}


@pytest.mark.parametrize(("outside", "verdict"), [(True, MALICIOUS), (False, EXPECTED), (None, UNDETERMINED)])
def test_a_download_decides_by_where_it_came_from(outside, verdict):
    found = findings(investigated(reads=taken(outside)))
    assert found.verdict is verdict
    assert any("jo from 203.0.113.9" in s.statement for s in found.statements)


def test_nobody_read_it_is_said_only_where_every_read_is_recorded():
    place = f"{BUCKET}/k"
    whole = findings(investigated(reads={place: known(())}, read_gaps={place: ()}))
    assert any("Nobody has read" in s.statement for s in whole.statements)
    gap = findings(
        investigated(reads={place: unknown("data events are off")}, read_gaps={place: ("data events are off",)})
    )
    assert not any("Nobody has read" in s.statement for s in gap.statements)
    assert any("data events are off" in m for m in gap.missing)


HARMLESS = {
    "an approved exporter's rights changed by somebody else": activity(given_rights(), question=PERMISSIONS),
    "unshared": activity(share({"userId": FOREIGN}, how="remove")),
    "shared with ourselves": activity(share({"userId": DEVELOPMENT})),
    "a refused attempt to stop logging": activity(record("StopLogging", error_code="AccessDenied")),
    "two refusals": activity(record(event_id="a", error_code="AccessDenied"), record(event_id="b", error_code="AccessDenied")),
    "a service of AWS called": activity(record(source_address="ec2.amazonaws.com")),
    "an address inside": activity(record(source_address="10.0.0.7")),
    "somebody else changed the bucket": activity(changed_bucket(access_key_id="AKIAOTHER", principal_arn="x", issuer_arn="x"), question=PERMISSIONS),
    "our own responder changed the role": activity(record("PutRolePolicy", event_source="iam.amazonaws.com", request_parameters={"roleName": "vm-migration"}, issuer_arn=f"arn:aws:iam::{DEVELOPMENT}:role/vmexport-respond", access_key_id="ASIAOURS", principal_arn="ours"), question=PERMISSIONS),
}  # fmt: skip


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_looks_bad_is_no_concern(name):
    assert findings(investigated(activity=HARMLESS[name])).verdict is EXPECTED


def test_an_approved_bucket_may_be_new():
    young = bucket(created_at=EXPORTED - timedelta(hours=1))
    assert findings(investigated(buckets={BUCKET: known(young)})).verdict is EXPECTED


def test_every_statement_cites_evidence():
    facts = investigated(buckets=opened(), activity=activity(changed_bucket(), question=PERMISSIONS))
    assert [s.statement for s in findings(facts).statements if not s.evidence] == []


def test_every_unknown_and_every_gap_is_missing_by_name():
    facts = investigated(
        export(instance=unknown("InvalidInstanceID.NotFound")),
        principals={ROLE: unknown("AccessDenied: GetRole")},
        scps={DEVELOPMENT: unknown("no session")},
        reads={f"{BUCKET}/k": unknown("data events are off")},
        tasks={"ec2.stored_images": unknown("throttled")},
        activity=activity(record(), gaps=("No CloudTrail files for 2026-03-01.",)),
    )
    text = "\n".join(findings(facts).missing)
    for why in ("InvalidInstanceID", "GetRole", "no session", "data events are off", "throttled", "2026-03-01"):
        assert why in text


def test_a_refused_request_lacks_no_task_and_no_object():
    refused = export(event=event(outcome=Outcome.DENIED), task=unknown("no task"), key=unknown("no key"))
    assert findings(investigated(refused)).missing == ()


def test_a_credential_whose_origin_is_not_found_is_missing_but_no_concern():
    said = event()
    actor = attribute(said).model_copy(update={"chain": chain(said, ())})
    found = findings(investigated(export(event=said, actor=actor)))
    assert any(KEY in m for m in found.missing)
    assert found.verdict is EXPECTED


def test_the_chain_is_told_from_the_caller_back():
    said = event()
    given = record(
        "AssumeRole",
        event_source="sts.amazonaws.com",
        access_key_id="AKIAEXAMPLEEXAMPLE77",
        principal_type="IAMUser",
        principal_arn=f"arn:aws:iam::{DEVELOPMENT}:user/mallory",
        issuer_arn=None,
        response_elements={"credentials": {"accessKeyId": KEY}},
    )
    actor = attribute(said).model_copy(update={"chain": chain(said, (given,))})
    found = findings(investigated(export(event=said, actor=actor)))
    assert any(f"{SESSION} <- arn:aws:iam::{DEVELOPMENT}:user/mallory" in s.statement for s in found.statements)


def test_accounts_that_organization_toml_lacks_are_missing():
    listed = known((OrganizationAccount(id=FOREIGN, name="new", status="ACTIVE"),))
    assert any("lacks 1 account" in m for m in findings(investigated(accounts=listed)).missing)


def test_a_hostile_name_cannot_break_a_sentence():
    tags = {"Name": "x\n# Verdict: expected <script>", "DataClassification": "public"}
    machine = export().instance.value.model_copy(update={"tags": tags})
    told = [s.statement for s in findings(investigated(export(instance=known(machine)))).statements]
    assert not any("\n" in s for s in told)


def test_coverage_of_activity_decides_even_with_no_records():
    empty = answer()
    assert empty.coverage == Coverage(searched_from=EXPORTED, searched_to=NOW, complete=True)
    assert findings(investigated(activity=activity())).verdict is EXPECTED
