"""What EC2 says now about instances, images and export tasks: the truth behind an alert."""

from __future__ import annotations

from typing import Any

from decisions.export import ExportApi, ExportTask
from decisions.facts import Image
from decisions.resources import Instance
from tasks.actions.base import Clients
from tasks.reading import NotThere, permissions, read


@read(
    step="triage.2",
    source="ec2:DescribeInstances, ec2:DescribeVolumes",
    permissions=("ec2:DescribeInstances", "ec2:DescribeVolumes"),
)
def instance(aws: Clients, account: str, region: str, instance_id: str) -> Instance:
    """An instance with its tags, profile and volumes; volumes that are gone count as not encrypted.

    EC2 forgets a terminated instance within about an hour. Raises ClientError, NotThere.
    """
    ec2 = aws.client("ec2", account=account, tier="read", region=region)
    found = [i for r in ec2.describe_instances(InstanceIds=[instance_id])["Reservations"] for i in r["Instances"]]
    if not found:
        raise NotThere(f"{account}/{region} has no instance {instance_id}: it may have been terminated.")
    said = found[0]
    volumes = tuple(d["Ebs"]["VolumeId"] for d in said.get("BlockDeviceMappings", []) if "Ebs" in d)
    by_id = [{"Name": "volume-id", "Values": list(volumes)}]  # a filter, because ids that are gone are an error
    known = ec2.describe_volumes(Filters=by_id)["Volumes"] if volumes else []
    return Instance(
        instance_id=said["InstanceId"],
        account=account,
        region=region,
        state=said["State"]["Name"],
        tags=_tags(said),
        image_id=said.get("ImageId"),
        instance_type=said.get("InstanceType"),
        launched_at=said.get("LaunchTime"),
        profile_arn=said.get("IamInstanceProfile", {}).get("Arn"),
        volumes=volumes,
        encrypted_volumes=tuple(sorted(v["VolumeId"] for v in known if v["Encrypted"])),
        private_address=said.get("PrivateIpAddress"),
        public_address=said.get("PublicIpAddress"),
    )


@read(step="investigation.1a", source="ec2:DescribeImages", permissions=("ec2:DescribeImages",))
def image(aws: Clients, account: str, region: str, image_id: str) -> Image:
    """An AMI that the account may see, and the instance that EC2 says it was made from. Raises ClientError, NotThere."""
    ec2 = aws.client("ec2", account=account, tier="read", region=region)
    found = ec2.describe_images(ImageIds=[image_id])["Images"]
    if not found:
        raise NotThere(f"{account}/{region} has no image {image_id}: it may have been deregistered.")
    said = found[0]
    disks = [d["Ebs"] for d in said.get("BlockDeviceMappings", []) if "Ebs" in d]
    return Image(
        image_id=said["ImageId"],
        owner=said["OwnerId"],
        name=said.get("Name"),
        description=said.get("Description"),
        created_at=said.get("CreationDate"),
        public=said["Public"],
        source_instance_id=said.get("SourceInstanceId"),
        source_image_id=said.get("SourceImageId"),
        snapshots=tuple(d["SnapshotId"] for d in disks if d.get("SnapshotId")),
        encrypted=any(d.get("Encrypted", False) for d in disks),
        tags=_tags(said),
    )


@read(
    step="triage.1",
    source="ec2:DescribeExportTasks, ec2:DescribeExportImageTasks, ec2:DescribeStoreImageTasks",
    permissions=("ec2:DescribeExportTasks", "ec2:DescribeExportImageTasks", "ec2:DescribeStoreImageTasks"),
)
def export_task(aws: Clients, account: str, region: str, api: str, task_id: str) -> ExportTask:
    """One export task as EC2 describes it; for store tasks `task_id` is the image id.

    EC2 keeps store tasks for 31 days. Raises ClientError, NotThere.
    """
    ec2 = aws.client("ec2", account=account, tier="read", region=region)
    if api == ExportApi.INSTANCE:
        found = [_instance_task(t) for t in ec2.describe_export_tasks(ExportTaskIds=[task_id])["ExportTasks"]]
    elif api == ExportApi.IMAGE:
        said = ec2.describe_export_image_tasks(ExportImageTaskIds=[task_id])["ExportImageTasks"]
        found = [_image_task(t) for t in said]
    else:
        said = ec2.describe_store_image_tasks(ImageIds=[task_id])["StoreImageTaskResults"]
        found = [_store_task(t) for t in said]
    task = next((t for t in found if t.task_id == task_id), None)
    if task is None:
        raise NotThere(f"{account}/{region} knows no export task {task_id}: EC2 has forgotten it, or it never began.")
    return task


