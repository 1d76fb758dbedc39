"""`s3.deny-export-writes`: AWS's export service and the role vmimport are denied writing to the bucket for good.

A bucket policy cannot name EC2's APIs; it can refuse who writes for them. The guardrail of the organisation refuses the APIs.
S3 may show the canonical id that was written as the account that it stands for, which is the same principal.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from decisions.access import principals
from decisions.bucket_policy import NO_EXPORT_WRITES, deny_export_writes
from decisions.evidence import Unknown
from decisions.findings import Findings
from decisions.iam_policy import evaluate_resource
from decisions.organization import Organization
from decisions.plan import ActionClass, PlannedAction
from decisions.policy import AccessRequest, Policy, PolicyError
from decisions.policy_document import read_policy, statements, write_policy
from decisions.resources import BucketState
from decisions.vm_export_grantees import EXPORT_SERVICE_IDS, export_service_id
from tasks.actions.base import ActionRefused, Clients, State
from tasks.actions.bucket_settings import PERMISSIONS, read_settings, settings_of, write_settings
from tasks.actions.bucket_statements import meaning, without_ours
from tasks.actions.settled import Look
from tasks.actions.state_change import StateChange
from tasks.actions.suspects import exports_evidence

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

ACCOUNT = r"(arn:aws[\w-]*:iam::)?\d{12}(:root)?"


class DenyExportWrites(StateChange):
    """Add the deny to the bucket's policy; revert puts the policy back."""

    kind = "s3.deny-export-writes"
    action_class = ActionClass.REVERSIBLE
    gate = "recovery"
    order = 20
    step = "recovery.1a"
    tier = "respond"
    permissions = PERMISSIONS["policy"]

    def plan(self, findings: Findings, organization: Organization, now: datetime) -> tuple[PlannedAction, ...]:
        known = (answer.value for answer in findings.buckets.values() if not isinstance(answer, Unknown))
        mine = [b for b in known if organization.owns(b.account) and b.bucket not in organization.approved_buckets]
        planned = (self._for_bucket(bucket, findings) for bucket in mine)
        return tuple(a for a in planned if a is not None)

    def _for_bucket(self, bucket: BucketState, findings: Findings) -> PlannedAction | None:
        state = settings_of(bucket, "policy")
        try:
            after = {"policy": deny_export_writes(bucket.policy, bucket.bucket, bucket.region)}
        except PolicyError as error:
            after = {"policy": f"cannot be written: {error}"}
        if meaning(after) == meaning(state):
            return None
        return self.propose(
            target=bucket.bucket,
            account=bucket.account,
            region=bucket.region,
            reason=f"{bucket.bucket} received an export and is not one of the approved buckets",
            evidence=exports_evidence(findings),
            fact=f"policy of {bucket.bucket}",
            state=state,
            after=after,
            inverse="Puts the policy back exactly as it was.",
            blast_radius=f"No export can be written to {bucket.bucket} any more, approved ones included. "
            "Nobody else's access changes.",
        )

    def own(self, part: str, value: Any) -> Any:
        return without_ours(part, value)

    def same(self, one: State, other: State) -> bool:
        return meaning(_named(one, "the export service")) == meaning(_named(other, "the export service"))

    def read(self, aws: Clients, action: PlannedAction) -> State:
        return read_settings(self._s3(aws, action), action.target, action.account, "policy")

    def wanted(self, action: PlannedAction, state: State) -> State:
        try:
            return {"policy": deny_export_writes(state["policy"], action.target, action.region)}
        except PolicyError as error:
            raise ActionRefused(f"{action.id}: {error}") from error

    def write(self, aws: Clients, action: PlannedAction, current: State, target: State) -> tuple[str, ...]:
        return write_settings(self._s3(aws, action), action.target, action.account, current, target, ("policy",))

    def effects(self, aws: Clients, action: PlannedAction) -> Sequence[Look]:
        return (lambda: self._decided(aws, action),)

    def _decided(self, aws: Clients, action: PlannedAction) -> tuple[bool, str]:
        """What the policy in force decides for the export service."""
        text = _named(self.read(aws, action), export_service_id(action.region))["policy"]
        write = AccessRequest(
            action="s3:PutObject",
            resource=f"arn:aws:s3:::{action.target}/any",
            principal_canonical_id=export_service_id(action.region),
        )
        policy = Policy(id=action.target, type="resource", document=read_policy(text)) if text else None
        denied = policy is not None and evaluate_resource(write, policy).explicit_deny
        return denied, f"The policy in force {'denies' if denied else 'does NOT deny'} writes of the export service."

    def _s3(self, aws: Clients, action: PlannedAction) -> S3Client:
        return aws.client("s3", account=action.account, tier=self.tier, region=action.region)


def _named(state: State, service: str) -> State:
    """The state with `service` as the canonical id of our own statement, also where S3 shows an account in its place.

    Source: S3 user guide, "Principals": "Amazon S3 might change the canonical ID to the corresponding AWS account ID".
    """
    try:
        document = read_policy(state["policy"] or "{}")
    except PolicyError:
        return state
    told = [s | {"Principal": {"CanonicalUser": service}} if _is_for_service(s) else s for s in statements(document)]
    return {"policy": write_policy(document | {"Statement": told}) if told else state["policy"]}


def _is_for_service(statement: dict[str, Any]) -> bool:
    named = principals(statement)
    if statement.get("Sid") != f"{NO_EXPORT_WRITES}Service" or len(named) != 1:
        return False
    return named[0].removeprefix("CanonicalUser:") in EXPORT_SERVICE_IDS or re.fullmatch(ACCOUNT, named[0]) is not None


ACTION = DenyExportWrites()
