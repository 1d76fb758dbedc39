"""The seeded organisation: who may what, what the product is told of it, and that it can be put back."""

import json
import stat

import httpx
import pytest

from lab.client import Key
from settings.organization import load
from tests.lab.aws import As, code_of

MANAGEMENT, PRODUCTION, DEVELOPMENT, FORENSICS = "123456789012", "111122223333", "444455556666", "777788889999"
FOREIGN = "210987654321"


@pytest.fixture
def made(lab):
    lab.reset(seed=True)
    return json.loads((lab.directory / "credentials.json").read_text())


@pytest.fixture
def hub(lab, made):
    return As(lab, Key(made["hub"]["access_key_id"], made["hub"]["secret_access_key"]))


def person(lab, made, name):
    key = made["stories"][name]
    return As(lab, Key(key["access_key_id"], key["secret_access_key"]))


def test_the_organisation_is_the_one_of_organization_toml(lab, made, hub):
    ours = load(lab.directory / "organization.toml")
    read = hub.assume(f"arn:aws:iam::{MANAGEMENT}:role/vmexport-read").client("organizations")
    there = {a["Id"]: a["Name"] for a in read.list_accounts()["Accounts"]}
    assert set(there) == {a.id for a in ours.accounts}
    root = As(lab, lab.root_key(MANAGEMENT)).client("organizations")
    assert root.describe_organization()["Organization"]["Id"] == ours.id == made["organization"]
    assert FOREIGN not in there


def test_credentials_are_for_their_owner_alone(lab, made):
    assert stat.S_IMODE((lab.directory / "credentials.json").stat().st_mode) == 0o600


def test_a_member_sees_the_organisations_trail_but_not_without_shadows(hub):
    trails = hub.assume(f"arn:aws:iam::{PRODUCTION}:role/vmexport-read").client("cloudtrail")
    (shown,) = trails.describe_trails(includeShadowTrails=True)["trailList"]
    assert shown["TrailARN"].split(":")[4] == MANAGEMENT
    assert trails.describe_trails(includeShadowTrails=False)["trailList"] == []


@pytest.mark.parametrize("account", [MANAGEMENT, PRODUCTION, DEVELOPMENT, FORENSICS])
@pytest.mark.parametrize("tier", ["read", "respond", "destructive"])
def test_the_hub_becomes_each_responder_in_each_account(hub, account, tier):
    session = hub.assume(f"arn:aws:iam::{account}:role/vmexport-{tier}")
    assert session.client("sts").get_caller_identity()["Account"] == account


def test_nobody_else_becomes_a_responder_and_the_forensics_role_is_in_one_account(lab, made, hub):
    arn = f"arn:aws:iam::{PRODUCTION}:role/vmexport-respond"
    contractor = person(lab, made, "jo.contractor").client("sts")
    assert code_of(contractor.assume_role, RoleArn=arn, RoleSessionName="session") == "AccessDenied"
    elsewhere = f"arn:aws:iam::{PRODUCTION}:role/vmexport-forensics"
    assert code_of(hub.client("sts").assume_role, RoleArn=elsewhere, RoleSessionName="session") == "AccessDenied"
    assert hub.assume(f"arn:aws:iam::{FORENSICS}:role/vmexport-forensics")


def test_the_reader_looks_and_changes_nothing(hub, made):
    read = hub.assume(f"arn:aws:iam::{PRODUCTION}:role/vmexport-read")
    machine = made["machines"]["payments-database"]
    (found,) = read.client("ec2").describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"]
    tags = {t["Key"]: t["Value"] for t in found["Tags"]}
    assert (tags["DataClassification"], tags["SlackChannel"]) == ("restricted", "#payments")
    assert found["IamInstanceProfile"]["Arn"].endswith("/payments-database")
    assert code_of(read.client("ec2").stop_instances, InstanceIds=[machine]) == "UnauthorizedOperation"
    assert code_of(read.client("iam").create_user, UserName="x") == "AccessDenied"


def test_the_evidence_bucket_keeps_versions_and_knows_locks_and_the_approved_one_is_old(lab, made, hub):
    forensics = As(lab, lab.root_key(FORENSICS)).client("s3")
    assert forensics.get_bucket_versioning(Bucket="example-forensics-evidence")["Status"] == "Enabled"
    lock = forensics.get_object_lock_configuration(Bucket="example-forensics-evidence")["ObjectLockConfiguration"]
    assert lock["ObjectLockEnabled"] == "Enabled"
    buckets = As(lab, lab.root_key(DEVELOPMENT)).client("s3").list_buckets()["Buckets"]
    (approved,) = [b for b in buckets if b["Name"] == "example-vm-exports"]
    assert (lab.now() - approved["CreationDate"]).days > 90


def test_the_organisations_trail_writes_everybodys_calls_and_object_reads_into_its_bucket(lab, made):
    developer = person(lab, made, "dev.lee")
    developer.client("s3").list_objects_v2(Bucket="example-vm-exports")
    lab.deliver()
    s3 = As(lab, lab.root_key(MANAGEMENT)).client("s3")
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket="example-organization-trail")["Contents"]]
    assert any(f"/{DEVELOPMENT}/CloudTrail/us-east-1/" in key for key in keys)
    listed = [e for e in lab.events() if e["eventName"] == "ListObjects" and e["recipientAccountId"] == DEVELOPMENT]
    assert [e["visible"] for e in listed] == [True]


def test_seeding_again_puts_back_what_was_changed_and_keeps_the_keys(lab, made, hub):
    root = As(lab, lab.root_key(PRODUCTION)).client("iam")
    management = As(lab, lab.root_key(MANAGEMENT)).client("organizations")
    contractor = person(lab, made, "jo.contractor")
    admin = f"arn:aws:iam::{PRODUCTION}:role/platform-admin"
    deny = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})
    root.put_user_policy(UserName="jo.contractor", PolicyName="deny", PolicyDocument=deny)
    root.delete_role_policy(RoleName="platform-admin", PolicyName="platform-admin")
    root.update_access_key(UserName="jo.contractor", AccessKeyId=contractor.key.access_key_id, Status="Inactive")
    scp = management.create_policy(Name="guard", Description="d", Content=deny, Type="SERVICE_CONTROL_POLICY")["Policy"]
    management.attach_policy(PolicyId=scp["PolicySummary"]["Id"], TargetId=PRODUCTION)
    assert code_of(contractor.client("sts").assume_role, RoleArn=admin, RoleSessionName="jo") == "InvalidClientTokenId"

    events = len(lab.events())
    assert httpx.post(f"{lab.endpoint}/lab/seed").json()["made"]["hub"] == made["hub"]
    assert len(lab.events()) == events
    session = contractor.assume(admin)
    assert code_of(session.client("ec2").describe_instances) == "ok"
    assert [p["Name"] for p in management.list_policies_for_target(TargetId=PRODUCTION, Filter="SERVICE_CONTROL_POLICY")["Policies"]] == ["FullAWSAccess"]  # fmt: skip


def test_after_a_reset_nothing_of_it_is_left(lab, made):
    lab.reset()
    development = As(lab, lab.root_key(DEVELOPMENT))
    assert code_of(development.client("organizations").create_organization, FeatureSet="ALL") == "ok"
    assert development.client("iam").list_users()["Users"] == []
