"""AWS refuses one read: the case still ends, the fact is unknown by name, and nothing is planned on a guess.

What is refused is taken from what the reads declare. One incident stands for the whole module, since only reads happen:
three exports by a role session, one of each API, by a person who holds every kind of policy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from decisions.case import fold
from decisions.cloudtrail import export_event, parse_record
from decisions.evidence import Unknown
from decisions.export import ExportEvent
from decisions.findings import Findings, Severity, Verdict
from decisions.plan import Plan
from flows.vm_export.investigation import investigate
from flows.vm_export.planning import record_proposal
from flows.vm_export.triage import triage
from lab.client import Key
from lab.organization_principals import DEVELOPMENT, FOREIGN, FORENSICS, MANAGEMENT, PRODUCTION
from records import cases, database, ledger
from tasks.actions.permissions import reads
from tests.flows.incidents import export_for_real, open_case
from tests.lab.aws import As, policy
from tests.lab.conftest import RunningLab
from tests.postgres import administer
from tests.postgres import forget_settings as forget_records
from tests.tasks.conftest import forget_settings

pytestmark = [pytest.mark.lab]

OF_HUNTS = {"cloudtrail:ListPublicKeys"}
"""What only `vmexport hunt --validate` asks."""
DECLARED = tuple(sorted({permission for declared in reads().values() for permission in declared} - OF_HUNTS))
ACCOUNTS = (MANAGEMENT, PRODUCTION, DEVELOPMENT, FORENSICS)
GATES = ("containment", "destruction", "eradication", "recovery")
NAMED_OTHERWISE = {
    "s3:ListAllMyBuckets": "ListBuckets",
    "s3:ListBucketVersions": "ListObjectVersions",
    "s3:GetReplicationConfiguration": "GetBucketReplication",
}
"""Permissions whose call has another name in CloudTrail."""
ROLE, BUCKET = "vmexport-read", "example-drop"
LONG_AGO = timedelta(hours=26)
"""Further back than the actor's activity is searched for: what we read ourselves is in no answer."""


def case_of(permission: str) -> str:
    """The case whose sessions may not do this."""
    return f"VMX-20261124-{DECLARED.index(permission):04d}"


@dataclass(frozen=True)
class Response:
    """What the playbook made of a case before its first gate."""

    case: str
    findings: Findings
    plans: dict[str, Plan]

    @property
    def actions(self) -> dict[str, Any]:
        """Every planned action without what tells how well it is known: evidence, words, and when it was planned."""
        shown = {"target", "account", "region", "before"}
        return {
            f"{gate} {a.id}": a.model_dump(mode="json", include=shown)
            for gate, plan in self.plans.items()
            for a in plan.actions
        }


