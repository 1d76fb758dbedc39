"""Exports go on in time, ask what AWS asks, write under AWS's keys as AWS's owners, and die where AWS lets them die."""

import io
import json
import tarfile
from datetime import UTC, datetime, timedelta

import pytest

from lab.caller import canonical_id
from tests.lab.aws import FOREIGN, PRODUCTION, As, code_of, policy
from tests.lab.exported import BUCKET, MILAN, US, VMIE, ask, ec2, instance, open_for_export, run, s3, state

__all__ = ["ec2", "instance", "s3"]


class TestInstanceExports:
    def test_it_is_active_until_its_time_has_come_and_then_the_image_lies_in_the_bucket(self, lab, ec2, s3, instance):
        task = ec2.create_instance_export_task(**ask(instance), Description="CHG-1234")["ExportTask"]
        identifier = task["ExportTaskId"]
        key = f"vm/{identifier}.ova"
        assert task["ExportToS3Task"] == {
            "ContainerFormat": "ova", "DiskImageFormat": "vmdk", "S3Bucket": BUCKET, "S3Key": key,
        }  # fmt: skip
        assert task["InstanceExportDetails"] == {"InstanceId": instance, "TargetEnvironment": "vmware"}
        assert (task["Description"], state(ec2, identifier)) == ("CHG-1234", "active")
        lab.shift(timedelta(minutes=39))
        assert state(ec2, identifier) == "active"
        assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
        lab.shift(timedelta(minutes=5))
        due = lab.now() - timedelta(minutes=4)
        listed = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
        assert [o["Key"] for o in listed] == [key]
        assert abs(listed[0]["LastModified"] - due) < timedelta(seconds=30)
        assert state(ec2, identifier) == "completed"

    def test_an_ova_is_a_tar_of_descriptor_and_disk(self, lab, ec2, s3, instance):
        open_for_export(s3, ownership="BucketOwnerPreferred")
        task = ec2.create_instance_export_task(**ask(instance))["ExportTask"]
        lab.finish_task(task["ExportTaskId"])
        body = s3.get_object(Bucket=BUCKET, Key=task["ExportToS3Task"]["S3Key"])["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(body)) as packed:
            names = packed.getnames()
        assert [n.rpartition(".")[2] for n in names] == ["ovf", "mf", "vmdk"]
        assert 40_000 < len(body) < 80_000

    @pytest.mark.parametrize(
        ("target", "form", "ending"), [("vmware", "VMDK", "vmdk"), ("citrix", None, "vhd"), ("microsoft", "RAW", "raw")]
    )
    def test_without_a_container_the_key_ends_with_the_disk_format(self, ec2, instance, target, form, ending):
        to = {"S3Bucket": BUCKET, "S3Prefix": "RHEL5", **({"DiskImageFormat": form} if form else {})}
        made = ec2.create_instance_export_task(InstanceId=instance, TargetEnvironment=target, ExportToS3Task=to)
        task = made["ExportTask"]
        assert task["ExportToS3Task"]["S3Key"] == f"RHEL5{task['ExportTaskId']}.{ending}"

    def test_tags_of_the_instance_say_how_long_it_takes_and_how_large_it_is(self, lab, root, ec2, s3):
        open_for_export(s3, ownership="BucketOwnerPreferred")
        quick = run(root, lab_export0minutes="5", lab_image0bytes="6000000")
        made = ec2.create_instance_export_task(**ask(quick))["ExportTask"]
        lab.shift(timedelta(minutes=5, seconds=1))
        size = s3.head_object(Bucket=BUCKET, Key=made["ExportToS3Task"]["S3Key"])["ContentLength"]
        assert 6_000_000 < size < 6_100_000

    def test_who_owns_the_image_follows_from_object_ownership(self, lab, root, ec2, s3, instance):
        def exported(ownership):
            open_for_export(s3, ownership=ownership)
            made = ec2.create_instance_export_task(**ask(instance))["ExportTask"]
            lab.finish_task(made["ExportTaskId"])
            return made["ExportToS3Task"]["S3Key"]

        theirs, ours = exported("ObjectWriter"), exported("BucketOwnerPreferred")
        asked = {"Bucket": BUCKET, "Key": theirs}
        assert code_of(s3.get_object, **asked) == "AccessDenied"
        assert code_of(s3.get_object_acl, **asked) == "AccessDenied"
        assert s3.get_object_acl(Bucket=BUCKET, Key=ours)["Owner"]["ID"] == canonical_id(PRODUCTION)
        enforce = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        asked_for = {"Bucket": BUCKET, "OwnershipControls": enforce}
        assert code_of(s3.put_bucket_ownership_controls, **asked_for) == "InvalidBucketAclWithObjectOwnership"
        s3.put_bucket_acl(Bucket=BUCKET, ACL="private")
        s3.put_bucket_ownership_controls(**asked_for)
        assert code_of(s3.get_object, **asked) == "ok"

    def test_it_is_found_by_filters_and_unknown_ids_are_refused(self, root, ec2, instance):
        one = ec2.create_instance_export_task(**ask(instance))["ExportTask"]["ExportTaskId"]
        other = run(root)
        ec2.create_instance_export_task(**ask(other))

        def found(name, value):
            tasks = ec2.describe_export_tasks(Filters=[{"Name": name, "Values": [value]}])["ExportTasks"]
            return [t["ExportTaskId"] for t in tasks]

        assert found("instance-id", instance) == [one]
        assert found("export-task-id", one) == [one]
        assert len(found("state", "active")) == 2
        missing = {"ExportTaskIds": ["export-i-00000000000000000"]}
        assert code_of(ec2.describe_export_tasks, **missing) == "InvalidExportTaskID.NotFound"
        assert code_of(ec2.describe_export_tasks, Filters=[{"Name": "x", "Values": ["y"]}]) == "InvalidParameterValue"


class TestCancelling:
    def test_an_active_task_is_cancelled_and_nothing_is_left(self, lab, ec2, s3, instance):
        task = ec2.create_instance_export_task(**ask(instance))["ExportTask"]["ExportTaskId"]
        lab.shift(timedelta(minutes=30))
        ec2.cancel_export_task(ExportTaskId=task)
        assert state(ec2, task) == "cancelling"
        lab.shift(timedelta(hours=1))
        assert state(ec2, task) == "cancelled"
        assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
        assert code_of(ec2.cancel_export_task, ExportTaskId=task) == "IncorrectState"

    def test_in_the_final_transfer_and_after_it_there_is_no_way_back(self, lab, ec2, instance):
        task = ec2.create_instance_export_task(**ask(instance))["ExportTask"]["ExportTaskId"]
        lab.shift(timedelta(minutes=39))
        assert state(ec2, task) == "active"
        assert code_of(ec2.cancel_export_task, ExportTaskId=task) == "IncorrectState"
        lab.shift(timedelta(minutes=2))
        assert code_of(ec2.cancel_export_task, ExportTaskId=task) == "IncorrectState"
        assert state(ec2, task) == "completed"

    def test_an_image_export_is_cancelled_by_the_same_call(self, lab, root, ec2, s3, instance):
        root.role("vmimport", VMIE, policy({"Action": "s3:*"}))
        image = ec2.create_image(InstanceId=instance, Name="copy")["ImageId"]
        to = {"S3Bucket": BUCKET}
        task = ec2.export_image(ImageId=image, DiskImageFormat="VMDK", S3ExportLocation=to)["ExportImageTaskId"]
        ec2.cancel_export_task(ExportTaskId=task)
        assert ec2.describe_export_image_tasks(ExportImageTaskIds=[task])["ExportImageTasks"][0]["Status"] == "deleted"


class TestWhatIsAskedOfAnInstanceExport:
    @pytest.mark.parametrize(
        ("prepare", "code"),
        [
            (lambda root: run(root, disks=2), "UnsupportedOperation"),
            (lambda root: run(root, encrypted=True), "NotExportable"),
            (lambda root: "i-0123456789abcdef0", "InvalidInstanceID.NotFound"),
            (lambda root: "i-xyz", "InvalidInstanceID.Malformed"),
        ],
        ids=["two disks", "encrypted", "not there", "malformed"],
    )
    def test_of_the_instance(self, root, ec2, prepare, code):
        assert code_of(ec2.create_instance_export_task, **ask(prepare(root))) == code

    def test_a_stopped_instance_can_be_exported_and_a_terminated_one_not(self, ec2, instance):
        ec2.stop_instances(InstanceIds=[instance])
        assert code_of(ec2.create_instance_export_task, **ask(instance)) == "ok"
        ec2.terminate_instances(InstanceIds=[instance])
        assert code_of(ec2.create_instance_export_task, **ask(instance)) == "InvalidInstanceID.NotFound"

    def test_the_bucket_must_be_there_be_ours_and_be_in_the_region(self, root, lab, ec2, s3, instance):
        As(lab, lab.root_key(FOREIGN)).client("s3").create_bucket(Bucket="example-theirs")
        s3.create_bucket(Bucket="example-there", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        open_for_export(s3, "example-there")
        assert code_of(ec2.create_instance_export_task, **ask(instance, "example-none")) == "InvalidParameter"
        assert code_of(ec2.create_instance_export_task, **ask(instance, "example-theirs")) == "AuthFailure"
        assert code_of(ec2.create_instance_export_task, **ask(instance, "example-there")) == "InvalidParameter"

    def test_the_regions_canonical_id_needs_write_and_read_acp(self, root, s3, instance):
        ec2 = root.client("ec2")
        start = {**ask(instance)}
        s3.put_bucket_ownership_controls(
            Bucket=BUCKET, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
        )
        assert code_of(ec2.create_instance_export_task, **start) == "AuthFailure"
        s3.put_bucket_acl(Bucket=BUCKET, GrantWrite=f'id="{US}"')
        assert code_of(ec2.create_instance_export_task, **start) == "AuthFailure"
        open_for_export(s3, grantee=MILAN)
        assert code_of(ec2.create_instance_export_task, **start) == "AuthFailure"
        open_for_export(s3)
        assert code_of(ec2.create_instance_export_task, **start) == "ok"

    def test_a_region_of_its_own_has_a_canonical_id_of_its_own(self, root, s3):
        there = root.elsewhere(region="eu-south-1")
        instance = run(there)
        theirs = there.client("s3")
        theirs.create_bucket(Bucket="example-milan", CreateBucketConfiguration={"LocationConstraint": "eu-south-1"})
        open_for_export(theirs, "example-milan", US)
        asked = ask(instance, "example-milan")
        assert code_of(there.client("ec2").create_instance_export_task, **asked) == "AuthFailure"
        open_for_export(theirs, "example-milan", MILAN)
        assert code_of(there.client("ec2").create_instance_export_task, **asked) == "ok"

    def test_a_bucket_policy_grants_it_too_where_acls_count(self, lab, root, s3, instance):
        ec2 = root.client("ec2")
        resources = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
        allow = {
            "Principal": {"CanonicalUser": US},
            "Action": ["s3:GetBucketAcl", "s3:PutObject", "s3:PutObjectAcl"],
            "Resource": resources,
        }
        s3.put_bucket_policy(Bucket=BUCKET, Policy=policy(allow))
        assert code_of(ec2.create_instance_export_task, **ask(instance)) == "AuthFailure"  # BucketOwnerEnforced
        s3.put_bucket_ownership_controls(
            Bucket=BUCKET, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
        )
        made = ec2.create_instance_export_task(**ask(instance))["ExportTask"]
        lab.finish_task(made["ExportTaskId"])
        assert state(ec2, made["ExportTaskId"]) == "completed"
        deny = {"Effect": "Deny", "Principal": {"CanonicalUser": US}, "Action": "s3:PutObject", "Resource": resources}
        s3.put_bucket_policy(Bucket=BUCKET, Policy=policy(allow, deny))
        assert code_of(ec2.create_instance_export_task, **ask(instance)) == "AuthFailure"

    def test_a_bucket_that_is_locked_meanwhile_gets_no_image(self, lab, ec2, s3, instance):
        task = ec2.create_instance_export_task(**ask(instance))["ExportTask"]["ExportTaskId"]
        s3.put_bucket_acl(Bucket=BUCKET, ACL="private")
        lab.shift(timedelta(hours=1))
        found = ec2.describe_export_tasks(ExportTaskIds=[task])["ExportTasks"][0]
        assert found["State"] == "cancelled"
        assert "AccessDenied" in found["StatusMessage"]
        assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0

    def test_a_key_managed_encryption_is_refused(self, ec2, s3, instance):
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
        s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [rule]})
        assert code_of(ec2.create_instance_export_task, **ask(instance)) == "InvalidParameter"


