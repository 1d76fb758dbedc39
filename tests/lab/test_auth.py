"""Who is let in and what for: the lab refuses what AWS refuses, or containment could not be shown."""

import json
from datetime import timedelta

import boto3
import httpx
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from lab.client import Key
from tests.lab.aws import ADMIN, FOREIGN, PRODUCTION, As, code_of, policy, trust

CALLS = {
    "sts": ("get_caller_identity", "InvalidClientTokenId"),
    "iam": ("list_users", "InvalidClientTokenId"),
    "ec2": ("describe_instances", "AuthFailure"),
    "s3": ("list_buckets", "InvalidAccessKeyId"),
    "cloudtrail": ("describe_trails", "UnrecognizedClientException"),
    "lambda": ("list_functions", "UnrecognizedClientException"),
}


def denying_old_sessions(lab):
    cut = lab.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    return policy({"Effect": "Deny", "Condition": {"DateLessThan": {"aws:TokenIssueTime": cut}}})


@pytest.mark.parametrize("service", CALLS)
def test_an_inactive_key_is_refused_in_each_services_own_words(root, service):
    operation, refusal = CALLS[service]
    alice = root.user("alice", policy({}))
    assert code_of(getattr(alice.client(service), operation)) == "ok"
    root.client("iam").update_access_key(UserName="alice", AccessKeyId=alice.key.access_key_id, Status="Inactive")
    assert code_of(getattr(alice.client(service), operation)) == refusal
    root.client("iam").update_access_key(UserName="alice", AccessKeyId=alice.key.access_key_id, Status="Active")
    assert code_of(getattr(alice.client(service), operation)) == "ok"


def test_a_deleted_key_and_one_that_never_was_are_refused(root, lab):
    alice = root.user("alice", policy({}))
    root.client("iam").delete_access_key(UserName="alice", AccessKeyId=alice.key.access_key_id)
    assert code_of(alice.client("sts").get_caller_identity) == "InvalidClientTokenId"
    stranger = As(lab, Key("AKIAEXAMPLEEXAMPLE00", "secret"))
    assert code_of(stranger.client("ec2").describe_instances) == "AuthFailure"


@pytest.mark.parametrize(
    ("service", "refusal"),
    [
        ("iam", "SignatureDoesNotMatch"),
        ("s3", "SignatureDoesNotMatch"),
        ("ec2", "AuthFailure"),
        ("lambda", "InvalidSignatureException"),
    ],
)
def test_the_right_key_with_a_wrong_secret_is_refused(root, lab, service, refusal):
    forged = As(lab, Key(root.key.access_key_id, "not-the-secret"))
    assert code_of(getattr(forged.client(service), CALLS[service][0])) == refusal


def test_a_body_changed_after_signing_is_refused(root):
    s3 = root.client("s3")
    s3.create_bucket(Bucket="evidence")
    s3.meta.events.register("before-send.s3", lambda request, **_: setattr(request, "body", b"other"))
    assert code_of(s3.put_object, Bucket="evidence", Key="k", Body=b"bytes") == "XAmzContentSHA256Mismatch"


def test_without_an_allow_nothing_is_allowed_but_asking_who_one_is(root):
    nobody = root.user("nobody")
    assert nobody.client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{PRODUCTION}:user/nobody"
    assert code_of(nobody.client("ec2").describe_instances) == "UnauthorizedOperation"
    assert code_of(nobody.client("iam").list_users) == "AccessDenied"
    assert code_of(nobody.client("cloudtrail").describe_trails) == "AccessDeniedException"
    assert code_of(nobody.client("lambda").list_functions) == "AccessDeniedException"


def test_group_and_managed_policies_count(root):
    iam = root.client("iam")
    alice = root.user("alice")
    iam.create_group(GroupName="readers")
    iam.attach_group_policy(GroupName="readers", PolicyArn="arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess")
    assert code_of(alice.client("ec2").describe_instances) == "UnauthorizedOperation"
    iam.add_user_to_group(GroupName="readers", UserName="alice")
    assert code_of(alice.client("ec2").describe_instances) == "ok"
    iam.attach_user_policy(UserName="alice", PolicyArn="arn:aws:iam::aws:policy/AWSDenyAll")
    assert code_of(alice.client("ec2").describe_instances) == "UnauthorizedOperation"


def test_a_permissions_boundary_limits_a_user(root):
    iam = root.client("iam")
    arn = iam.create_policy(PolicyName="edge", PolicyDocument=policy({"Action": "iam:*"}))["Policy"]["Arn"]
    alice = root.user("alice", policy({}))
    assert code_of(alice.client("ec2").describe_instances) == "ok"
    iam.put_user_permissions_boundary(UserName="alice", PermissionsBoundary=arn)
    assert code_of(alice.client("ec2").describe_instances) == "UnauthorizedOperation"
    assert code_of(alice.client("iam").list_users) == "ok"
    iam.delete_user_permissions_boundary(UserName="alice")
    assert code_of(alice.client("ec2").describe_instances) == "ok"