class Incident:
    """Three exports by a session of production's platform-admin, which jo.contractor took on."""

    def __init__(self, lab: RunningLab) -> None:
        lab.reset(seed=True)
        self.lab = lab
        self.made = json.loads((lab.directory / "credentials.json").read_text())
        self.roots = {a: As(lab, lab.root_key(a)) for a in ACCOUNTS}
        lab.shift(-LONG_AGO)
        self.events = self._exports()
        lab.set_offset(timedelta(0))
        self._refuse_by_case()

    def _exports(self) -> tuple[ExportEvent, ...]:
        root, machine = self.roots[PRODUCTION], self.made["machines"]["payments-database"]
        self._every_kind_of_policy(root.client("iam"))
        given = self.made["stories"]["jo.contractor"]
        jo = As(self.lab, Key(given["access_key_id"], given["secret_access_key"]), ip="198.51.100.7")
        admin = jo.assume(f"arn:aws:iam::{PRODUCTION}:role/platform-admin", "jo.contractor@example.com")
        admin = admin.elsewhere(ip="198.51.100.7")
        ec2, s3 = admin.client("ec2"), admin.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        self._data_events_of(root)
        image = ec2.create_image(InstanceId=machine, Name="payments")["ImageId"]
        export_for_real(admin, machine, BUCKET, "vm/")
        to = {"S3Bucket": BUCKET, "S3Prefix": "images/"}
        ec2.export_image(ImageId=image, DiskImageFormat="VMDK", S3ExportLocation=to)
        ec2.create_store_image_task(ImageId=image, Bucket=BUCKET)
        self.lab.deliver()
        told = (export_event(parse_record(raw, "alert")) for raw in self.lab.events())
        return tuple(event for event in told if event is not None)

    def _every_kind_of_policy(self, iam: Any) -> None:
        """Users and roles have inline and attached policies, groups too: each kind is a read of its own."""
        may = policy({"Action": "ec2:DescribeInstances"})
        arn = iam.create_policy(PolicyName="look", PolicyDocument=may)["Policy"]["Arn"]
        iam.create_group(GroupName="contractors")
        iam.put_group_policy(GroupName="contractors", PolicyName="look", PolicyDocument=may)
        iam.attach_group_policy(GroupName="contractors", PolicyArn=arn)
        iam.add_user_to_group(GroupName="contractors", UserName="jo.contractor")
        iam.attach_user_policy(UserName="jo.contractor", PolicyArn=arn)
        iam.attach_role_policy(RoleName="platform-admin", PolicyArn=arn)

    def _data_events_of(self, root: As) -> None:
        """A trail of the account records the bucket's objects: status and selectors of it are two reads more."""
        root.client("s3").create_bucket(Bucket="example-trail")
        bucket = "arn:aws:s3:::example-trail"
        service = {"Principal": {"Service": "cloudtrail.amazonaws.com"}, "Resource": [bucket, f"{bucket}/*"]}
        root.client("s3").put_bucket_policy(Bucket="example-trail", Policy=policy(service))
        cloudtrail = root.client("cloudtrail")
        cloudtrail.create_trail(Name="objects", S3BucketName="example-trail")
        objects = {"Type": "AWS::S3::Object", "Values": [f"arn:aws:s3:::{BUCKET}/"]}
        cloudtrail.put_event_selectors(TrailName="objects", EventSelectors=[{"DataResources": [objects]}])
        cloudtrail.start_logging(Name="objects")

    def _refuse_by_case(self) -> None:
        """Each permission is denied to the sessions of one case: nothing is to be switched on or off between cases."""
        denied = (
            {"Effect": "Deny", "Action": p, "Condition": {"StringLike": {"aws:userid": f"*:{ROLE}-{case_of(p)}"}}}
            for p in DECLARED
        )
        text = policy(*denied)
        for root in self.roots.values():
            root.client("iam").put_role_policy(RoleName=ROLE, PolicyName="denied", PolicyDocument=text)

    async def respond(self, case: str) -> Response:
        """Triage, investigation and the four plans of a new case."""
        open_case(*self.events, case=case)
        await triage(case)
        findings = await investigate(case)
        return Response(case, findings, {gate: record_proposal(findings, gate) for gate in GATES})

    @contextmanager
    def closed(self, account: str) -> Iterator[None]:
        """Our read role in one account trusts nobody of ours."""
        iam = self.roots[account].client("iam")
        before = iam.get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"]
        nobody = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{FOREIGN}:root"}, "Action": "sts:AssumeRole"}
        iam.update_assume_role_policy(
            RoleName=ROLE, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [nobody]})
        )
        try:
            yield
        finally:
            iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(before))


