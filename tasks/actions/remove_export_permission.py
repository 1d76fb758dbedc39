"""`iam.remove-export-permission`: the smallest edit of each policy that allowed the export, so that it no longer does.

Inline policies are rewritten, customer managed ones get a new default version (the old one stays, and comes back with a
revert). What AWS owns, and what leaves no room, gets a Deny for the three APIs beside it, on the user or role itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from decisions.evidence import Unknown
from decisions.facts import matches
from decisions.findings import Findings
from decisions.organization import Organization
from decisions.plan import ActionClass, PlannedAction
from decisions.policy import EXPORT_ACTIONS, CannotEdit, PolicyEdit
from decisions.policy_edit import deny_exports, smallest_edit
from decisions.resources import PrincipalState
from tasks.actions.base import Clients, State
from tasks.actions.export_permission import Held, held_policies, lets_export
from tasks.actions.inline_policy import GUARD_POLICY, canonical, read_inline, write_inline
from tasks.actions.managed_policy import read_managed, write_managed
from tasks.actions.protected import untouchable
from tasks.actions.settled import Look
from tasks.actions.state_change import StateChange
from tasks.actions.suspects import exports_evidence

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

GUARD = canonical({"Version": "2012-10-17", "Statement": [deny_exports()]})


class RemoveExportPermission(StateChange):
    """Rewrite one policy document, or add a Deny where it cannot be rewritten."""

    kind = "iam.remove-export-permission"
    action_class = ActionClass.REVERSIBLE
    gate = "eradication"
    order = 10
    step = "eradication.1a"
    tier = "respond"
    permissions = (
        *(f"iam:{verb}{owner}Policy" for owner in ("User", "Role", "Group") for verb in ("Get", "Put", "Delete")),
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:ListPolicyVersions",
        "iam:CreatePolicyVersion",
        "iam:SetDefaultPolicyVersion",
        "iam:DeletePolicyVersion",
        "iam:SimulateCustomPolicy",
    )

    def plan(self, findings: Findings, organization: Organization, now: datetime) -> tuple[PlannedAction, ...]:
        planned: dict[str, PlannedAction] = {}
        for answer in findings.principals.values():
            if isinstance(answer, Unknown) or untouchable(answer.value, organization):
                continue
            if any(matches(pattern, answer.value.arn) for pattern in organization.approved_exporters):
                continue  # it is meant to export; its credentials were the problem
            for held in held_policies(answer.value):
                if lets_export(held, answer.value, findings):
                    action = self._for_policy(held, answer.value, findings, organization)
                    planned.setdefault(action.id, action)
        return tuple(a for a in planned.values() if a.before != a.after)

    def _for_policy(
        self, held: Held, principal: PrincipalState, findings: Findings, organization: Organization
    ) -> PlannedAction:
        edit = smallest_edit(held.policy, beside=held.beside)
        if isinstance(edit, CannotEdit):
            return self._deny_beside(edit, principal, findings, organization)
        return self._edited(edit, held, principal, findings, organization)

    def _edited(
        self, edit: PolicyEdit, held: Held, principal: PrincipalState, findings: Findings, organization: Organization
    ) -> PlannedAction:
        after = canonical(edit.after) if edit.after is not None else None
        if held.owner == "managed" and after is None:
            after = GUARD  # a managed policy cannot be empty, and deleting it would need it detached everywhere
        return self.propose(
            target=f"{held.holder}/{held.name}" if held.owner != "managed" else held.name,
            account=principal.account,
            region=organization.home_region,
            reason=f"this policy let {principal.name} export. {' '.join(edit.sentences)}",
            evidence=exports_evidence(findings),
            fact=f"document of {held.policy.id}",
            state={"document": held.text},
            after={"document": after},
            inverse="Puts the document back as it was.",
            blast_radius=f"{held.shared_with} lose the three export APIs, and nothing else.",
            parameters={
                "owner": held.owner,
                "holder": held.holder,
                "policy": held.name,
                "document": after,
                "principals": [principal.arn],
            },
        )

    def _deny_beside(
        self, why: CannotEdit, principal: PrincipalState, findings: Findings, organization: Organization
    ) -> PlannedAction:
        return self.propose(
            target=f"{principal.arn}/{GUARD_POLICY}",
            account=principal.account,
            region=organization.home_region,
            reason=f"{principal.name} may export by a policy that cannot be edited: {why.why}",
            evidence=exports_evidence(findings),
            fact=f"no foreign policy named {GUARD_POLICY} on {principal.name}",
            state={"document": principal.inline_policies.get(GUARD_POLICY)},
            after={"document": GUARD},
            inverse="Removes the deny.",
            blast_radius=f"Only {principal.name} loses the three export APIs, and nothing else.",
            parameters={
                "owner": principal.type,
                "holder": principal.arn,
                "policy": GUARD_POLICY,
                "document": GUARD,
                "principals": [principal.arn],
            },
        )

    def same(self, one: State, other: State) -> bool:
        return one["document"] == other.get("document") if "document" in one else one == other

    def put_back(self, now: State, before: State) -> bool:
        return now == before  # the versions too

    def read(self, aws: Clients, action: PlannedAction) -> State:
        iam, where = self._iam(aws, action), action.parameters
        if where["owner"] == "managed":
            return read_managed(iam, where["policy"])
        name = where["holder"].rsplit("/", 1)[-1]
        return {"document": read_inline(iam, where["owner"], name, where["policy"])}

    def wanted(self, action: PlannedAction, state: State) -> State:
        return state | {"document": action.parameters["document"]}

    def write(self, aws: Clients, action: PlannedAction, current: State, target: State) -> tuple[str, ...]:
        iam, where = self._iam(aws, action), action.parameters
        if where["owner"] == "managed":
            return write_managed(iam, where["policy"], current, target)
        name = where["holder"].rsplit("/", 1)[-1]
        return (write_inline(iam, where["owner"], name, where["policy"], target["document"]),)

    def effects(self, aws: Clients, action: PlannedAction) -> Sequence[Look]:
        return (lambda: self._simulated(aws, action),)

    def _simulated(self, aws: Clients, action: PlannedAction) -> tuple[bool, str]:
        """What AWS's simulator answers for the document alone; other policies of the principal have actions of their own."""
        text = self.read(aws, action)["document"]
        if text is None:
            return True, f"{action.target} is gone, so it allows nothing."
        iam = self._iam(aws, action)
        answer = iam.simulate_custom_policy(PolicyInputList=[text], ActionNames=list(EXPORT_ACTIONS))
        allowed = [r["EvalActionName"] for r in answer["EvaluationResults"] if r["EvalDecision"] == "allowed"]
        if allowed:
            return False, f"SimulateCustomPolicy: {action.target} is NOT without {', '.join(allowed)}."
        return True, f"SimulateCustomPolicy: {action.target} allows none of the three export APIs."

    def _iam(self, aws: Clients, action: PlannedAction) -> IAMClient:
        return aws.client("iam", account=action.account, tier=self.tier)


ACTION = RemoveExportPermission()