def test_old_sessions_of_a_role_are_cut_and_new_ones_work(root, lab):
    arn = root.role("build", trust({"AWS": PRODUCTION}), policy({}))
    alice = root.user("alice", policy({}))
    old = alice.assume(arn)
    assert code_of(old.client("ec2").describe_instances) == "ok"
    lab.shift(timedelta(seconds=5))
    root.client("iam").put_role_policy(
        RoleName="build", PolicyName="AWSRevokeOlderSessions", PolicyDocument=denying_old_sessions(lab)
    )
    assert code_of(old.client("ec2").describe_instances) == "UnauthorizedOperation"
    assert code_of(old.client("iam").list_users) == "AccessDenied"
    lab.shift(timedelta(seconds=5))
    assert code_of(alice.assume(arn).client("ec2").describe_instances) == "ok"


def test_one_session_is_cut_by_its_user_id(root):
    arn = root.role("build", trust({"AWS": PRODUCTION}), policy({}))
    alice = root.user("alice", policy({}))
    good, bad = alice.assume(arn, "good"), alice.assume(arn, "bad")
    user_id = bad.client("sts").get_caller_identity()["UserId"]
    deny = policy({"Effect": "Deny", "Condition": {"StringEquals": {"aws:userid": user_id}}})
    root.client("iam").put_role_policy(RoleName="build", PolicyName="cut", PolicyDocument=deny)
    assert code_of(bad.client("ec2").describe_instances) == "UnauthorizedOperation"
    assert code_of(good.client("ec2").describe_instances) == "ok"


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        ({"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}, "UnauthorizedOperation"),
        ({"NotIpAddress": {"aws:SourceIp": "198.51.100.0/24"}}, "ok"),
        ({"StringEquals": {"aws:username": "alice"}}, "UnauthorizedOperation"),
        ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{PRODUCTION}:user/a*"}}, "UnauthorizedOperation"),
        ({"ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{PRODUCTION}:user/a*"}}, "ok"),
        ({"Bool": {"aws:PrincipalIsAWSService": "false"}}, "UnauthorizedOperation"),
        ({"StringEquals": {"aws:RequestedRegion": "eu-central-1"}}, "ok"),
        ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, "UnauthorizedOperation"),
        ({"Null": {"aws:TokenIssueTime": "false"}}, "ok"),
    ],
)
def test_conditions_of_a_deny_are_evaluated(root, condition, answer):
    alice = root.user("alice", policy({}, {"Effect": "Deny", "Action": "ec2:*", "Condition": condition}))
    assert code_of(alice.elsewhere(ip="198.51.100.7").client("ec2").describe_instances) == answer


def test_a_policy_on_instance_tags_tells_instances_apart(root):
    ec2 = root.client("ec2")
    ids = {}
    for name in ("prod", "dev"):
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "stage", "Value": name}]}]
        made = ec2.run_instances(ImageId="ami-0abcdef1234567890", MinCount=1, MaxCount=1, TagSpecifications=tags)
        ids[name] = made["Instances"][0]["InstanceId"]
    limited = policy({"Action": "ec2:StopInstances", "Condition": {"StringEquals": {"aws:ResourceTag/stage": "dev"}}})
    alice = root.user("alice", limited).client("ec2")
    assert code_of(alice.stop_instances, InstanceIds=[ids["dev"]]) == "ok"
    assert code_of(alice.stop_instances, InstanceIds=[ids["prod"]]) == "UnauthorizedOperation"
    assert code_of(alice.stop_instances, InstanceIds=[ids["dev"], ids["prod"]]) == "UnauthorizedOperation"


def test_an_export_needs_the_instance_and_the_task(root):
    instance = root.client("ec2").run_instances(ImageId="ami-0abcdef1234567890", MinCount=1, MaxCount=1)["Instances"][
        0
    ]["InstanceId"]
    ask = {"InstanceId": instance, "TargetEnvironment": "vmware", "ExportToS3Task": {"S3Bucket": "b"}}
    only_instance = root.user("one", policy({"Resource": "arn:aws:ec2:*:*:instance/*"})).client("ec2")
    assert code_of(only_instance.create_instance_export_task, **ask) == "UnauthorizedOperation"
    both = ["arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:*:*:export-instance-task/*"]
    allowed = root.user("two", policy({"Resource": both})).client("ec2")
    assert code_of(allowed.create_instance_export_task, **ask) != "UnauthorizedOperation"


