"""`s3.remove-export-grant`: AWS's export service may not write to the bucket any more, by policy or by ACL.

Before the lock, which has a plan of its own: this one rests on the grants and on nothing else of the bucket.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from decisions.bucket_policy import without_export_grants
from decisions.evidence import Unknown
from decisions.findings import Findings
from decisions.organization import Organization
from decisions.plan import ActionClass, PlannedAction
from decisions.policy import PolicyError
from decisions.resources import BucketState
from tasks.actions.base import ActionRefused, Clients, State
from tasks.actions.bucket_settings import PERMISSIONS, read_settings, settings_of, write_settings
from tasks.actions.bucket_statements import meaning, only_grants
from tasks.actions.settled import Look
from tasks.actions.state_change import StateChange
from tasks.actions.suspects import exports_evidence

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

CHANGED = ("policy", "acl")


class RemoveExportGrant(StateChange):
    """Take the statements and ACL grants for the export service's canonical ids off a bucket."""

    kind = "s3.remove-export-grant"
    action_class = ActionClass.REVERSIBLE
    gate = "containment"
    order = 30
    step = "containment.3a"
    tier = "respond"
    permissions = tuple(permission for part in CHANGED for permission in PERMISSIONS[part])

    def plan(self, findings: Findings, organization: Organization, now: datetime) -> tuple[PlannedAction, ...]:
        known = (answer.value for answer in findings.buckets.values() if not isinstance(answer, Unknown))
        planned = (self._for_bucket(b, findings) for b in known if organization.owns(b.account))
        return tuple(a for a in planned if a is not None)

    def _for_bucket(self, bucket: BucketState, findings: Findings) -> PlannedAction | None:
        state = settings_of(bucket, *CHANGED)
        statements, grants = only_grants("policy", state["policy"]), only_grants("acl", state["acl"])
        if not statements and not grants:
            return None
        return self.propose(
            target=bucket.bucket,
            account=bucket.account,
            region=bucket.region,
            reason=f"{len(statements)} policy statement(s) and {len(grants)} ACL grant(s) let AWS's export service write to "
            f"{bucket.bucket}",
            evidence=exports_evidence(findings),
            fact=f"what {bucket.bucket} grants to AWS's export service",
            state=state,
            after=_without(state),
            inverse="Puts the policy and the ACL back exactly as they were.",
            blast_radius=f"No export can write to {bucket.bucket} until the grant is put back: planned migrations to it "
            "fail. Nobody else's access changes.",
        )

    def own(self, part: str, value: Any) -> Any:
        return only_grants(part, value)

    def same(self, one: State, other: State) -> bool:
        return meaning(one) == meaning(other)

    def read(self, aws: Clients, action: PlannedAction) -> State:
        return read_settings(self._s3(aws, action), action.target, action.account, *CHANGED)

    def wanted(self, action: PlannedAction, state: State) -> State:
        try:
            return _without(state)
        except PolicyError as error:
            raise ActionRefused(f"{action.id}: {error}") from error

    def write(self, aws: Clients, action: PlannedAction, current: State, target: State) -> tuple[str, ...]:
        return write_settings(self._s3(aws, action), action.target, action.account, current, target, CHANGED)

    def effects(self, aws: Clients, action: PlannedAction) -> Sequence[Look]:
        return ()

    def _s3(self, aws: Clients, action: PlannedAction) -> S3Client:
        return aws.client("s3", account=action.account, tier=self.tier, region=action.region)


def _without(state: State) -> State:
    grants = only_grants("acl", state["acl"])
    acl = state["acl"] | {"grants": [g for g in state["acl"]["grants"] if g not in grants]}
    return {"policy": without_export_grants(state["policy"]) if state["policy"] else None, "acl": acl}


ACTION = RemoveExportGrant()
