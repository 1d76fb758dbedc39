"""`events.watch-exports`: an EventBridge rule for the export APIs and for changes of who may read a bucket.

In the account and Region of the export, on the default bus. It sees what CloudTrail delivers there: write events of a
trail that logs them. Without a target in organization.toml the rule only counts matches, which is said.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from decisions.findings import Findings
from decisions.organization import Organization
from decisions.plan import ActionClass, PlannedAction
from tasks.actions.base import ActionRefused, Clients, State
from tasks.actions.inline_policy import canonical
from tasks.actions.settled import Look
from tasks.actions.state_change import StateChange
from tasks.actions.suspects import exports_evidence

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient

RULE = "VMExportResponseWatch"
DESCRIPTION = "VM exports, image and snapshot sharing, and changes of who may read a bucket (ec2-vm-export-response)."
PATTERN = canonical(
    {
        "source": ["aws.ec2", "aws.s3"],
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {
            "eventSource": ["ec2.amazonaws.com", "s3.amazonaws.com"],
            "eventName": [
                "CreateInstanceExportTask",
                "ExportImage",
                "CreateStoreImageTask",
                "CancelExportTask",
                "ModifyImageAttribute",
                "ModifySnapshotAttribute",
                "PutBucketPolicy",
                "DeleteBucketPolicy",
                "PutBucketAcl",
                "PutBucketOwnershipControls",
                "DeleteBucketOwnershipControls",
                "PutBucketPublicAccessBlock",
                "DeleteBucketPublicAccessBlock",
                "PutAccountPublicAccessBlock",
                "DeleteAccountPublicAccessBlock",
                "PutBucketReplication",
                "PutBucketLogging",
                "PutBucketVersioning",
                "PutBucketLifecycle",
            ],
        },
    }
)
"""CloudTrail's event names, which differ from IAM's action names (`PutBucketLifecycle`)."""
ABSENT: State = {"pattern": None, "state": None, "targets": []}


class WatchExports(StateChange):
    """Put the rule and its target; revert takes away what was not there."""

    kind = "events.watch-exports"
    action_class = ActionClass.REVERSIBLE
    gate = "recovery"
    order = 30
    step = "recovery.2a"
    tier = "respond"
    permissions = (
        "events:DescribeRule",
        "events:PutRule",
        "events:DeleteRule",
        "events:ListTargetsByRule",
        "events:PutTargets",
        "events:RemoveTargets",
    )

    def plan(self, findings: Findings, organization: Organization, now: datetime) -> tuple[PlannedAction, ...]:
        places = dict.fromkeys((e.event.recipient_account, e.event.region) for e in findings.exports)
        done = {r.action_id for r in findings.receipts if r.verification.verified}
        planned = (
            self._for_place(account, region, findings, organization)
            for account, region in places
            if account and region and organization.owns(account)
        )
        return tuple(a for a in planned if a.id not in done)

    def _for_place(self, account: str, region: str, findings: Findings, organization: Organization) -> PlannedAction:
        target = organization.monitoring_target
        arn = target.format(account=account, region=region) if target else None
        told = f"Matches go to {arn}" if arn else "No target is set in organization.toml: matches are only counted"
        return self.propose(
            target=f"{account}/{region}/{RULE}",
            account=account,
            region=region,
            reason="the next export, and the next opening of a bucket, should be seen within minutes",
            evidence=exports_evidence(findings),
            fact=f"the EventBridge rules of {account} in {region} can be read",
            state={"rule": "not read at planning; what stands under that name is kept for the way back"},
            after={"pattern": PATTERN, "state": "ENABLED", "targets": [arn] if arn else []},
            inverse="Removes the rule and its target, or puts back what stood under that name.",
            blast_radius=f"Nobody is hindered: the rule only watches. {told}.",
            parameters={"target": arn},
        )

    def relevant(self, action: PlannedAction, state: State) -> Any:
        """That the rules can be read at all: findings do not hold what stands there, and revert puts it back."""
        return {"readable": True}

    def read(self, aws: Clients, action: PlannedAction) -> State:
        events = self._events(aws, action)
        try:
            rule = events.describe_rule(Name=RULE)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ResourceNotFoundException":
                raise
            return ABSENT
        targets = events.list_targets_by_rule(Rule=RULE)["Targets"]
        pattern = canonical(json.loads(rule.get("EventPattern") or "null"))
        return {"pattern": pattern, "state": rule.get("State"), "targets": sorted(t["Arn"] for t in targets)}

    def wanted(self, action: PlannedAction, state: State) -> State:
        arn: str | None = action.parameters["target"]
        targets = sorted({*state["targets"], arn} if arn else state["targets"])
        return {"pattern": PATTERN, "state": "ENABLED", "targets": targets}

    def write(self, aws: Clients, action: PlannedAction, current: State, target: State) -> tuple[str, ...]:
        events = self._events(aws, action)
        requests: list[str] = []
        gone = [arn for arn in current["targets"] if arn not in target["targets"]]
        if gone:
            ids = [t["Id"] for t in events.list_targets_by_rule(Rule=RULE)["Targets"] if t["Arn"] in gone]
            requests.append(_accepted(action, events.remove_targets(Rule=RULE, Ids=ids)))
        if target == ABSENT:
            requests.append(events.delete_rule(Name=RULE)["ResponseMetadata"]["RequestId"])
            return tuple(requests)
        if (current["pattern"], current["state"]) != (target["pattern"], target["state"]):
            answer = events.put_rule(
                Name=RULE, EventPattern=target["pattern"], State=target["state"], Description=DESCRIPTION
            )
            requests.append(answer["ResponseMetadata"]["RequestId"])
        new = [arn for arn in target["targets"] if arn not in current["targets"]]
        if new:
            answer = events.put_targets(Rule=RULE, Targets=[{"Id": _target_id(arn), "Arn": arn} for arn in new])
            requests.append(_accepted(action, answer))
        return tuple(requests)

    def effects(self, aws: Clients, action: PlannedAction) -> Sequence[Look]:
        return ()

    def _events(self, aws: Clients, action: PlannedAction) -> EventBridgeClient:
        return aws.client("events", account=action.account, tier=self.tier, region=action.region)


def _target_id(arn: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in arn)[-64:]


def _accepted(action: PlannedAction, answer: Any) -> str:
    """The request id. EventBridge answers 200 and lists what it refused."""
    if answer.get("FailedEntryCount"):
        why = "; ".join(str(entry.get("ErrorMessage")) for entry in answer.get("FailedEntries", []))
        raise ActionRefused(f"{action.id}: EventBridge refused a target: {why}. Correct monitoring_target.")
    return answer["ResponseMetadata"]["RequestId"]


ACTION = WatchExports()
