"""What the reads answer from the lab, with a role that may do exactly what they declare."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from decisions.evidence import Known, Unknown
from tasks import cloudtrail, ec2, iam, organizations, s3, sts
from tests.lab.aws import MANAGEMENT, PRODUCTION, policy
from tests.tasks.conftest import CASE, DEVELOPMENT, FOREIGN

HERE = (PRODUCTION, "us-east-1")
ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@pytest.fixture
def aws(ours):
    return sts.aws(CASE)


@pytest.fixture
def production(ours):
    return ours[PRODUCTION]


def run_instance(someone, **more):
    ec2_client = someone.client("ec2")
    image = ec2_client.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    return ec2_client.run_instances(ImageId=image, MinCount=1, MaxCount=1, **more)["Instances"][0]["InstanceId"]


def test_an_instance_is_read_with_tags_and_volumes(aws, production):
    tags = [{"Key": "DataClassification", "Value": "restricted"}, {"Key": "Owner", "Value": "payments"}]
    instance_id = run_instance(production, TagSpecifications=[{"ResourceType": "instance", "Tags": tags}])
    found = ec2.instance.plain(aws, *HERE, instance_id)
    assert found.instance_id == instance_id
    assert found.state in ("pending", "running")
    assert found.tags == {"DataClassification": "restricted", "Owner": "payments"}
    assert len(found.volumes) == 1
    assert found.encrypted_volumes == ()


def test_an_instance_that_is_gone_is_unknown_with_the_code_of_ec2(ours):
    answer = ec2.instance.answer(CASE, *HERE, "i-0123456789abcdef0")
    assert isinstance(answer, Unknown)
    assert "InvalidInstanceID.NotFound" in answer.why


def test_an_image_tells_of_itself(aws, production):
    instance_id = run_instance(production)
    image_id = production.client("ec2").create_image(InstanceId=instance_id, Name="before the export")["ImageId"]
    found = ec2.image.plain(aws, *HERE, image_id)
    assert (found.image_id, found.name, found.public, found.owner) == (image_id, "before the export", False, PRODUCTION)
    assert len(found.snapshots) == 1


def test_a_bucket_is_read_with_every_setting_as_it_is(aws, production):
    client = production.client("s3")
    client.create_bucket(Bucket="example-drop", ObjectOwnership="BucketOwnerPreferred")
    client.delete_public_access_block(Bucket="example-drop")
    client.put_bucket_acl(Bucket="example-drop", ACL="public-read")
    text = policy({"Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::example-drop/*"})
    client.put_bucket_policy(Bucket="example-drop", Policy=text)
    client.put_bucket_versioning(Bucket="example-drop", VersioningConfiguration={"Status": "Enabled"})
    found = s3.bucket.plain(aws, *HERE, "example-drop")
    assert found.policy == text
    assert found.ownership == "BucketOwnerPreferred"
    assert found.public_access_block is None
    assert found.versioning == "Enabled"
    assert {(g.grantee_uri, g.permission) for g in found.acl.grants if g.grantee_uri} == {
        ("http://acs.amazonaws.com/groups/global/AllUsers", "READ")
    }
    assert (found.logging_target, found.replication, found.region) == (None, False, "us-east-1")
    assert found.created_at is not None


def test_a_bucket_without_settings_has_none_and_that_is_known(aws, production):
    production.client("s3").create_bucket(Bucket="example-plain")
    found = s3.bucket.plain(aws, *HERE, "example-plain")
    assert (found.policy, found.versioning, found.logging_target) == (None, None, None)


def test_a_bucket_of_somebody_else_is_unknown_not_empty(ours):
    ours[FOREIGN].client("s3").create_bucket(Bucket="example-foreign")
    answer = s3.bucket.answer(CASE, *HERE, "example-foreign")
    assert isinstance(answer, Unknown)
    assert "not a bucket of account" in answer.why


def test_every_version_under_a_prefix_is_listed_and_a_key_matches_only_itself(aws, production):
    client = production.client("s3")
    client.create_bucket(Bucket="example-drop")
    client.put_bucket_versioning(Bucket="example-drop", VersioningConfiguration={"Status": "Enabled"})
    for key in ("vm/export-i-1.ova", "vm/export-i-1.ova", "vm/export-i-1.ova.txt", "other"):
        client.put_object(Bucket="example-drop", Key=key, Body=b"x" * 10)
    client.delete_object(Bucket="example-drop", Key="vm/export-i-1.ova")
    exact = s3.object_versions.plain(aws, *HERE, "example-drop", "vm/export-i-1.ova", False)
    under = s3.object_versions.plain(aws, *HERE, "example-drop", "vm/export-i-1", True)
    assert [v.delete_marker for v in exact] == [True, False, False]
    assert sum(v.size_bytes for v in exact) == 20
    assert {v.key for v in under} == {"vm/export-i-1.ova", "vm/export-i-1.ova.txt"}


def test_a_version_without_an_id_has_none(aws, production):
    client = production.client("s3")
    client.create_bucket(Bucket="example-plain")
    client.put_object(Bucket="example-plain", Key="k", Body=b"x")
    assert [v.version_id for v in s3.object_versions.plain(aws, *HERE, "example-plain", "k", False)] == [None]


def test_the_account_wide_block_is_off_where_there_is_none_and_read_where_there_is(aws, production):
    assert s3.account_public_access_block.plain(aws, *HERE).block_public_acls is False


def test_a_user_is_read_with_the_policies_of_its_groups_and_its_keys(aws, production):
    client = production.client("iam")
    mallory = production.user("mallory", json.dumps(ALLOW_ALL))
    client.create_group(GroupName="admins")
    client.put_group_policy(GroupName="admins", PolicyName="all", PolicyDocument=json.dumps(ALLOW_ALL))
    client.add_user_to_group(GroupName="admins", UserName="mallory")
    arn = client.create_policy(PolicyName="own", PolicyDocument=json.dumps(ALLOW_ALL))["Policy"]["Arn"]
    client.attach_user_policy(UserName="mallory", PolicyArn=arn)
    found = iam.principal.plain(aws, f"arn:aws:iam::{PRODUCTION}:user/mallory")
    assert json.loads(found.inline_policies["given"]) == ALLOW_ALL
    assert list(found.managed_policies) == [arn]
    assert list(found.group_policies) == ["group/admins/all"]
    assert [(k.access_key_id, k.status) for k in found.access_keys] == [(mallory.key.access_key_id, "Active")]


def test_a_role_is_read_with_its_trust_and_boundary(aws, production):
    client = production.client("iam")
    boundary = client.create_policy(PolicyName="edge", PolicyDocument=json.dumps(ALLOW_ALL))["Policy"]["Arn"]
    text = json.dumps({**ALLOW_ALL, "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]})
    arn = production.role("ops", text, Path="/team/", PermissionsBoundary=boundary)
    found = iam.principal.plain(aws, arn)
    assert (found.name, found.path, found.type, found.boundary) == ("ops", "/team/", "role", boundary)
    assert json.loads(found.boundary_document or "") == ALLOW_ALL
    assert json.loads(found.trust_policy or "") == json.loads(text)


@pytest.mark.parametrize("arn", [
    f"arn:aws:sts::{PRODUCTION}:assumed-role/ops/someone", f"arn:aws:iam::{PRODUCTION}:root", "nonsense",
])  # fmt: skip
def test_what_is_neither_user_nor_role_is_unknown(ours, arn):
    answer = iam.principal.answer(CASE, arn)
    assert isinstance(answer, Unknown)
    assert "neither an IAM user nor a role" in answer.why


def test_an_account_outside_the_organisation_is_never_entered(ours):
    answer = iam.principal.answer(CASE, f"arn:aws:iam::{FOREIGN}:role/vmexport-read")
    assert isinstance(answer, Unknown)
    assert "not in organization.toml" in answer.why


def test_the_accounts_of_the_organisation_are_listed(aws):
    assert MANAGEMENT in {a.id for a in organizations.accounts.plain(aws, MANAGEMENT)}


def test_scps_are_read_level_by_level_or_not_at_all(aws, ours, lab):
    client = ours[MANAGEMENT].client("organizations")
    root = client.list_roots()["Roots"][0]["Id"]
    client.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    unit = client.create_organizational_unit(ParentId=root, Name="workloads")["OrganizationalUnit"]["Id"]
    member = client.create_account(Email="new@example.com", AccountName="new")["CreateAccountStatus"]["AccountId"]
    client.move_account(AccountId=member, SourceParentId=root, DestinationParentId=unit)
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "ec2:ExportImage", "Resource": "*"}]}
    made = client.create_policy(
        Name="no-export", Description="", Type="SERVICE_CONTROL_POLICY", Content=json.dumps(deny)
    )["Policy"]["PolicySummary"]["Id"]
    client.attach_policy(PolicyId=made, TargetId=unit)
    found = organizations.service_control_policies.plain(aws, MANAGEMENT, member)
    assert len(found.levels) == 3
    assert [json.loads(t)["Statement"][0]["Effect"] for t in found.levels[1]].count("Deny") == 1
    assert made not in found.ids
    assert found.management_account is False
    for operation in ("ListParents", "ListPoliciesForTarget", "DescribePolicy"):
        lab.clear_faults()
        lab.add_fault(service="organizations", operation=operation, kind="access-denied")
        answer = organizations.service_control_policies.answer(CASE, MANAGEMENT, member)
        assert isinstance(answer, Unknown)
        assert f"{operation}: AccessDenied" in answer.why


def test_data_events_are_off_until_a_trail_selects_the_bucket_and_logs(aws, production):
    for name in ("example-drop", "example-trail", "example-other"):
        production.client("s3").create_bucket(Bucket=name)
    assert cloudtrail.data_events.plain(aws, *HERE, "example-drop").on is False
    trail = production.client("cloudtrail")
    arn = trail.create_trail(Name="reads", S3BucketName="example-trail")["TrailARN"]
    selector = {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [
        {"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::example-drop/"]}]}  # fmt: skip
    trail.put_event_selectors(TrailName="reads", EventSelectors=[selector])
    assert cloudtrail.data_events.plain(aws, *HERE, "example-drop").on is False
    trail.start_logging(Name="reads")
    found = cloudtrail.data_events.plain(aws, *HERE, "example-drop")
    assert (found.on, found.trails) == (True, (arn,))
    assert cloudtrail.data_events.plain(aws, *HERE, "example-other").on is False


def test_a_refused_read_names_the_code_and_what_to_allow(ours, lab):
    lab.add_fault(service="s3", operation="ListBuckets", kind="access-denied", times=2)
    answer = s3.bucket.answer(CASE, *HERE, "example-drop")
    assert isinstance(answer, Unknown)
    assert "AccessDenied" in answer.why
    assert "s3:ListAllMyBuckets" in answer.why
    with pytest.raises(ClientError):
        s3.bucket.plain(sts.aws(CASE), *HERE, "example-drop")


def test_a_missing_role_is_unknown_with_the_next_step(ours):
    ours[DEVELOPMENT].client("iam").delete_role_policy(RoleName="vmexport-read", PolicyName="given")
    ours[DEVELOPMENT].client("iam").delete_role(RoleName="vmexport-read")
    answer = ec2.instance.answer(CASE, DEVELOPMENT, "us-east-1", "i-0123456789abcdef0")
    assert isinstance(answer, Unknown)
    assert "role/vmexport-read could not be assumed" in answer.why


def test_throttling_is_waited_out(ours, production, lab):
    instance_id = run_instance(production)
    lab.add_fault(service="ec2", operation="DescribeInstances", kind="throttling", times=2)
    assert isinstance(ec2.instance.answer(CASE, *HERE, instance_id), Known)


def test_a_server_that_is_not_there_is_unknown(ours, monkeypatch):
    from tests.tasks.conftest import forget_settings

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    forget_settings()
    answer = ec2.instance.answer(CASE, *HERE, "i-0123456789abcdef0")
    assert isinstance(answer, Unknown)
    assert "could not be assumed" in answer.why
