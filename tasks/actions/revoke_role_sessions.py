"""`iam.revoke-role-sessions`: refuse every session of a role that was issued before a minute after the moment of applying.

Temporary credentials cannot be switched off one by one; what the role may do decides. The deny is the console's own
"revoke active sessions". It comes after the identity upstream was cut, or the actor just assumes the role again; and as
IAM needs some seconds to know that cut everywhere, sessions that are made in these seconds are refused too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from decisions.evidence import utc
from decisions.findings import Findings
from decisions.organization import Organization
from decisions.plan import ActionClass, PlannedAction
from decisions.resources import PrincipalState
from tasks.actions.base import ActionRefused, Applied, Clients, State
from tasks.actions.inline_policy import REVOKE_POLICY, canonical, name_of, read_inline, write_inline
from tasks.actions.probes import canary_looks, denied_look
from tasks.actions.settled import Look
from tasks.actions.state_change import StateChange
from tasks.actions.suspects import blast_radius, exports_evidence, keys_of, suspected

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

SPREADING = timedelta(minutes=1)
"""For how long an identity that was just cut may still get sessions: IAM is eventually consistent."""


class RevokeRoleSessions(StateChange):
    """Deny everything to sessions issued before the cut-off; sessions issued later work."""

    kind = "iam.revoke-role-sessions"
    action_class = ActionClass.REVERSIBLE
    gate = "containment"
    order = 22
    step = "containment.2c"
    tier = "respond"
    permissions = (
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:PutRolePolicy",
        "iam:DeleteRolePolicy",
        "iam:SimulatePrincipalPolicy",
    )

    def plan(self, findings: Findings, organization: Organization, now: datetime) -> tuple[PlannedAction, ...]:
        return tuple(
            self._for_role(role, findings, organization, now)
            for role in suspected(findings, organization, "role")
            if not _revoked_since(role.inline_policies.get(REVOKE_POLICY), _last_export(findings))
        )

    def _for_role(
        self, role: PrincipalState, findings: Findings, organization: Organization, now: datetime
    ) -> PlannedAction:
        cut_off = utc(now)
        return self.propose(
            target=role.arn,
            account=role.account,
            region=organization.home_region,
            reason=f"a session of {role.name} is in the chain of identities that made the export",
            evidence=exports_evidence(findings),
            fact=f"no foreign policy named {REVOKE_POLICY} on role {role.name}",
            state={"inline": role.inline_policies.get(REVOKE_POLICY)},
            after={"inline": _document(cut_off)},
            inverse="Removes the deny. Sessions that ended meanwhile stay ended; users sign in again.",
            blast_radius=f"Every session of {role.name} that is open now is refused, not only the actor's; sessions "
            "made a minute after applying work, and earlier ones must be made again: IAM takes so long to know everywhere "
            f"who was cut off. The cut-off is not before {cut_off}. {blast_radius(role, findings)}",
            parameters={
                "cut_off": cut_off,
                "principals": [role.arn],
                "access_key_ids": list(keys_of(role, findings)),
            },
        )

    def read(self, aws: Clients, action: PlannedAction) -> State:
        iam, name = self._iam(aws, action), name_of(action.target)
        iam.get_role(RoleName=name)  # a missing role must not look like a role without the policy
        return {"inline": read_inline(iam, "role", name, REVOKE_POLICY)}

    def wanted(self, action: PlannedAction, state: State) -> State:
        planned = datetime.fromisoformat(action.parameters["cut_off"])
        return (
            state if _revoked_since(state["inline"], planned) else {"inline": _document(action.parameters["cut_off"])}
        )

    def apply(self, aws: Clients, action: PlannedAction, before: State) -> Applied:
        """The cut-off is by AWS's own clock: sessions made while the gate stood open are refused as well."""
        current = self.read(aws, action)
        if self.reached(action, current):
            return Applied(changed=False)
        iam = self._iam(aws, action)
        cut_off = max(_aws_time(iam.get_role(RoleName=name_of(action.target))) + SPREADING, _planned(action))
        requests = self.write(aws, action, current, {"inline": _document(utc(cut_off))})
        return Applied(
            changed=True, request_ids=requests, notes=(f"Sessions issued before {utc(cut_off)} are refused.",)
        )

    def write(self, aws: Clients, action: PlannedAction, current: State, target: State) -> tuple[str, ...]:
        if current == target:
            return ()
        name = name_of(action.target)
        return (write_inline(self._iam(aws, action), "role", name, REVOKE_POLICY, target["inline"]),)

    def effects(self, aws: Clients, action: PlannedAction) -> Sequence[Look]:
        iam = self._iam(aws, action)
        issued = utc(_planned(action) - timedelta(minutes=1))
        return (lambda: denied_look(iam, action.target, issued), *canary_looks(action))

    def _iam(self, aws: Clients, action: PlannedAction) -> IAMClient:
        return aws.client("iam", account=action.account, tier=self.tier)


def _document(cut_off: str) -> str:
    older = {"DateLessThan": {"aws:TokenIssueTime": cut_off}}
    deny = {"Sid": REVOKE_POLICY, "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": older}
    return canonical({"Version": "2012-10-17", "Statement": [deny]})


def _cut_off(text: str | None) -> datetime | None:
    """The cut-off of a policy that is exactly ours, else None: a look-alike does not count."""
    try:
        moment: Any = json.loads(text or "null")["Statement"][0]["Condition"]["DateLessThan"]["aws:TokenIssueTime"]
        ours = _document(moment) == text
        return datetime.fromisoformat(moment) if ours else None
    except (ValueError, KeyError, TypeError, IndexError):
        return None


def _revoked_since(text: str | None, moment: datetime) -> bool:
    cut_off = _cut_off(text)
    return cut_off is not None and cut_off >= moment


def _planned(action: PlannedAction) -> datetime:
    return datetime.fromisoformat(action.parameters["cut_off"])


def _aws_time(answer: Any) -> datetime:
    """IAM's clock rounded up to a second, from the Date header: ours may be wrong, and IAM compares with its own."""
    said = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if not said:
        raise ActionRefused("IAM's answer carries no Date: the cut-off cannot be set. Apply again, without the proxy.")
    return parsedate_to_datetime(said).astimezone(UTC) + timedelta(seconds=1)


def _last_export(findings: Findings) -> datetime:
    return max(export.event.event_time for export in findings.exports)


ACTION = RevokeRoleSessions()