def test_the_service_shows_in_the_logs_as_the_account_that_it_is(lab, root, s3, ec2, instance):
    lab.log_data_events(BUCKET)
    s3.create_bucket(Bucket="example-logs")
    delivery = {
        "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::example-logs/*",
    }  # fmt: skip
    s3.put_bucket_policy(Bucket="example-logs", Policy=policy(delivery))
    s3.put_bucket_logging(
        Bucket=BUCKET, BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": "example-logs", "TargetPrefix": ""}}
    )
    made = ec2.create_instance_export_task(**ask(instance))["ExportTask"]
    lab.finish_task(made["ExportTaskId"])
    state(ec2, made["ExportTaskId"])
    written = next(e for e in lab.events() if e["eventName"] == "PutObject")
    assert written["visible"] is True
    assert written["userIdentity"]["principalId"] == US
    assert written["requestParameters"]["key"] == made["ExportToS3Task"]["S3Key"]
    assert written["additionalEventData"]["aclRequired"] == "Yes"
    lab.deliver()
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket="example-logs")["Contents"]]
    lines = "".join(s3.get_object(Bucket="example-logs", Key=k)["Body"].read().decode() for k in keys)
    line = next(text for text in lines.splitlines() if "REST.PUT.OBJECT" in text)
    assert f" {US} " in line


def test_an_export_that_was_accepted_tells_task_and_key_in_its_record(root, ec2, instance):
    made = ec2.create_instance_export_task(**ask(instance))["ExportTask"]
    event = next(e for e in root.lab.events() if e["eventName"] == "CreateInstanceExportTask")
    task = event["responseElements"]["exportTask"]
    assert (task["exportTaskId"], task["exportToS3"]["s3Key"]) == (
        made["ExportTaskId"],
        made["ExportToS3Task"]["S3Key"],
    )
    assert json.dumps(event)


def test_a_reset_forgets_the_tasks(lab, root, ec2, instance):
    ec2.create_instance_export_task(**ask(instance))
    lab.reset()
    again = As(lab, lab.root_key(PRODUCTION))
    assert again.client("ec2").describe_export_tasks()["ExportTasks"] == []
    assert lab.now() - datetime.now(UTC) < timedelta(seconds=5)
