"""Images are exported and stored as AWS does it: what is asked of them, under which keys, and how they end."""

from datetime import timedelta

import pytest

from tests.lab.aws import FOREIGN, PRODUCTION, As, code_of, policy, trust
from tests.lab.exported import AMI, BUCKET, VMIE, ec2, instance, run, s3

__all__ = ["ec2", "instance", "s3"]


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
