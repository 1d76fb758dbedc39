"""Triage as a Prefect flow, against the lab and a real case store: truth read again, gaps named, evidence kept."""

from __future__ import annotations

import pytest

from decisions.case import fold
from decisions.evidence import Known, Unknown
from decisions.export import ExportApi
from decisions.findings import Severity
from flows.results import RESULTS
from flows.vm_export.triage import triage
from records import cases, evidence, ledger
from tasks import ec2, s3
from tasks.reading import reads
from tests.flows.incidents import CASE, export_event, export_for_real, open_case, running_instance
from tests.lab.aws import PRODUCTION
from tests.tasks.conftest import FOREIGN

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("prefect", "database", "ours")]


@pytest.fixture
def machine(ours):
    """A production instance with tags, and the bucket that it is exported to."""
    ours[PRODUCTION].client("s3").create_bucket(Bucket="example-drop")
    return running_instance(ours[PRODUCTION], DataClassification="restricted", Owner="payments")


async def test_what_is_known_is_read_again_and_judged(machine):
    open_case(export_event(instance_id=machine))
    found = await triage(CASE)
    export = found.exports[0]
    assert isinstance(export.instance, Known)
    assert export.instance.value.tags["Owner"] == "payments"
    assert isinstance(export.account, Known)
    assert export.account.value.name == "production"
    assert isinstance(found.buckets["example-drop"], Known)
    assert found.assessment.level is Severity.HIGH
    assert {"high.production", "high.sensitive-data"} <= set(found.assessment.held)


async def test_the_severity_is_in_the_ledger_and_every_answer_is_evidence(machine):
    open_case(export_event(instance_id=machine))
    found = await triage(CASE)
    case = fold(ledger.entries(CASE))
    assert case.assessment == found.assessment
    kept = {e.what: e for e in evidence.listing(CASE)}
    assert f"instance {machine} in {PRODUCTION}/us-east-1" in kept
    assert b"payments" in evidence.load(kept[f"instance {machine} in {PRODUCTION}/us-east-1"])
    assert set(found.exports[0].evidence) <= {e.id for e in kept.values()}
    assert cases.verify_case(CASE) == ()


async def test_a_resumed_run_reads_back_the_same(machine):
    open_case(export_event(instance_id=machine))
    found = await triage(CASE)
    assert RESULTS.loads(RESULTS.dumps(found)) == found


def asked():
    return [e for e in evidence.listing(CASE) if e.what != "facts of triage"]  # they bear their own time


async def test_an_unchanged_world_is_not_stored_twice(machine):
    open_case(export_event(instance_id=machine))
    await triage(CASE)
    before = asked()
    await triage(CASE)
    assert asked() == before


async def test_the_instance_behind_an_image_is_found_through_copies(ours, machine):
    client = ours[PRODUCTION].client("ec2")
    image = client.create_image(InstanceId=machine, Name="first")["ImageId"]
    copy = client.copy_image(SourceImageId=image, SourceRegion="us-east-1", Name="second")["ImageId"]
    open_case(
        export_event(api=ExportApi.IMAGE, instance_id=None, image_id=copy, task_id="export-ami-0123456789abcdef0")
    )
    found = await triage(CASE)
    assert isinstance(found.exports[0].instance_id, Known)
    assert found.exports[0].instance_id.value == machine


async def test_an_instance_that_is_gone_is_unknown_and_named(machine):
    open_case(export_event(instance_id="i-0aaaaaaaaaaaaaaaa"))
    found = await triage(CASE)
    assert isinstance(found.exports[0].instance, Unknown)
    assert any(u.startswith("high.sensitive-data: ") and "InvalidInstanceID" in u for u in found.assessment.undecided)
    assert any("i-0aaaaaaaaaaaaaaaa" in g["what"] for g in fold(ledger.entries(CASE)).gaps)


async def test_a_bucket_of_another_account_is_unknown_not_harmless(ours, machine):
    ours[FOREIGN].client("s3").create_bucket(Bucket="example-foreign")
    open_case(export_event(instance_id=machine, bucket="example-foreign"))
    found = await triage(CASE)
    assert isinstance(found.buckets["example-foreign"], Unknown)
    assert any(u.startswith("high.public-bucket: ") for u in found.assessment.undecided)


async def test_an_account_without_a_role_of_ours_ends_with_everything_unknown(machine):
    open_case(export_event(recipient_account=FOREIGN, caller_account=FOREIGN, instance_id=machine))
    found = await triage(CASE)
    assert isinstance(found.exports[0].account, Unknown)
    assert isinstance(found.exports[0].instance, Unknown)
    assert "not in organization.toml" in found.exports[0].instance.why
    assert found.assessment.level is Severity.HIGH  # somebody outside the organisation called


async def test_an_alert_that_tells_nothing_is_judged_all_the_same(machine):
    nothing = dict.fromkeys(
        ("recipient_account", "region", "instance_id", "bucket", "task_id", "principal_arn", "issuer_arn")
    )
    open_case(export_event(**nothing))
    found = await triage(CASE)
    assert found.assessment.level is not Severity.LOW
    assert found.assessment.undecided


async def test_one_hundred_exports_of_one_machine_read_it_once(machine, lab):
    open_case(*(export_event(event_id=f"e-{n}", instance_id=machine, task_id=f"export-i-{n:017x}") for n in range(100)))
    found = await triage(CASE)
    assert len(found.exports) == 100
    calls = [e for e in lab.events() if e.get("eventName", e.get("record", {}).get("eventName")) == "DescribeVolumes"]
    assert len(calls) == 1


async def test_a_real_export_is_known_as_ec2_tells_it_where_the_alert_lies(ours, machine):
    production = ours[PRODUCTION]
    task = export_for_real(production, machine, "example-drop", "vm/")
    open_case(export_event(instance_id=machine, task_id=task, disk_format="RAW", prefix="vm/"))
    found = (await triage(CASE)).exports[0]
    assert isinstance(found.task, Known)
    assert (found.task.value.state, found.task.value.bucket) == ("active", "example-drop")
    assert isinstance(found.key, Known)
    assert (found.key.value, found.key_is_prefix) == (f"vm/{task}.ova", False)
    assert any("disk format" in d for d in found.differences)


def test_the_reads_of_triage_carry_the_steps_of_the_playbook():
    assert ec2.export_task.step == "triage.1"
    assert {s3.bucket.step, ec2.instance.step} == {"triage.2"}
    assert all(f"step:{r.step}" in r.task.tags for r in reads())
