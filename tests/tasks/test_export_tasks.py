"""Export tasks as EC2 words its answers: AWS's own samples, with what they leave out."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from decisions.export import ExportApi
from tasks import ec2
from tasks.reading import NotThere

HERE = ("111122223333", "us-east-1")
INSTANCE = {
    "ExportTaskId": "export-i-021345abcdef6789",
    "State": "active",
    "InstanceExportDetails": {"TargetEnvironment": "vmware"},
    "ExportToS3Task": {
        "DiskImageFormat": "vmdk", "ContainerFormat": "ova", "S3Bucket": "example-drop",
        "S3Key": "vms/export-i-021345abcdef6789.ova",
    },
}  # fmt: skip
IMAGE = {
    "ExportImageTaskId": "export-ami-1234567890abcdef0", "Progress": "21", "Status": "active", "StatusMessage": "updating",
    "S3ExportLocation": {"S3Bucket": "example-drop", "S3Prefix": "exports/"},
}  # fmt: skip
STORE = {
    "AmiId": "ami-1234567890abcdef0", "Bucket": "example-drop/a/b", "ProgressPercentage": 17,
    "S3objectKey": "a/b/ami-1234567890abcdef0.bin", "StoreTaskState": "InProgress",
}  # fmt: skip


class Answers:
    """Implements `Clients` with one EC2 client whose answers are given."""

    def __init__(self, operation, answer, asked=None):
        self.ec2 = boto3.client("ec2", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        self.stub = Stubber(self.ec2)
        self.stub.add_response(operation, answer, asked)
        self.stub.activate()

    def client(self, service, *, account, tier, region=None):
        assert (service, account, tier, region) == ("ec2", HERE[0], "read", HERE[1])
        return self.ec2


def test_an_instance_task_has_its_exact_key_even_where_ec2_leaves_out_the_instance():
    asked = {"ExportTaskIds": [INSTANCE["ExportTaskId"]]}
    aws = Answers("describe_export_tasks", {"ExportTasks": [INSTANCE]}, asked)
    task = ec2.export_task.plain(aws, *HERE, ExportApi.INSTANCE, INSTANCE["ExportTaskId"])
    assert (task.object_key, task.bucket, task.instance_id) == (
        "vms/export-i-021345abcdef6789.ova",
        "example-drop",
        None,
    )
    assert (task.disk_format, task.running, task.finished) == ("VMDK", True, False)


def test_an_image_task_has_a_prefix_and_no_key():
    asked = {"ExportImageTaskIds": [IMAGE["ExportImageTaskId"]]}
    aws = Answers("describe_export_image_tasks", {"ExportImageTasks": [IMAGE]}, asked)
    task = ec2.export_task.plain(aws, *HERE, ExportApi.IMAGE, IMAGE["ExportImageTaskId"])
    assert (task.prefix, task.object_key, task.image_id) == ("exports/", None, None)
    assert (task.state, task.status_message, task.progress) == ("active", "updating", "21")


def test_a_store_tasks_bucket_is_split_from_its_path():
    aws = Answers("describe_store_image_tasks", {"StoreImageTaskResults": [STORE]}, {"ImageIds": [STORE["AmiId"]]})
    task = ec2.export_task.plain(aws, *HERE, ExportApi.STORE, STORE["AmiId"])
    assert (task.bucket, task.prefix, task.object_key) == ("example-drop", "a/b/", "a/b/ami-1234567890abcdef0.bin")
    assert (task.task_id, task.progress, task.running) == (STORE["AmiId"], "17", True)


@pytest.mark.parametrize(("api", "operation", "answer"), [
    (ExportApi.INSTANCE, "describe_export_tasks", {"ExportTasks": []}),
    (ExportApi.IMAGE, "describe_export_image_tasks", {"ExportImageTasks": [IMAGE]}),
    (ExportApi.STORE, "describe_store_image_tasks", {"StoreImageTaskResults": []}),
])  # fmt: skip
def test_a_task_that_is_not_in_the_answer_is_not_there(api, operation, answer):
    with pytest.raises(NotThere, match="knows no export task"):
        ec2.export_task.plain(Answers(operation, answer), *HERE, api, "export-i-0aaaaaaaaaaaaaaaa")


def test_every_task_of_a_region_is_listed():
    assert len(ec2.instance_exports.plain(Answers("describe_export_tasks", {"ExportTasks": [INSTANCE]}), *HERE)) == 1
    assert (
        len(ec2.image_exports.plain(Answers("describe_export_image_tasks", {"ExportImageTasks": [IMAGE]}), *HERE)) == 1
    )
    assert (
        len(ec2.stored_images.plain(Answers("describe_store_image_tasks", {"StoreImageTaskResults": [STORE]}), *HERE))
        == 1
    )
