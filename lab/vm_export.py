"""The three export APIs of EC2 and what belongs to them, as actions that moto lacks."""

from __future__ import annotations

import importlib
from datetime import timedelta
from typing import Any

from lab import caller as callers
from lab import clock, control, delivery, s3, vm_export_checks, vm_export_source, vm_export_tasks
from lab.errors import AwsError
from lab.install import add_action
from lab.vm_export_tasks import CANCELLING, Kind, Task, finish, new_id, settle

__all__ = ["finish", "install", "settle"]

MINUTES_TAG, BYTES_TAG = "lab:export-minutes", "lab:image-bytes"
"""Tags of an instance that say how long its exports take, and how large the image is."""
FORMATS = {"vmware": "vmdk", "citrix": "vhd", "microsoft": "vhd"}
CONCURRENT = 20
"""Running tasks per account and Region: the quota after a raise (five without)."""
STORES_REMEMBERED = timedelta(days=31)


def install() -> None:
    """Give moto's EC2 the export APIs, and its images their source."""
    from moto.ec2.responses import EC2Response

    for operation, method in ACTIONS.items():
        add_action(EC2Response, operation, method)
    vm_export_source.install()
    s3.before_each_call(settle)
    control.ROUTES["POST", "/lab/stage"] = _stage


def _stage(asked: dict[str, Any]) -> dict[str, Any]:
    """POST /lab/stage {"image_bytes", "export_minutes", "data_events"}: the organisation as seeded, for the next story."""
    return importlib.import_module("lab.organization").stage(delivery.directory(), **asked)


# ---- instance exports


def _create_instance_export_task(self: Any) -> Any:
    account, region = self.current_account, self.region
    to = self._get_param("ExportToS3Task") or {}
    target = str(self._get_param("TargetEnvironment", "")).lower()
    if target not in FORMATS:
        raise AwsError("InvalidParameterValue", f"Invalid target environment: {target}")
    disk = _format(to.get("DiskImageFormat") or FORMATS[target])
    container = str(to.get("ContainerFormat") or "").lower() or None
    if container not in (None, "ova") or (container and disk != "vmdk"):
        raise AwsError("InvalidParameterValue", f"Invalid container format {container} for disk format {disk}")
    found = vm_export_checks.instance(account, region, self._get_param("InstanceId"))
    identifier = new_id("export-i-")
    key = f"{to.get('S3Prefix') or ''}{identifier}.{container or disk}"
    bucket = vm_export_checks.own_bucket(account, region, str(to.get("S3Bucket")))
    vm_export_checks.granted(bucket, key, region)
    task = _begin(self, "instance", identifier, bucket.name, key, found)
    task.disk_format, task.container = disk, container
    return _result({"ExportTask": _export_task(task)})


def _export_task(task: Task) -> dict[str, Any]:
    asked, now = task.asked, clock.now()
    state = {None: "active", "completed": "completed"}.get(task.ending, "cancelled")
    if task.ending == "cancelled" and task.ended is not None and now < task.ended + CANCELLING:
        state = "cancelling"
    return {
        "ExportTaskId": task.id,
        "Description": asked.get("Description"),
        "State": state,
        "StatusMessage": task.message or ("Running" if task.running else None),
        "InstanceExportDetails": {
            "InstanceId": asked["InstanceId"],
            "TargetEnvironment": asked["TargetEnvironment"],
        },
        "ExportToS3Task": {
            "DiskImageFormat": task.disk_format,
            "ContainerFormat": task.container,
            "S3Bucket": task.bucket,
            "S3Key": task.key,
        },
        "Tags": _tags(asked, "export-instance-task"),
    }


def _describe_export_tasks(self: Any) -> Any:
    tasks = vm_export_tasks.of(self.current_account, self.region, "instance")
    chosen = _by_id(tasks, self._get_param("ExportTaskIds") or [], "InvalidExportTaskID.NotFound")
    shown = [_export_task(task) for task in chosen]
    fields = {
        "export-task-id": lambda t: t["ExportTaskId"],
        "state": lambda t: t["State"],
        "task-state": lambda t: t["State"],
        "instance-id": lambda t: t["InstanceExportDetails"]["InstanceId"],
        "s3-bucket": lambda t: t["ExportToS3Task"]["S3Bucket"],
    }
    return _result({"ExportTasks": _filtered(self, shown, fields)})


# ---- image exports