def test_the_accounts_public_access_block_has_its_own_action_and_event_name(root):
    ask = {"AccountId": PRODUCTION}
    block = {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True, "BlockPublicPolicy": True}}

    def control(who):
        client = who.client("s3control")

        def on_loopback(request, **_):  # moto#4714: the account is a label of the host name, which loopback has not
            request.url = request.url.replace(f"//{PRODUCTION}.", "//")

        client.meta.events.register("before-sign.s3-control", on_loopback)
        return client

    may = root.user("may", policy({"Action": "s3:PutAccountPublicAccessBlock"}))
    assert code_of(control(may).put_public_access_block, **ask, **block) == "ok"
    assert code_of(control(may).get_public_access_block, **ask).startswith("AccessDenied")
    assert control(root).get_public_access_block(**ask)["PublicAccessBlockConfiguration"]["BlockPublicPolicy"] is True
    names = [e["eventName"] for e in root.lab.events() if e["eventSource"] == "s3.amazonaws.com"]
    assert names == ["PutAccountPublicAccessBlock", "GetAccountPublicAccessBlock", "GetAccountPublicAccessBlock"]


def test_a_denial_can_be_decoded(root):
    alice = root.user("alice", policy({"Action": "sts:*"}))
    with pytest.raises(alice.client("ec2").exceptions.ClientError) as refused:
        alice.client("ec2").describe_instances()
    encoded = refused.value.response["Error"]["Message"].rpartition(": ")[2]
    decoded = json.loads(alice.client("sts").decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])
    assert decoded["context"]["action"] == "ec2:DescribeInstances"
    assert decoded["explicitDeny"] is False


class TestPresigned:
    @pytest.fixture(params=["us-east-1", "eu-central-1"], ids=["signature v2", "signature v4"])
    def url(self, root, request):
        s3 = root.client("s3")
        s3.create_bucket(Bucket="exports")
        s3.put_object(Bucket="exports", Key="vm image/ü.ova", Body=b"disk")
        self.alice = root.user("alice", policy({}))
        there = self.alice.elsewhere(region=request.param).client("s3")
        return there.generate_presigned_url(
            "get_object", Params={"Bucket": "exports", "Key": "vm image/ü.ova"}, ExpiresIn=600
        )

    def test_it_works_until_it_expires_by_the_labs_clock(self, url, lab):
        assert httpx.get(url).content == b"disk"
        lab.shift(timedelta(seconds=601))
        late = httpx.get(url)
        assert (late.status_code, "Request has expired" in late.text) == (403, True)

    def test_it_dies_with_the_signers_key(self, url, root):
        root.client("iam").update_access_key(
            UserName="alice", AccessKeyId=self.alice.key.access_key_id, Status="Inactive"
        )
        assert "InvalidAccessKeyId" in httpx.get(url).text

    def test_it_is_for_the_signed_object_only(self, url):
        assert "SignatureDoesNotMatch" in httpx.get(url.replace("vm%20image", "other")).text

    def test_one_made_while_the_lab_is_ahead_lasts_as_long(self, root, lab, eventually):
        lab.shift(timedelta(days=3))
        s3 = root.elsewhere(region="eu-central-1").client("s3")
        root.client("s3").create_bucket(Bucket="exports")
        root.client("s3").put_object(Bucket="exports", Key="k", Body=b"disk")
        asked = {"Params": {"Bucket": "exports", "Key": "k"}, "ExpiresIn": 600}

        def working():  # a signature's time has whole seconds: one from before the move is one of before
            made = s3.generate_presigned_url("get_object", **asked)
            return made if httpx.get(made).status_code == 200 else None

        made = eventually(working)
        lab.shift(timedelta(seconds=601))
        assert httpx.get(made).status_code == 403


def test_unsigned_requests_do_not_get_past_the_door_of_anything_but_s3(lab):
    unsigned = boto3.client(
        "iam", endpoint_url=lab.endpoint, region_name="us-east-1", config=Config(signature_version=UNSIGNED)
    )
    assert code_of(unsigned.list_users) == "MissingAuthenticationToken"


def test_a_header_of_the_client_does_not_choose_the_account(root):
    iam = root.client("iam")
    iam.meta.events.register(
        "before-sign.iam", lambda request, **_: request.headers.add_header("x-moto-account-id", FOREIGN)
    )
    iam.create_user(UserName="alice")
    assert root.client("iam").get_user(UserName="alice")["User"]["Arn"] == f"arn:aws:iam::{PRODUCTION}:user/alice"


def test_a_key_tells_its_account(root):
    alice = root.user("alice", json.dumps(ADMIN))
    assert root.client("sts").get_access_key_info(AccessKeyId=alice.key.access_key_id)["Account"] == PRODUCTION
    assert code_of(root.client("sts").get_access_key_info, AccessKeyId="AKIAEXAMPLEEXAMPLE00") == "ValidationError"
