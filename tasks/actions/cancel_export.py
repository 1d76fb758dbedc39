"""`ec2.cancel-export`: stop a running export before its image lies in the bucket.

AWS refuses it in the final transfer and once the task is complete: then the image is, or soon will be, in the bucket.
That is said as a failure, so that the plan is made again and holds the copy; nothing else of the plan waits for it.
Store tasks have no cancel API; they die when their caller is cut.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from decisions.evidence import Unknown
from decisions.export import ExportApi
from decisions.findings import ExportFacts, Findings
from decisions.organization import Organization
from decisions.plan import ActionClass, PlannedAction
from decisions.receipt import Receipt, Verification
from tasks.actions.base import Action, ActionRefused, Applied, Clients, State
from tasks.actions.settled import verification

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

CANCELLING = timedelta(minutes=2)
"""How long a task that is being cancelled is watched until it ends; the actor is cut off only after that."""
ENDED = frozenset({"completed", "Completed"})
REFUSALS = frozenset({"IncorrectState", "InvalidParameterValue", "UnsupportedOperation", "TaskAlreadyCompleted"})
"""EC2's answers to cancelling a task that is past cancelling."""


class CancelExport(Action):
    """Cancel a running instance or image export task."""

    kind = "ec2.cancel-export"
    action_class = ActionClass.PREVENTIVE
    gate = "containment"
    order = 10
    step = "containment.1a"
    tier = "respond"
    permissions = ("ec2:DescribeExportTasks", "ec2:DescribeExportImageTasks", "ec2:CancelExportTask")

    def plan(self, findings: Findings, organization: Organization, now: datetime) -> tuple[PlannedAction, ...]:
        proposals = (self._for_export(export, organization) for export in findings.exports)
        return tuple({a.id: a for a in proposals if a is not None}.values())

    def _for_export(self, export: ExportFacts, organization: Organization) -> PlannedAction | None:
        account, region = export.event.recipient_account, export.event.region
        if isinstance(export.task, Unknown) or not account or not region or not organization.owns(account):
            return None
        task = export.task.value
        if task.state != "active" or task.api is ExportApi.STORE:
            return None
        subject = task.instance_id or task.image_id or "the image"
        return self.propose(
            target=task.task_id,
            account=account,
            region=region,
            reason=f"the export of {subject} to s3://{task.bucket} is still running",
            evidence=export.evidence,
            fact=f"export task {task.task_id} writes to {task.bucket}",
            state={"state": task.state, "bucket": task.bucket},
            after={"state": "cancelled", "bucket": task.bucket},
            inverse="A cancelled task cannot be resumed: start the export again. What it has written is removed.",
            blast_radius=f"Only this export. {subject} itself is not touched. AWS refuses it in the final transfer.",
            parameters={"api": task.api.value},
        )

    def relevant(self, action: PlannedAction, state: State) -> State:
        """Where the task writes. That it has ended meanwhile is said in the receipt, and holds nothing else up."""
        return {"bucket": state["bucket"]}

    def read(self, aws: Clients, action: PlannedAction) -> State:
        ec2 = self._ec2(aws, action)
        if action.parameters["api"] == ExportApi.INSTANCE.value:
            tasks: list[Any] = list(ec2.describe_export_tasks(ExportTaskIds=[action.target])["ExportTasks"])
        else:
            answer = ec2.describe_export_image_tasks(ExportImageTaskIds=[action.target])
            tasks = list(answer["ExportImageTasks"])
        if len(tasks) != 1:
            raise ActionRefused(
                f"{action.id}: EC2 describes {len(tasks)} tasks of this id. Look for it in the console."
            )
        place: Any = tasks[0].get("ExportToS3Task") or tasks[0].get("S3ExportLocation") or {}
        return {"state": tasks[0].get("State") or tasks[0].get("Status"), "bucket": place.get("S3Bucket")}

    def reached(self, action: PlannedAction, state: State) -> bool:
        return state["state"] != "active"

    def apply(self, aws: Clients, action: PlannedAction, before: State) -> Applied:
        state = self.read(aws, action)
        if state["state"] in ENDED:
            raise ActionRefused(_ended(action, state))
        if self.reached(action, state):
            return Applied(changed=False, notes=(_ended(action, state),))
        try:
            answer = self._ec2(aws, action).cancel_export_task(ExportTaskId=action.target)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in REFUSALS:
                raise
            raise ActionRefused(
                f"EC2 refuses to cancel {action.target} any more: {error}. Its image will lie in {state['bucket']}, "
                "unless the lock keeps it out: look again, and copy it."
            ) from error
        return Applied(changed=True, request_ids=(answer["ResponseMetadata"]["RequestId"],))

    def verify(self, aws: Clients, action: PlannedAction) -> Verification:
        seen = verification([lambda: self._ended(aws, action)], patience=CANCELLING)
        state = self.read(aws, action)
        if state["state"] in ENDED:
            raise ActionRefused(_ended(action, state))
        return seen

    def revert(self, aws: Clients, action: PlannedAction, receipt: Receipt) -> Verification:
        return Verification(verified=False, probes=(f"{action.id} cannot be taken back: {action.inverse}",))

    def _ended(self, aws: Clients, action: PlannedAction) -> tuple[bool, str]:
        state = self.read(aws, action)
        return state["state"] not in {"active", "cancelling"}, _ended(action, state)

    def _ec2(self, aws: Clients, action: PlannedAction) -> EC2Client:
        return aws.client("ec2", account=action.account, tier=self.tier, region=action.region)


def _ended(action: PlannedAction, state: State) -> str:
    if state["state"] in ENDED:
        return (
            f"{action.target} was completed before it could be cancelled: the image lies in {state['bucket']}. "
            "It needs the copy, and may be deleted after it."
        )
    return f"EC2 describes {action.target} as {state['state']}."


ACTION = CancelExport()
