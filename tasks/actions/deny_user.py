"""`iam.deny-user`: deny everything to the IAM user at the origin of the export.

One deny covers the user's keys, console session and the sessions that came from GetSessionToken or GetFederationToken,
which deactivating a key leaves alive. AWSCompromisedKeyQuarantine is not used: it leaves the export APIs allowed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from decisions.findings import Findings
from decisions.organization import Organization
from decisions.plan import ActionClass, PlannedAction
from decisions.resources import PrincipalState
from tasks.actions.base import Clients, State
from tasks.actions.inline_policy import DENY_POLICY, canonical, read_inline, write_inline
from tasks.actions.probes import canary_looks, denied_look
from tasks.actions.settled import Look
from tasks.actions.state_change import StateChange
from tasks.actions.suspects import blast_radius, exports_evidence, keys_of, suspected

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

DENY_ALL = canonical(
    {
        "Version": "2012-10-17",
        "Statement": [{"Sid": DENY_POLICY, "Effect": "Deny", "Action": "*", "Resource": "*"}],
    }
)
AWS_DENY_ALL = "arn:aws:iam::aws:policy/AWSDenyAll"
INLINE_QUOTA = 2048
"""Characters without white space over all inline policies of one user."""


class DenyUser(StateChange):
    """Deny everything to a user, by an inline policy or, where none fits any more, by AWSDenyAll."""

    kind = "iam.deny-user"
    action_class = ActionClass.REVERSIBLE
    gate = "containment"
    order = 20
    step = "containment.2a"
    tier = "respond"
    permissions = (
        "iam:GetUserPolicy",
        "iam:PutUserPolicy",
        "iam:DeleteUserPolicy",
        "iam:ListAttachedUserPolicies",
        "iam:AttachUserPolicy",
        "iam:DetachUserPolicy",
        "iam:SimulatePrincipalPolicy",
    )

    def plan(self, findings: Findings, organization: Organization, now: datetime) -> tuple[PlannedAction, ...]:
        users = suspected(findings, organization, "user")
        return tuple(a for user in users if (a := self._for_user(user, findings, organization)) is not None)

    def _for_user(self, user: PrincipalState, findings: Findings, organization: Organization) -> PlannedAction | None:
        inline = user.inline_policies.get(DENY_POLICY)
        state: State = {"inline": inline, "attached": AWS_DENY_ALL in user.managed_policies}
        by = "inline" if _fits(user) else "attached"
        after = _denied(state, by)
        if after == state:
            return None
        how = f"the inline policy {DENY_POLICY}" if by == "inline" else f"{AWS_DENY_ALL}, as no inline policy fits"
        return self.propose(
            target=user.arn,
            account=user.account,
            region=organization.home_region,
            reason=f"{user.name} is in the chain of identities that made the export",
            evidence=exports_evidence(findings),
            fact=f"no foreign policy named {DENY_POLICY} on user {user.name}",
            state=state,
            after=after,
            inverse="Puts back what stood under that name, or removes the deny: the user can work as before.",
            blast_radius=f"Everything {user.name} does in AWS stops at once, by {how}: every key, the console and "
            f"the sessions made from them. {blast_radius(user, findings)}",
            parameters={"by": by, "principals": [user.arn], "access_key_ids": list(keys_of(user, findings))},
        )

    def read(self, aws: Clients, action: PlannedAction) -> State:
        iam, name = self._iam(aws, action), action.target.rsplit("/", 1)[-1]
        attached = iam.get_paginator("list_attached_user_policies").paginate(UserName=name)
        arns = {policy.get("PolicyArn") for page in attached for policy in page["AttachedPolicies"]}
        return {"inline": read_inline(iam, "user", name, DENY_POLICY), "attached": AWS_DENY_ALL in arns}

    def wanted(self, action: PlannedAction, state: State) -> State:
        return _denied(state, action.parameters["by"])

    def write(self, aws: Clients, action: PlannedAction, current: State, target: State) -> tuple[str, ...]:
        iam, name = self._iam(aws, action), action.target.rsplit("/", 1)[-1]
        requests: list[str] = []
        if current["inline"] != target["inline"]:
            requests.append(write_inline(iam, "user", name, DENY_POLICY, target["inline"]))
        if current["attached"] != target["attached"]:
            change = iam.attach_user_policy if target["attached"] else iam.detach_user_policy
            answer = change(UserName=name, PolicyArn=AWS_DENY_ALL)
            requests.append(answer["ResponseMetadata"]["RequestId"])
        return tuple(requests)

    def effects(self, aws: Clients, action: PlannedAction) -> Sequence[Look]:
        iam = self._iam(aws, action)
        return (lambda: denied_look(iam, action.target), *canary_looks(action))

    def _iam(self, aws: Clients, action: PlannedAction) -> IAMClient:
        return aws.client("iam", account=action.account, tier=self.tier)


def _denied(state: State, by: str) -> State:
    return state | ({"inline": DENY_ALL} if by == "inline" else {"attached": True})


def _fits(user: PrincipalState) -> bool:
    others = (text for name, text in user.inline_policies.items() if name != DENY_POLICY)
    used = sum(len(re.sub(r"\s", "", text)) for text in others)
    return used + len(DENY_ALL) <= INLINE_QUOTA


ACTION = DenyUser()
