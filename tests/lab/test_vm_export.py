"""Exports go on in time, ask what AWS asks, write under AWS's keys as AWS's owners, and die where AWS lets them die."""

import io
import json
import tarfile
from datetime import UTC, datetime, timedelta

import pytest

from lab.caller import canonical_id
from tests.lab.aws import FOREIGN, PRODUCTION, As, code_of, policy, trust

US = "c4d8eabf8db69dbe46bfe0e517100c554f01200b104d59cd408e777ba442a322"
MILAN = "04636d9a349e458b0c1cbf1421858b9788b4ec28b066148d4907bb15c52b5b9c"
BUCKET = "example-exports"
AMI = "ami-0abcdef1234567890"
VMIE = trust({"Service": "vmie.amazonaws.com"}, StringEquals={"sts:ExternalId": "vmimport"})


def run(root, *, disks=1, encrypted=False, **tags):
    mapping = [
        {"DeviceName": f"/dev/xvd{chr(97 + n)}", "Ebs": {"VolumeSize": 8, "Encrypted": encrypted}} for n in range(disks)
    ]
    named = [
        {
            "ResourceType": "instance",
            "Tags": [{"Key": k.replace("_", ":").replace("0", "-"), "Value": v} for k, v in tags.items()],
        }
    ]
    made = root.client("ec2").run_instances(
        ImageId=AMI,
        MinCount=1,
        MaxCount=1,
        BlockDeviceMappings=mapping,
        **({"TagSpecifications": named} if tags else {}),
    )
    return made["Instances"][0]["InstanceId"]


def open_for_export(s3, bucket=BUCKET, grantee=US, ownership="ObjectWriter"):
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": ownership}]})
    s3.put_bucket_acl(Bucket=bucket, GrantWrite=f'id="{grantee}"', GrantReadACP=f'id="{grantee}"')


def ask(instance, bucket=BUCKET, prefix="vm/", **more):
    to = {"S3Bucket": bucket, "S3Prefix": prefix, "DiskImageFormat": "VMDK", "ContainerFormat": "ova"}
    return {"InstanceId": instance, "TargetEnvironment": "vmware", "ExportToS3Task": to | more}


@pytest.fixture
def instance(root):
    return run(root)


@pytest.fixture
def s3(root):
    client = root.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def ec2(root, s3):
    open_for_export(s3)
    return root.client("ec2")


def state(ec2, task):
    (found,) = ec2.describe_export_tasks(ExportTaskIds=[task])["ExportTasks"]
    return found["State"]


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


