"""The investigation against the lab: an actor opens a bucket, exports, downloads; what is found, and what is missing by name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from decisions.case import fold
from decisions.evidence import Known, Unknown
from decisions.findings import Verdict
from decisions.statements import EXPORTS, KEYS, PERMISSIONS
from flows.results import RESULTS
from flows.vm_export.investigation import investigate, look
from records import evidence, inbox, ledger
from tests.flows.incidents import CASE, export_event, open_case, running_instance
from tests.lab.aws import PRODUCTION, As, policy, trust
from tests.records_of import cloudtrail_record

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("prefect", "database", "ours")]

BUCKET, KEY = "example-drop", "vm/export-i-0123456789abcdef0.ova"


class Actor:
    """A user who takes on a role, opens a bucket, and has an image in it."""

    def __init__(self, root: As, lab: Any) -> None:
        self.root, self.lab = root, lab
        self.machine = running_instance(root, DataClassification="restricted")
        root.role("ops", trust({"AWS": f"arn:aws:iam::{PRODUCTION}:root"}), policy({}))
        self.user = root.user("mallory", policy({}))
        self.session = self.user.assume(f"arn:aws:iam::{PRODUCTION}:role/ops", session="jo@example.com")
        s3 = self.session.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.delete_public_access_block(Bucket=BUCKET)
        allow = {"Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
        s3.put_bucket_policy(Bucket=BUCKET, Policy=policy(allow))
        s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"image")

    def exported(self, event_id: str = "e-1", task: str = "export-i-0123456789abcdef0") -> Any:
        """The request is in CloudTrail; its event as the alert would tell it."""
        now = datetime.now(UTC).replace(microsecond=0)
        raw = cloudtrail_record(event_id, task, eventTime=now.strftime("%Y-%m-%dT%H:%M:%SZ"))
        identity = raw["userIdentity"] | {
            "arn": f"arn:aws:sts::{PRODUCTION}:assumed-role/ops/jo@example.com",
            "accessKeyId": self.session.key.access_key_id,
            "sessionContext": {"sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::{PRODUCTION}:role/ops"}},
        }
        self.lab.inject(PRODUCTION, "us-east-1", **(raw | {"userIdentity": identity}))
        return export_event(
            event_id=event_id, task_id=task, event_time=now, instance_id=self.machine, object_key=KEY,
            access_key_id=self.session.key.access_key_id, source_address="198.51.100.7",
        )  # fmt: skip


@pytest.fixture
def actor(ours, lab):
    return Actor(ours[PRODUCTION], lab)


async def test_an_actor_who_opened_the_bucket_is_malicious_with_evidence(actor):
    open_case(actor.exported())
    found = await investigate(CASE)
    assert found.verdict is Verdict.MALICIOUS
    assert any("strangers can read it now" in r for r in found.verdict_reasons)
    ids = {e.id for e in evidence.listing(CASE)}
    assert all(set(s.evidence) <= ids for s in found.statements)
    case = fold(ledger.entries(CASE))
    assert (case.verdict, case.missing) == (found.verdict, found.missing)
    assert RESULTS.loads(RESULTS.dumps(found)) == found


async def test_the_chain_leads_back_to_the_user_and_both_are_read(actor):
    open_case(actor.exported())
    found = await look(CASE)
    chain = found.exports[0].actor.chain
    assert [h.access_key_id for h in chain] == [actor.session.key.access_key_id, actor.user.key.access_key_id]
    assert chain[-1].end == "long-term-key"
    assert {a.rpartition("/")[2]: isinstance(p, Known) for a, p in found.principals.items()} == {
        "ops": True,
        "mallory": True,
    }


async def test_activity_permission_changes_and_earlier_exports_are_answered(actor):
    open_case(actor.exported())
    found = await look(CASE)
    names = {}
    for question in (KEYS, PERMISSIONS, EXPORTS):
        answer = found.activity[question]
        assert isinstance(answer, Known)
        # the lab remembers what other files of tests did, too
        own = [
            r for r in answer.value.records if question != EXPORTS or r.access_key_id == actor.session.key.access_key_id
        ]
        names[question] = {r.event_name for r in own}
    assert {"AssumeRole", "PutBucketPolicy"} <= names[KEYS]
    assert "CreateAccessKey" in names[PERMISSIONS]
    assert names[EXPORTS] == {"CreateInstanceExportTask"}


async def test_an_export_by_the_same_actor_that_no_alert_told_of_joins_the_findings(actor):
    open_case(actor.exported())
    actor.exported("e-2", "export-i-0eeeeeeeeeeeeeeee")
    found = await look(CASE)
    assert {e.event.event_id for e in found.exports} == {"e-1", "e-2"}
    assert any("No alert told of export-i-0eeeeeeeeeeeeeeee" in s.statement for s in found.statements)


async def test_an_export_of_another_case_stays_there(actor):
    open_case(actor.exported())
    other = actor.exported("e-2", "export-i-0eeeeeeeeeeeeeeee")
    item = inbox.receive(b"{}", "test", None)
    case = inbox.assign(item.id, [other])[0].case_id
    found = await look(CASE)
    assert [e.event.event_id for e in found.exports] == ["e-1"]
    assert any(case in s.statement for s in found.statements)


async def test_the_object_is_listed_and_a_download_that_nothing_records_is_unknown(actor):
    open_case(actor.exported())
    actor.session.client("s3").get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    found = await look(CASE)
    objects = found.objects[BUCKET]
    assert isinstance(objects, Known)
    assert [(v.key, v.size_bytes) for v in objects.value] == [(KEY, 5)]
    reads = found.reads[f"{BUCKET}/{KEY}"]
    assert isinstance(reads, Unknown)
    assert "data events are off" in reads.why
    assert "access logs are off" in reads.why
    assert any("data events are off" in m for m in found.missing)


async def test_a_download_is_found_where_data_events_are_on(actor):
    s3, trail = actor.root.client("s3"), actor.root.client("cloudtrail")
    s3.create_bucket(Bucket="example-trail")
    trail.create_trail(Name="reads", S3BucketName="example-trail")
    objects = {"Type": "AWS::S3::Object", "Values": [f"arn:aws:s3:::{BUCKET}/"]}
    trail.put_event_selectors(
        TrailName="reads",
        EventSelectors=[{"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [objects]}],
    )
    trail.start_logging(Name="reads")
    open_case(actor.exported())
    actor.session.elsewhere(ip="203.0.113.9").client("s3").get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    actor.lab.deliver()
    found = await look(CASE)
    reads = found.reads[f"{BUCKET}/{KEY}"]
    assert isinstance(reads, Known)
    assert "203.0.113.9" in {r.source_address for r in reads.value}


async def test_a_second_look_says_the_same_and_stores_only_that_logs_were_searched_further(actor):
    open_case(actor.exported())
    first, stored = await look(CASE), evidence.listing(CASE)
    again = await look(CASE)
    assert [s.statement for s in again.statements] == [s.statement for s in first.statements]
    assert all(e.coverage for e in evidence.listing(CASE) if e not in stored)
    assert again.exports[0].evidence == first.exports[0].evidence