@read(step="investigation.3d", source="ec2:DescribeExportTasks", permissions=("ec2:DescribeExportTasks",))
def instance_exports(aws: Clients, account: str, region: str) -> tuple[ExportTask, ...]:
    """Every export task of instances that EC2 still knows in an account and Region. Raises ClientError."""
    ec2 = aws.client("ec2", account=account, tier="read", region=region)
    return tuple(_instance_task(t) for t in ec2.describe_export_tasks()["ExportTasks"])  # EC2 does not page it


@read(step="investigation.3d", source="ec2:DescribeExportImageTasks", permissions=("ec2:DescribeExportImageTasks",))
def image_exports(aws: Clients, account: str, region: str) -> tuple[ExportTask, ...]:
    """Every export task of images. Raises ClientError."""
    ec2 = aws.client("ec2", account=account, tier="read", region=region)
    pages = ec2.get_paginator("describe_export_image_tasks").paginate()
    return tuple(_image_task(t) for page in pages for t in page["ExportImageTasks"])


@read(step="investigation.3d", source="ec2:DescribeStoreImageTasks", permissions=("ec2:DescribeStoreImageTasks",))
def stored_images(aws: Clients, account: str, region: str) -> tuple[ExportTask, ...]:
    """Every store image task of the last 31 days. Raises ClientError."""
    ec2 = aws.client("ec2", account=account, tier="read", region=region)
    pages = ec2.get_paginator("describe_store_image_tasks").paginate()
    return tuple(_store_task(t) for page in pages for t in page["StoreImageTaskResults"])


def _instance_task(said: Any) -> ExportTask:
    to, what = said["ExportToS3Task"], said.get("InstanceExportDetails", {})
    return ExportTask(
        task_id=said["ExportTaskId"],
        api=ExportApi.INSTANCE,
        state=said["State"],
        status_message=said.get("StatusMessage"),
        instance_id=what.get("InstanceId"),  # EC2 leaves it out of some active tasks
        bucket=to["S3Bucket"],
        object_key=to.get("S3Key"),
        disk_format=_upper(to.get("DiskImageFormat")),
        container_format=to.get("ContainerFormat"),
        description=said.get("Description"),
    )


def _image_task(said: Any) -> ExportTask:
    to = said["S3ExportLocation"]
    return ExportTask(
        task_id=said["ExportImageTaskId"],
        api=ExportApi.IMAGE,
        state=said["Status"],
        status_message=said.get("StatusMessage"),
        progress=said.get("Progress"),
        image_id=said.get("ImageId"),
        bucket=to["S3Bucket"],
        prefix=to.get("S3Prefix"),
        disk_format=_upper(said.get("DiskImageFormat")),
        description=said.get("Description"),
    )


def _store_task(said: Any) -> ExportTask:
    bucket, _, path = said["Bucket"].partition("/")
    progress = said.get("ProgressPercentage")
    return ExportTask(
        task_id=said["AmiId"],
        api=ExportApi.STORE,
        state=said["StoreTaskState"],
        status_message=said.get("StoreTaskFailureReason"),
        progress=None if progress is None else str(progress),
        image_id=said["AmiId"],
        bucket=bucket,
        prefix=f"{path.rstrip('/')}/" if path else None,
        object_key=said.get("S3objectKey"),
    )


def _tags(said: Any) -> dict[str, str]:
    return {t["Key"]: t["Value"] for t in said.get("Tags", [])}


def _upper(text: str | None) -> str | None:
    return text.upper() if text else None


PERMISSIONS = permissions(__name__)
