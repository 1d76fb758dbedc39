"""`iam.deactivate-access-key`: turn off every long-term key of the users in the export's chain.

Beside the deny on the user, not instead of it: an inactive key does not end the sessions that were made with it, and a
deny does not show in the key's status, which is what the owner looks at.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from decisions.findings import Findings
from decisions.organization import Organization
from decisions.plan import ActionClass, PlannedAction
from decisions.resources import AccessKey, PrincipalState
from tasks.actions.base import ActionRefused, Clients, State
from tasks.actions.probes import canary_looks
from tasks.actions.settled import Look
from tasks.actions.state_change import StateChange
from tasks.actions.suspects import exports_evidence, suspected

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient


class DeactivateAccessKey(StateChange):
    """Set a key's status to Inactive; revert puts back the status that it had."""

    kind = "iam.deactivate-access-key"
    action_class = ActionClass.REVERSIBLE
    gate = "containment"
    order = 21
    step = "containment.2b"
    tier = "respond"
    permissions = ("iam:ListAccessKeys", "iam:UpdateAccessKey")

    def plan(self, findings: Findings, organization: Organization, now: datetime) -> tuple[PlannedAction, ...]:
        return tuple(
            self._for_key(key, user, findings, organization)
            for user in suspected(findings, organization, "user")
            for key in user.access_keys
            if key.access_key_id.startswith("AKIA") and key.status == "Active"
        )

    def _for_key(
        self, key: AccessKey, user: PrincipalState, findings: Findings, organization: Organization
    ) -> PlannedAction:
        others = [k.access_key_id for k in user.access_keys if k.access_key_id != key.access_key_id]
        return self.propose(
            target=key.access_key_id,
            account=user.account,
            region=organization.home_region,
            reason=f"the key belongs to {user.name}, who is in the chain of identities that made the export",
            evidence=exports_evidence(findings),
            fact=f"access key {key.access_key_id} of {user.name} exists",
            state={"status": key.status},
            after={"status": "Inactive"},
            inverse=f"Sets the key to {key.status} again.",
            blast_radius=f"Whatever signs in with {key.access_key_id} stops: scripts and servers of {user.name} "
            f"included. {f'The user has {len(others)} more key(s).' if others else 'It is the only key of the user.'}",
            parameters={"user": user.name, "principals": [user.arn], "access_key_ids": [key.access_key_id]},
        )

    def read(self, aws: Clients, action: PlannedAction) -> State:
        pages = self._iam(aws, action).get_paginator("list_access_keys").paginate(UserName=action.parameters["user"])
        keys = {key.get("AccessKeyId"): key.get("Status") for page in pages for key in page["AccessKeyMetadata"]}
        return {"status": keys.get(action.target)}

    def wanted(self, action: PlannedAction, state: State) -> State:
        return state if state["status"] is None else {"status": "Inactive"}

    def write(self, aws: Clients, action: PlannedAction, current: State, target: State) -> tuple[str, ...]:
        if current == target:
            return ()
        if current["status"] is None or target["status"] is None:
            raise ActionRefused(
                f"{action.id}: the key is gone, and a deleted key cannot be brought back. Make a new one."
            )
        answer = self._iam(aws, action).update_access_key(
            UserName=action.parameters["user"], AccessKeyId=action.target, Status=target["status"]
        )
        return (answer["ResponseMetadata"]["RequestId"],)

    def effects(self, aws: Clients, action: PlannedAction) -> Sequence[Look]:
        return canary_looks(action)

    def _iam(self, aws: Clients, action: PlannedAction) -> IAMClient:
        return aws.client("iam", account=action.account, tier=self.tier)


ACTION = DeactivateAccessKey()
