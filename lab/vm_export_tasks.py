"""Export and store tasks as they go on in time: what state they are in by the lab's clock, and what they write at the end."""

from __future__ import annotations

import contextvars
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import RLock
from typing import Any, Literal

from lab import clock, credentials, s3_service_writes, sts, vm_export_image
from lab.caller import Caller
from lab.errors import AwsError

Kind = Literal["instance", "image", "store"]
Ending = Literal["completed", "cancelled", "failed"]

DURATION: dict[Kind, timedelta] = {
    "instance": timedelta(minutes=40),
    "image": timedelta(minutes=30),
    "store": timedelta(minutes=15),
}
"""How long a task takes, where the instance has no tag that says otherwise."""
FINAL_TRANSFER = timedelta(minutes=2)
"""The end of a task, in which it cannot be cancelled any more."""
CANCELLING = timedelta(seconds=2)
VMIE = "vmie.amazonaws.com"


@dataclass
class Task:
    """One task; `asked` are the parameters of the call that began it, in the API's names."""

    kind: Kind
    id: str
    """`export-i-…`, `export-ami-…`; of a store task the image's id."""
    account: str
    region: str
    bucket: str
    key: str
    writer: Caller
    """As whom the service writes; a role is assumed anew for it."""
    asked: dict[str, Any]
    started: datetime
    duration: timedelta
    image_bytes: int
    disk_format: str = ""
    container: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    ended: datetime | None = None
    ending: Ending | None = None
    message: str | None = None

    @property
    def due(self) -> datetime:
        return self.started + self.duration

    @property
    def running(self) -> bool:
        return self.ending is None

    def progress(self, now: datetime) -> int:
        """Percent."""
        if self.ending == "completed":
            return 100
        return max(0, min(99, int(100 * (now - self.started) / self.duration)))

    def in_final_transfer(self, now: datetime) -> bool:
        return now >= self.due - min(FINAL_TRANSFER, self.duration / 4)


_lock = RLock()


def new_id(prefix: str) -> str:
    """`export-i-` with seventeen hex digits."""
    return f"{prefix}{secrets.token_hex(9)[:17]}"


def keep(task: Task) -> Task:
    """Begin a task. It lives on moto's EC2 backend, so that a reset forgets it."""
    with _lock:
        _of(task.account, task.region).append(task)
    return task


def of(account: str, region: str, *kinds: Kind) -> list[Task]:
    """The tasks of an account and Region as they are now, oldest first."""
    settle()
    with _lock:
        return [task for task in _of(account, region) if task.kind in kinds]


def configure(account: str, region: str, image_bytes: int, minutes: float) -> None:
    """How large and how long the exports of an account and Region are from now on, until a reset."""
    _backend(account, region).__dict__["lab_export_settings"] = (image_bytes, timedelta(minutes=minutes))


def configured(account: str, region: str, kind: Kind) -> tuple[int, timedelta]:
    """Bytes of the image, and how long the export takes."""
    found: tuple[int, timedelta] | None = _backend(account, region).__dict__.get("lab_export_settings")
    return found or (vm_export_image.DEFAULT_BYTES, DURATION[kind])


def _backend(account: str, region: str) -> Any:
    from moto.ec2.models import ec2_backends

    return ec2_backends[account][region]


def _of(account: str, region: str) -> list[Task]:
    tasks: list[Task] = _backend(account, region).__dict__.setdefault("lab_export_tasks", [])
    return tasks


def _all() -> Iterator[Task]:
    from moto.ec2.models import ec2_backends

    for account in list(ec2_backends):
        for backend in list(ec2_backends[account].values()):
            yield from backend.__dict__.get("lab_export_tasks", ())


def settle() -> None:
    """Let everything that is due by the lab's clock happen: called before whoever could see it."""
    # In a context of its own: what a service does now is no part of the call that happens to look.
    contextvars.Context().run(_settle)


def _settle() -> None:
    now = clock.now()
    with _lock:
        for task in sorted((t for t in _all() if t.running), key=lambda t: t.due):
            if task.kind == "store":
                _fail_where_refused(task, now)
            if task.running and now >= task.due:
                _complete(task)


def finish(task_id: str) -> None:
    """Let a task be due now; KeyError for one that is not there, ValueError for one that has ended."""
    settle()
    with _lock:
        task = next((t for t in reversed(list(_all())) if t.id == task_id), None)
        if task is None:
            raise KeyError(f"no task {task_id}")
        if not task.running:
            raise ValueError(f"{task_id} is {task.ending}")
        task.duration = clock.now() - task.started
    settle()


def cancel(task: Task) -> None:
    """Stop a running task and remove what it has written so far; IncorrectState once it is past that."""
    with _lock:
        if not task.running or task.in_final_transfer(clock.now()):
            state = "is in the process of transferring the final disk image" if task.running else f"is {task.ending}"
            raise AwsError("IncorrectState", f"The export task {task.id} {state} and cannot be cancelled.")
        task.ending, task.ended, task.message = "cancelled", clock.now(), "Cancelled by user"


def abandon() -> None:
    """End whatever still runs, as if it had been cancelled: between two stories."""
    settle()
    with _lock:
        for task in (t for t in list(_all()) if t.running):
            task.ending, task.ended, task.message = "cancelled", clock.now(), "Cancelled by user"


def _complete(task: Task) -> None:
    try:
        writer = _writer(task)
        tags = {t["Key"]: t["Value"] for t in task.asked.get("S3ObjectTags") or []}
        body = _body(task)
        s3_service_writes.put(writer, task.bucket, task.key, body, at=task.due, metadata=task.metadata, tags=tags)
    except AwsError as refused:
        task.ending, task.message = "failed", f"{refused.code}: {refused.message}"
    else:
        task.ending, task.message = "completed", None
    task.ended = task.due


def _fail_where_refused(task: Task, now: datetime) -> None:
    """A store reads snapshots and writes to S3 with the caller's own permissions all the way."""
    try:
        _still_there(task.writer)
        for check in ACCESS_OF_STORES:
            check(task)
    except AwsError as refused:
        task.ending, task.ended, task.message = "failed", now, f"{refused.code}: {refused.message}"


def _still_there(caller: Caller) -> None:
    """The user or role that began it; a role or user that was deleted has no permissions left."""
    backend = credentials.iam(str(caller.account))
    holders = backend.roles if caller.type == "AssumedRole" else backend.users
    identifier = str(caller.principal_id).split(":")[0]
    if caller.type in ("IAMUser", "AssumedRole") and not any(h.id == identifier for h in list(holders.values())):
        raise AwsError("AccessDenied", f"{caller.arn} does not exist any more", 403)


ACCESS_OF_STORES: list[Callable[[Task], object]] = [
    lambda task: s3_service_writes.may_put(task.writer, task.bucket, task.key),
]
"""What has to hold as long as a store runs; lab/vm_export_checks.py adds the snapshots."""


def _writer(task: Task) -> Caller:
    if task.kind != "image":
        return task.writer
    role = str(task.writer.issuer_arn)
    session = sts.assume_by_service(VMIE, role, task.id, task.region, external_id="vmimport")
    return replace(session.caller, invoked_by=VMIE, source_ip=VMIE, user_agent=VMIE)


def _body(task: Task) -> bytes:
    if task.container == "ova":
        return vm_export_image.ova(task.disk_format, task.id, task.image_bytes, task.due)
    return vm_export_image.disk(task.disk_format or "raw", task.id, task.image_bytes)