class TestImageExports:
    @pytest.fixture
    def image(self, ec2, instance):
        return ec2.create_image(InstanceId=instance, Name="machine")["ImageId"]

    def asked(self, image, **more):
        return {
            "ImageId": image,
            "DiskImageFormat": "VMDK",
            "S3ExportLocation": {"S3Bucket": BUCKET, "S3Prefix": "vm/"},
            **more,
        }

    def test_the_image_leads_back_to_its_instance_and_its_disks(self, ec2, instance, image, root):
        found = ec2.describe_images(ImageIds=[image])["Images"][0]
        assert found["SourceInstanceId"] == instance
        assert [d["Ebs"]["VolumeSize"] for d in found["BlockDeviceMappings"]] == [8]
        event = next(e for e in root.lab.events() if e["eventName"] == "CreateImage")
        assert event["requestParameters"]["instanceId"] == instance
        assert event["responseElements"]["imageId"] == image
        assert code_of(ec2.create_image, InstanceId=instance, Name="machine") == "InvalidAMIName.Duplicate"

    def test_it_needs_the_service_role_with_trust_and_permission(self, root, ec2, image):
        assert code_of(ec2.export_image, **self.asked(image)) == "InvalidParameter"
        root.role("vmimport", trust({"Service": "ec2.amazonaws.com"}), policy({"Action": "s3:*"}))
        assert code_of(ec2.export_image, **self.asked(image)) == "InvalidParameter"
        root.role("other", VMIE, policy({"Action": "s3:GetObject"}))
        assert code_of(ec2.export_image, **self.asked(image, RoleName="other")) == "InvalidParameter"
        root.role("export", VMIE, policy({"Action": "s3:*"}))
        assert code_of(ec2.export_image, **self.asked(image, RoleName="export")) == "ok"

    def test_it_writes_as_the_role_under_its_own_key(self, lab, root, ec2, s3, image):
        root.role("vmimport", VMIE, policy({"Action": "s3:*"}))
        lab.log_data_events(BUCKET)
        made = ec2.export_image(**self.asked(image, Description="CHG-1"))
        task = made["ExportImageTaskId"]
        assert (made["RoleName"], made["Status"]) == ("vmimport", "active")
        assert code_of(ec2.export_image, **self.asked(image)) == "ResourceLimitExceeded"
        lab.shift(timedelta(minutes=31))
        found = ec2.describe_export_image_tasks(ExportImageTaskIds=[task])["ExportImageTasks"][0]
        assert (found["Status"], found["Description"]) == ("completed", "CHG-1")
        assert s3.get_object(Bucket=BUCKET, Key=f"vm/{task}.vmdk")["Body"].read()[:4] == b"KDMV"
        written = next(e for e in lab.events() if e["eventName"] == "PutObject")
        assert written["userIdentity"]["arn"].startswith(f"arn:aws:sts::{PRODUCTION}:assumed-role/vmimport/")
        assumed = next(e for e in lab.events() if e["eventName"] == "AssumeRole")
        assert assumed["userIdentity"] == {"type": "AWSService", "invokedBy": "vmie.amazonaws.com"}

    def test_a_deny_for_the_role_keeps_it_out(self, root, ec2, s3, image):
        arn = root.role("vmimport", VMIE, policy({"Action": "s3:*"}))
        deny = {"Effect": "Deny", "Principal": {"AWS": arn}, "Action": "s3:*", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
        s3.put_bucket_policy(Bucket=BUCKET, Policy=policy(deny))
        assert code_of(ec2.export_image, **self.asked(image)) == "InvalidParameter"

    def test_images_of_others_and_encrypted_ones_are_refused_and_a_dry_run_only_asks_for_permission(
        self, root, ec2, s3
    ):
        root.role("vmimport", VMIE, policy({"Action": "s3:*"}))
        assert code_of(ec2.export_image, **self.asked(AMI)) == "NotExportable"
        secret = ec2.create_image(InstanceId=run(root, encrypted=True), Name="secret")["ImageId"]
        assert code_of(ec2.export_image, **self.asked(secret)) == "NotExportable"
        assert code_of(ec2.export_image, **self.asked(secret), DryRun=True) == "DryRunOperation"
        nobody = root.user("nobody").client("ec2")
        assert code_of(nobody.export_image, **self.asked(secret), DryRun=True) == "UnauthorizedOperation"


class TestStoreTasks:
    ALL = policy({"Action": ["ec2:*", "ebs:*", "s3:*"]})

    @pytest.fixture
    def image(self, ec2, root):
        return ec2.create_image(InstanceId=run(root, disks=2, encrypted=True), Name="machine")["ImageId"]

    def test_it_stores_encrypted_images_whole_under_a_path(self, lab, root, ec2, s3, image):
        alice = root.user("alice", self.ALL)
        key = alice.client("ec2").create_store_image_task(ImageId=image, Bucket=f"{BUCKET}/a/b")["ObjectKey"]
        assert key == f"a/b/{image}.bin"
        (task,) = ec2.describe_store_image_tasks(ImageIds=[image])["StoreImageTaskResults"]
        assert (task["StoreTaskState"], task["S3objectKey"], task["Bucket"]) == ("InProgress", key, f"{BUCKET}/a/b")
        assert code_of(ec2.cancel_export_task, ExportTaskId=image) == "InvalidExportTaskID.NotFound"
        lab.shift(timedelta(minutes=16))
        (task,) = ec2.describe_store_image_tasks(ImageIds=[image])["StoreImageTaskResults"]
        assert (task["StoreTaskState"], task["ProgressPercentage"]) == ("Completed", 100)
        metadata = s3.head_object(Bucket=BUCKET, Key=key)["Metadata"]
        assert (metadata["ami-name"], metadata["ami-owner-account"]) == ("machine", PRODUCTION)
        lab.shift(timedelta(days=32))
        assert ec2.describe_store_image_tasks()["StoreImageTaskResults"] == []

    def test_it_needs_the_callers_own_permissions(self, root, ec2, image):
        for missing in ("ebs:*", "s3:*"):
            actions = [a for a in ("ec2:*", "ebs:*", "s3:*") if a != missing]
            user = root.user(f"no-{missing[:3].strip(':')}", policy({"Action": actions})).client("ec2")
            assert code_of(user.create_store_image_task, ImageId=image, Bucket=BUCKET) == "UnauthorizedOperation"

    def test_it_goes_to_another_account_whose_policy_lets_the_caller_in(self, lab, root, image):
        stranger = As(lab, lab.root_key(FOREIGN)).client("s3")
        stranger.create_bucket(Bucket="example-theirs")
        alice = root.user("alice", self.ALL).client("ec2")
        asked = {"ImageId": image, "Bucket": "example-theirs"}
        assert code_of(alice.create_store_image_task, **asked) == "UnauthorizedOperation"
        allow = {
            "Principal": {"AWS": PRODUCTION},
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::example-theirs/*",
        }
        stranger.put_bucket_policy(Bucket="example-theirs", Policy=policy(allow))
        assert code_of(alice.create_store_image_task, **asked) == "ok"
        lab.finish_task(image)
        assert stranger.list_objects_v2(Bucket="example-theirs")["KeyCount"] == 1

    @pytest.mark.parametrize("cut", ["deny", "bucket"])
    def test_it_dies_when_its_caller_is_cut_or_the_bucket_locked(self, lab, root, ec2, s3, image, cut):
        alice = root.user("alice", self.ALL)
        alice.client("ec2").create_store_image_task(ImageId=image, Bucket=BUCKET)
        if cut == "deny":
            everything = policy({"Effect": "Deny"})
            root.client("iam").put_user_policy(UserName="alice", PolicyName="cut", PolicyDocument=everything)
        else:
            s3.put_bucket_policy(
                Bucket=BUCKET,
                Policy=policy({"Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{PRODUCTION}:user/alice"},
                               "Action": "s3:*", "Resource": f"arn:aws:s3:::{BUCKET}/*"}),
            )  # fmt: skip
        (task,) = ec2.describe_store_image_tasks(ImageIds=[image])["StoreImageTaskResults"]
        assert task["StoreTaskState"] == "Failed"
        assert task["StoreTaskFailureReason"]
        lab.shift(timedelta(hours=1))
        assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


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
