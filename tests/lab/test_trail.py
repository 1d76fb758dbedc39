"""What was done can be found afterwards: LookupEvents, files in AWS's layout, data events and access logs where switched on."""

import json
from datetime import timedelta

import pytest

from tests.lab.aws import FOREIGN, PRODUCTION, As, code_of, policy, trust
from tests.lab.trail_records import lookup, record_of


@pytest.fixture
def instance(root):
    made = root.client("ec2").run_instances(ImageId="ami-0abcdef1234567890", MinCount=1, MaxCount=1)
    return made["Instances"][0]["InstanceId"]


class TestLookup:
    @pytest.mark.parametrize(
        ("service", "call", "asked"),
        [
            ("iam", "create_user", {"UserName": "bob"}),
            ("ec2", "create_security_group", {"GroupName": "g", "Description": "d"}),
            ("s3", "create_bucket", {"Bucket": "bucket-one"}),
            ("cloudtrail", "describe_trails", {}),
            ("lambda", "list_functions", {}),
        ],
    )
    def test_every_protocols_call_is_found_by_its_request_id(self, root, service, call, asked):
        answer = getattr(root.client(service), call)(**asked)
        name = {"describe_trails": "DescribeTrails"}.get(call, "".join(p.title() for p in call.split("_")))
        assert record_of(root, name)["requestID"] == answer["ResponseMetadata"]["RequestId"]

    def test_a_refused_call_is_recorded_with_the_id_that_the_caller_got(self, root):
        alice = root.user("alice", policy({"Action": "iam:*"})).client("ec2")
        with pytest.raises(alice.exceptions.ClientError) as refused:
            alice.describe_instances()
        made = record_of(root, "DescribeInstances")
        assert made["requestID"] == refused.value.response["ResponseMetadata"]["RequestId"]
        assert made["errorCode"] == "Client.UnauthorizedOperation"
        assert made["errorMessage"].startswith("You are not authorized")

    def test_the_attributes_find_what_they_name(self, root):
        alice = root.user("alice", policy({}))
        alice.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=trust({"AWS": PRODUCTION}))
        by = {
            "Username": "alice",
            "AccessKeyId": alice.key.access_key_id,
            "EventName": "CreateRole",
            "EventSource": "iam.amazonaws.com",
            "ResourceName": "r",
            "ReadOnly": "false",
        }
        for key, value in by.items():
            names = [e["EventName"] for e in lookup(root, **{key: value})]
            assert "CreateRole" in names, key
        assert lookup(root, Username="nobody") == []

    def test_two_attributes_are_refused_as_aws_does(self, root):
        both = [
            {"AttributeKey": "Username", "AttributeValue": "x"},
            {"AttributeKey": "EventName", "AttributeValue": "y"},
        ]
        assert (
            code_of(root.client("cloudtrail").lookup_events, LookupAttributes=both)
            == "InvalidLookupAttributesException"
        )

    def test_pages_are_whole_and_newest_first_while_more_happens(self, root):
        sts = root.client("sts")
        for _ in range(60):
            sts.get_caller_identity()
        trail = root.client("cloudtrail")
        first = trail.lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "GetCallerIdentity"}]
        )
        assert len(first["Events"]) == 50
        sts.get_caller_identity()
        asked = {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "GetCallerIdentity"}]}
        second = trail.lookup_events(**asked, NextToken=first["NextToken"])
        events = first["Events"] + second["Events"]
        assert len({e["EventId"] for e in events}) == 60
        assert [e["EventTime"] for e in events] == sorted((e["EventTime"] for e in events), reverse=True)
        assert code_of(trail.lookup_events, NextToken=first["NextToken"]) == "InvalidNextTokenException"

    def test_times_select_and_ninety_days_are_the_end(self, root, lab):
        lab.shift(timedelta(days=-100))
        root.client("iam").create_user(UserName="ancient")
        lab.shift(timedelta(days=40))
        root.client("iam").create_user(UserName="old")
        lab.set_offset(timedelta())
        root.client("iam").create_user(UserName="new")
        names = [
            json.loads(e["CloudTrailEvent"])["requestParameters"]["userName"]
            for e in lookup(root, EventName="CreateUser")
        ]
        assert names == ["new", "old"]
        events = root.client("cloudtrail").lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateUser"}],
            StartTime=lab.now() - timedelta(days=70),
            EndTime=lab.now() - timedelta(days=50),
        )["Events"]
        assert [e["Resources"][0]["ResourceName"] for e in events] == ["old"]

    def test_one_region_and_one_account_at_a_time(self, root, lab, instance):
        root.elsewhere(region="eu-central-1").client("ec2").create_key_pair(KeyName="there")
        assert lookup(root, EventName="CreateKeyPair") == []
        assert len(lookup(root.elsewhere(region="eu-central-1"), EventName="CreateKeyPair")) == 1
        assert lookup(As(lab, lab.root_key(FOREIGN)), EventName="RunInstances") == []