def _export_image(self: Any) -> Any:
    self.error_on_dryrun()
    account, region = self.current_account, self.region
    to = self._get_param("S3ExportLocation") or {}
    disk = _format(self._get_param("DiskImageFormat"))
    found = vm_export_checks.image(account, region, self._get_param("ImageId"))
    running = [t for t in vm_export_tasks.of(account, region, "image") if t.running and t.asked["ImageId"] == found.id]
    token = self._get_param("ClientToken")
    if again := next((t for t in running if token and t.asked.get("ClientToken") == token), None):
        return _result(_image_task(again) | {"DiskImageFormat": again.disk_format, "RoleName": _role(again)})
    if running:
        raise AwsError("ResourceLimitExceeded", f"An export of the image {found.id} is running already.")
    identifier = new_id("export-ami-")
    key = f"{to.get('S3Prefix') or ''}{identifier}.{disk}"
    bucket = vm_export_checks.own_bucket(account, region, str(to.get("S3Bucket")))
    role = self._get_param("RoleName") or "vmimport"
    writer = vm_export_checks.import_role(account, region, role, bucket.name, key, identifier)
    task = _begin(self, "image", identifier, bucket.name, key, vm_export_source.instance_of(found))
    task.writer, task.disk_format = writer, disk
    return _result(_image_task(task) | {"DiskImageFormat": disk, "RoleName": role})


def _role(task: Task) -> str:
    return task.asked.get("RoleName") or "vmimport"


def _image_task(task: Task) -> dict[str, Any]:
    done = task.progress(clock.now())
    step = next(word for limit, word in STEPS if done < limit)
    return {
        "ExportImageTaskId": task.id,
        "ImageId": task.asked["ImageId"],
        "Description": task.asked.get("Description"),
        "Progress": str(done) if task.running else None,
        "Status": {None: "active", "completed": "completed"}.get(task.ending, "deleted"),
        "StatusMessage": task.message or (step if task.running else None),
        "S3ExportLocation": {
            "S3Bucket": task.bucket,
            "S3Prefix": (task.asked.get("S3ExportLocation") or {}).get("S3Prefix"),
        },
        "Tags": _tags(task.asked, "export-image-task"),
    }


STEPS = ((10, "validating"), (30, "converting"), (90, "updating"), (101, "exporting"))


def _describe_export_image_tasks(self: Any) -> Any:
    self.error_on_dryrun()
    tasks = vm_export_tasks.of(self.current_account, self.region, "image")
    chosen = _by_id(tasks, self._get_param("ExportImageTaskIds") or [], "InvalidExportImageTaskId.NotFound")
    shown = [_image_task(task) for task in chosen]
    page, token = _page(self, _filtered(self, shown, {"task-state": lambda t: t["Status"]}))
    return _result({"ExportImageTasks": page, "NextToken": token})


def _cancel_export_task(self: Any) -> Any:
    identifier = self._get_param("ExportTaskId")
    tasks = vm_export_tasks.of(self.current_account, self.region, "instance", "image")
    (task,) = _by_id(tasks, [identifier], "InvalidExportTaskID.NotFound")
    vm_export_tasks.cancel(task)
    return _result(None)


# ---- store tasks