@pytest.fixture(scope="module")
def incident(lab_process, cluster, prefect, tmp_path_factory):
    """The lab's organisation after the exports; this process is its hub, with one case store for all cases."""
    made, folder = Incident(lab_process), tmp_path_factory.mktemp("denied")
    administer(cluster, "create database denied template vmexport_template")
    hub = made.made["hub"]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        for name, value in {
            "AWS_ENDPOINT_URL": lab_process.endpoint,
            "AWS_ACCESS_KEY_ID": hub["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": hub["secret_access_key"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
            "VMEXPORT_DATABASE_URL": cluster.url("denied"),
            "VMEXPORT_EVIDENCE_DIR": str(folder / "evidence"),
            "VMEXPORT_SECRET_KEY_FILE": str(folder / "secret.key"),
            "VMEXPORT_ORGANIZATION": str(lab_process.directory / "organization.toml"),
            "VMEXPORT_CLOUDTRAIL_DIR": str(lab_process.directory),
        }.items():
            patch.setenv(name, value)
        forget_settings()
        forget_records()
        yield made
        database.engine().dispose()
    forget_settings()
    forget_records()
    administer(cluster, "drop database denied with (force)")


@pytest.fixture(scope="module")
async def undisturbed(incident):
    """The response when every read is allowed."""
    return await incident.respond("VMX-20261124-ALL")


@pytest.mark.parametrize("permission", DECLARED)
async def test_a_refused_read_ends_with_the_unknown_named_and_nothing_planned_on_a_guess(
    incident, undisturbed, permission
):
    found = await incident.respond(case_of(permission))
    assert_it_ended_well(found, undisturbed, f"not authorized to perform: {permission} ")


@pytest.mark.parametrize("account", [PRODUCTION, MANAGEMENT])
async def test_an_account_that_does_not_let_us_in_ends_the_same_way(incident, undisturbed, account):
    with incident.closed(account):
        found = await incident.respond(f"VMX-20261124-{account}")
    assert_it_ended_well(found, undisturbed, f"arn:aws:iam::{account}:role/{ROLE} could not be assumed")


def assert_it_ended_well(found: Response, undisturbed: Response, why: str) -> None:
    """The unknown is named; nothing is planned but what would be with everything known; no judgement became milder."""
    case = fold(ledger.entries(found.case))
    assert case.missing == found.findings.missing
    assert any(why in told for told in (*case.missing, *(g["why"] for g in case.gaps))), case.missing
    assert {a: found.actions[a] for a in found.actions} == {a: undisturbed.actions.get(a) for a in found.actions}
    unknown = {name for name, answer in found.findings.buckets.items() if isinstance(answer, Unknown)}
    unknown |= {arn for arn, answer in found.findings.principals.items() if isinstance(answer, Unknown)}
    assert not unknown & {a["target"] for a in found.actions.values()}
    assert found.findings.assessment.level is undisturbed.findings.assessment.level is Severity.HIGH
    assert found.findings.verdict is undisturbed.findings.verdict is Verdict.SUSPICIOUS
    assert cases.verify_case(found.case) == ()


@pytest.mark.parametrize("kind", ["throttling", "internal-error"])
async def test_what_aws_answers_at_the_second_try_is_known(incident, undisturbed, kind):
    services = ("ec2", "s3", "s3control", "iam", "organizations", "cloudtrail", "sts")
    for service in services:
        incident.lab.add_fault(service=service, caller=None, kind=kind, times=1)
    try:
        found = await incident.respond(f"VMX-20261124-{kind}")
        struck = {f["service"]: f["struck"] for f in incident.lab.faults()}
    finally:
        incident.lab.clear_faults()
    assert struck == dict.fromkeys(services, 1)
    assert found.findings.missing == undisturbed.findings.missing
    assert found.actions == undisturbed.actions


def test_everything_that_the_reads_declare_is_asked_in_this_incident(incident, undisturbed):
    """Else a refusal above would prove nothing."""
    asked = {e["eventName"] for e in incident.lab.events() if f"/{ROLE}/" in e["userIdentity"].get("arn", "")}
    assert {p for p in DECLARED if p.partition(":")[2] not in asked} == set(NAMED_OTHERWISE)
    assert asked.issuperset(NAMED_OTHERWISE.values())