class TestShape:
    def test_a_role_session_names_its_issuer_and_where_it_came_from(self, root):
        arn = root.role("build", trust({"AWS": PRODUCTION}), policy({}))
        session = root.user("alice", policy({})).assume(arn, "job-7", SourceIdentity="alice@example.com")
        session.elsewhere(ip="198.51.100.7", agent="aws-cli/2.0 test").client("ec2").describe_volumes()
        made = record_of(root, "DescribeVolumes")
        identity = made["userIdentity"]
        assert identity["type"] == "AssumedRole"
        assert identity["arn"] == f"arn:aws:sts::{PRODUCTION}:assumed-role/build/job-7"
        assert identity["sessionContext"]["sessionIssuer"]["arn"] == arn
        assert identity["sessionContext"]["sourceIdentity"] == "alice@example.com"
        assert identity["accessKeyId"] == session.key.access_key_id
        assert identity["principalId"] == identity["sessionContext"]["sessionIssuer"]["principalId"] + ":job-7"
        assert made["sourceIPAddress"] == "198.51.100.7"
        assert made["userAgent"].startswith("aws-cli/2.0 test")
        assert made["readOnly"] is True

    def test_the_instance_export_is_written_in_lower_camel(self, root, instance):
        ask = {"S3Bucket": "b", "S3Prefix": "vm/", "DiskImageFormat": "VMDK", "ContainerFormat": "ova"}
        code_of(
            root.client("ec2").create_instance_export_task,
            InstanceId=instance,
            TargetEnvironment="vmware",
            ExportToS3Task=ask,
            Description="CHG-1234",
        )
        assert record_of(root, "CreateInstanceExportTask")["requestParameters"] == {
            "instanceId": instance,
            "targetEnvironment": "vmware",
            "description": "CHG-1234",
            "exportToS3": {"s3Bucket": "b", "s3Prefix": "vm/", "diskImageFormat": "VMDK", "containerFormat": "ova"},
        }

    def test_the_image_exports_are_written_wrapped(self, root):
        ec2 = root.client("ec2")
        code_of(
            ec2.export_image,
            ImageId="ami-1",
            DiskImageFormat="VMDK",
            S3ExportLocation={"S3Bucket": "b", "S3Prefix": "p/"},
        )
        code_of(ec2.create_store_image_task, ImageId="ami-1", Bucket="b")
        export = record_of(root, "ExportImage")["requestParameters"]["ExportImageRequest"]
        assert export.pop("ClientToken")
        assert export == {
            "ImageId": "ami-1",
            "DiskImageFormat": "VMDK",
            "S3ExportLocation": {"S3Bucket": "b", "S3Prefix": "p/"},
        }
        store = record_of(root, "CreateStoreImageTask")["requestParameters"]
        assert store == {"CreateStoreImageTaskRequest": {"ImageId": "ami-1", "Bucket": "b"}}

    def test_sharing_a_snapshot_is_written_as_real_records_are(self, root):
        ec2 = root.client("ec2")
        volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
        snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        ec2.modify_snapshot_attribute(
            SnapshotId=snapshot, Attribute="createVolumePermission", OperationType="add", UserIds=[FOREIGN]
        )
        ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={"Add": [{"UserId": "210987654321"}]})
        made = record_of(root, "ModifySnapshotAttribute")
        assert made["requestParameters"]["createVolumePermission"] == {"add": {"items": [{"userId": "210987654321"}]}}
        assert made["requestParameters"]["attributeType"] == "CREATE_VOLUME_PERMISSION"
        assert made["responseElements"] == {"requestId": made["requestID"], "_return": True}

    def test_secrets_are_never_written(self, root):
        alice = root.user("alice", policy({}))
        root.client("iam").create_login_profile(UserName="alice", Password="correct-horse")
        arn = root.role("build", trust({"AWS": PRODUCTION}), policy({}))
        session = alice.assume(arn)
        everything = json.dumps(root.lab.events())
        for secret in (alice.key.secret_access_key, session.key.secret_access_key, "correct-horse"):
            assert secret not in everything
        assert (
            record_of(root, "CreateAccessKey")["responseElements"]["accessKey"]["accessKeyId"]
            == alice.key.access_key_id
        )

    def test_the_key_of_a_session_leads_back_to_who_assumed_it(self, root, lab):
        arn = root.role("open", trust({"AWS": FOREIGN}), policy({}))
        stranger = As(lab, lab.root_key(FOREIGN)).user("may", policy({}))
        session = stranger.assume(arn, "visit")
        theirs, ours = record_of(As(lab, lab.root_key(FOREIGN)), "AssumeRole"), record_of(root, "AssumeRole")
        assert ours["responseElements"]["credentials"]["accessKeyId"] == session.key.access_key_id
        assert ours["userIdentity"] == {
            "type": "AWSAccount",
            "principalId": theirs["userIdentity"]["principalId"],
            "accountId": FOREIGN,
        }
        assert theirs["userIdentity"]["accessKeyId"] == stranger.key.access_key_id
        assert theirs["sharedEventID"] == ours["sharedEventID"]
        assert theirs["eventID"] != ours["eventID"]
        assert (theirs["recipientAccountId"], ours["recipientAccountId"]) == (FOREIGN, PRODUCTION)

    def test_a_refused_assume_role_tells_no_parameters(self, root):
        alice = root.user("alice", policy({}))
        arn = root.role("closed", trust({"AWS": FOREIGN}), policy({}))
        code_of(alice.client("sts").assume_role, RoleArn=arn, RoleSessionName="x1")
        made = record_of(root, "AssumeRole")
        assert (made["errorCode"], made["requestParameters"]) == ("AccessDenied", None)
        assert arn in made["errorMessage"]

    def test_a_bucket_policy_is_written_with_what_it_says(self, root):
        s3 = root.client("s3")
        s3.create_bucket(Bucket="exports")
        document = json.loads(
            policy({"Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::exports/*"})
        )
        s3.delete_public_access_block(Bucket="exports")
        s3.put_bucket_policy(Bucket="exports", Policy=json.dumps(document))
        s3.put_public_access_block(
            Bucket="exports", PublicAccessBlockConfiguration={"BlockPublicAcls": True, "IgnorePublicAcls": True}
        )
        asked = record_of(root, "PutBucketPolicy")["requestParameters"]
        assert (asked["bucketName"], asked["bucketPolicy"]) == ("exports", document)
        block = record_of(root, "PutBucketPublicAccessBlock")["requestParameters"]
        assert block["PublicAccessBlockConfiguration"]["BlockPublicAcls"] == "true"


def test_a_rule_that_watches_for_a_call_really_fires(root, lab):
    sqs, events = root.client("sqs"), root.client("events")
    queue = sqs.create_queue(QueueName="watch")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "source": ["aws.ec2"],
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {"eventName": ["CreateInstanceExportTask"]},
    }
    events.put_rule(Name="watch", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="watch", Targets=[{"Id": "1", "Arn": arn}])
    root.client("ec2").create_security_group(GroupName="g", Description="d")
    code_of(
        root.client("ec2").create_instance_export_task,
        InstanceId="i-0123456789abcdef0",
        TargetEnvironment="vmware",
        ExportToS3Task={"S3Bucket": "b"},
    )
    lab.deliver()
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert [json.loads(m["Body"])["detail"]["eventName"] for m in messages] == ["CreateInstanceExportTask"]