def _create_store_image_task(self: Any) -> Any:
    self.error_on_dryrun()
    found = vm_export_checks.image(self.current_account, self.region, self._get_param("ImageId"), encrypted_too=True)
    bucket, _, path = str(self._get_param("Bucket")).partition("/")
    key = f"{path.rstrip('/')}/{found.id}.bin" if path else f"{found.id}.bin"
    task = _task(self, "store", found.id, bucket, key, vm_export_source.instance_of(found))
    task.writer = vm_export_checks.storing_caller()
    vm_export_checks.storable(task, found)
    task.metadata = {
        "ami-name": str(found.name),
        "ami-owner-account": task.account,
        "ami-store-date": task.started.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    vm_export_tasks.keep(task)
    return _result({"ObjectKey": key})


def _describe_store_image_tasks(self: Any) -> Any:
    self.error_on_dryrun()
    tasks = vm_export_tasks.of(self.current_account, self.region, "store")
    tasks = [t for t in tasks if t.started > clock.now() - STORES_REMEMBERED]
    wanted = self._get_param("ImageIds") or []
    shown = [_store_task(t) for t in tasks if not wanted or t.id in wanted]
    fields = {"task-state": lambda t: t["StoreTaskState"], "bucket": lambda t: t["Bucket"].partition("/")[0]}
    page, token = _page(self, shown if wanted else _filtered(self, shown, fields))
    return _result({"StoreImageTaskResults": page, "NextToken": token})


def _store_task(task: Task) -> dict[str, Any]:
    return {
        "AmiId": task.id,
        "TaskStartTime": task.started,
        "Bucket": task.asked["Bucket"],
        "S3objectKey": task.key,
        "ProgressPercentage": task.progress(clock.now()),
        "StoreTaskState": {None: "InProgress", "completed": "Completed"}.get(task.ending, "Failed"),
        "StoreTaskFailureReason": task.message,
    }


# ---- common to them


def _begin(self: Any, kind: Kind, identifier: str, bucket: str, key: str, instance: Any) -> Task:
    running = [t for t in vm_export_tasks.of(self.current_account, self.region, "instance", "image") if t.running]
    if len(running) >= CONCURRENT:
        raise AwsError("ResourceLimitExceeded", f"You have exceeded the limit of {CONCURRENT} concurrent export tasks.")
    return vm_export_tasks.keep(_task(self, kind, identifier, bucket, key, instance))


def _task(self: Any, kind: Kind, identifier: str, bucket: str, key: str, instance: Any) -> Task:
    tags = self.ec2_backend.tags.get(instance.id, {}) if instance is not None else {}
    minutes, size = tags.get(MINUTES_TAG), tags.get(BYTES_TAG)
    usual_size, usual_time = vm_export_tasks.configured(self.current_account, self.region, kind)
    names = ("InstanceId", "TargetEnvironment", "Description", "ImageId", "S3ExportLocation", "RoleName", "ClientToken")
    names += ("Bucket", "S3ObjectTags", "TagSpecifications")
    return Task(
        kind=kind,
        id=identifier,
        account=self.current_account,
        region=self.region,
        bucket=bucket,
        key=key,
        writer=vm_export_checks.service_account(self.region) if kind == "instance" else callers.current(),
        asked={name: self._get_param(name) for name in names if self._get_param(name) is not None},
        started=clock.now(),
        duration=timedelta(minutes=float(minutes)) if minutes else usual_time,
        image_bytes=int(size) if size else usual_size,
    )


def _format(asked: Any) -> str:
    disk = str(asked or "").lower()
    if disk not in ("vmdk", "vhd", "raw"):
        raise AwsError("InvalidParameterValue", f"Invalid disk image format: {asked}")
    return disk


def _result(result: dict[str, Any] | None) -> Any:
    from moto.core.responses import ActionResult, EmptyResult

    return EmptyResult() if result is None else ActionResult(result)


def _tags(asked: dict[str, Any], resource: str) -> list[dict[str, str]]:
    specs = asked.get("TagSpecifications") or []
    return [tag for spec in specs if spec.get("ResourceType") in (None, resource) for tag in spec.get("Tags") or []]


def _by_id(tasks: list[Task], wanted: list[str], code: str) -> list[Task]:
    if missing := [identifier for identifier in wanted if identifier not in {t.id for t in tasks}]:
        raise AwsError(code, f"The export task ID '{missing[0]}' does not exist")
    return [t for t in tasks if not wanted or t.id in wanted]


def _filtered(self: Any, shown: list[dict[str, Any]], fields: dict[str, Any]) -> list[dict[str, Any]]:
    for asked in self._get_param("Filters") or []:
        read = fields.get(asked["Name"])
        if read is None:
            raise AwsError("InvalidParameterValue", f"The filter '{asked['Name']}' is invalid")
        shown = [task for task in shown if read(task) in asked.get("Values", [])]
    return shown


def _page(self: Any, shown: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str | None]:
    start, size = int(self._get_param("NextToken") or 0), int(self._get_param("MaxResults") or 500)
    end = start + size
    return shown[start:end], str(end) if end < len(shown) else None


ACTIONS = {
    "CreateInstanceExportTask": _create_instance_export_task,
    "DescribeExportTasks": _describe_export_tasks,
    "CancelExportTask": _cancel_export_task,
    "ExportImage": _export_image,
    "DescribeExportImageTasks": _describe_export_image_tasks,
    "CreateStoreImageTask": _create_store_image_task,
    "DescribeStoreImageTasks": _describe_store_image_tasks,
}
