"""An export of an EC2 machine image to S3, as CloudTrail tells it and as EC2 knows it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field

from decisions.evidence import Frozen


class ExportApi(StrEnum):
    """The three APIs that start an export; CloudTrail's eventName."""

    INSTANCE = "CreateInstanceExportTask"
    IMAGE = "ExportImage"
    STORE = "CreateStoreImageTask"


class Outcome(StrEnum):
    """What CloudTrail says of the request. `accepted` is not `finished`: the task runs for hours."""

    ACCEPTED = "accepted"
    DENIED = "denied"
    NOT_EXPORTABLE = "not-exportable"
    DRY_RUN = "dry-run"
    FAILED = "failed"


class ExportEvent(Frozen):
    """One export request. Absent fields are None: the alert did not carry them."""

    event_id: str
    api: ExportApi
    outcome: Outcome
    error_code: str | None = None
    event_time: AwareDatetime
    recipient_account: str | None = None
    """Where the instance lives (recipientAccountId)."""
    caller_account: str | None = None
    """Whose identity called (userIdentity.accountId)."""
    region: str | None = None
    principal_type: str | None = None
    principal_arn: str | None = None
    principal_id: str | None = None
    """CloudTrail principalId, ECS user.id: `AIDA…` or `AROA…:session`."""
    issuer_arn: str | None = None
    """The role behind a session."""
    source_identity: str | None = None
    invoked_by: str | None = None
    """The AWS service that called for the principal."""
    access_key_id: str | None = None
    source_address: str | None = None
    user_agent: str | None = None
    instance_id: str | None = None
    image_id: str | None = None
    bucket: str | None = None
    prefix: str | None = None
    disk_format: str | None = None
    container_format: str | None = None
    target_environment: str | None = None
    description: str | None = None
    role_name: str | None = None
    """The service role of ExportImage (default `vmimport`)."""
    task_id: str | None = None
    object_key: str | None = None
    """Exact only if EC2 answered it; see `sources`."""
    alert_id: str | None = None
    alert_rule: str | None = None
    alert_created: AwareDatetime | None = None
    ingested: AwareDatetime | None = None
    sources: dict[str, str] = Field(default_factory=dict)
    """Field name -> where it was read (`flattened`, `event.original`, `string`, `cloudtrail`, `ecs`)."""
    warnings: tuple[str, ...] = ()
    """What looked wrong while decoding (ambiguous map string, refused value)."""

    @property
    def key_prefix(self) -> str | None:
        """What the object's key starts with: `{prefix}{task id}`, for store tasks `{prefix}{image id}`; None if not told.

        The ending is EC2's choice (`.ova` is the container, `.vmdk` the disk format): list, do not guess.
        """
        last = self.image_id if self.api is ExportApi.STORE else self.task_id
        return f"{self.prefix or ''}{last}" if last else None


TaskState = Literal[
    "active", "cancelling", "cancelled", "completed", "deleting", "deleted", "InProgress", "Completed", "Failed"
]


class ExportTask(Frozen):
    """An export task as EC2 describes it now (DescribeExportTasks, DescribeExportImageTasks, DescribeStoreImageTasks)."""

    task_id: str
    """For store tasks, which have no id: the image id."""
    api: ExportApi
    state: str
    status_message: str | None = None
    progress: str | None = None
    instance_id: str | None = None
    image_id: str | None = None
    bucket: str
    prefix: str | None = None
    object_key: str | None = None
    """Exact key when EC2 tells it, else None."""
    disk_format: str | None = None
    container_format: str | None = None
    description: str | None = None

    @property
    def running(self) -> bool:
        """Whether it may still write to the bucket."""
        return self.state in {"active", "cancelling", "InProgress"}

    @property
    def finished(self) -> bool:
        """Whether the image lies in the bucket."""
        return self.state in {"completed", "Completed"}
