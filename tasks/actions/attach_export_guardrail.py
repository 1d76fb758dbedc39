"""`organizations.attach-export-guardrail`: an SCP that denies the export APIs to everybody but the migration roles.

Attached to `scp_target` of organization.toml, else to the account of the export. SCPs do not bind the management
account and service-linked roles: for the management account nothing is proposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from decisions.findings import Findings
from decisions.organization import Organization
from decisions.plan import ActionClass, PlannedAction
from decisions.policy import EXPORT_ACTIONS, SID_PREFIX
from tasks.actions.base import ActionRefused, Clients, State
from tasks.actions.inline_policy import canonical
from tasks.actions.settled import Look
from tasks.actions.state_change import StateChange
from tasks.actions.suspects import exports_evidence

if TYPE_CHECKING:
    from types_boto3_organizations import OrganizationsClient

NAME = f"{SID_PREFIX}Guardrail"
DESCRIPTION = "No VM export but by the migration roles (ec2-vm-export-response)."
SCP_QUOTA = 5120
"""Characters; AWS may allow more by now, the smaller limit holds everywhere."""


class AttachExportGuardrail(StateChange):
    """Create the SCP if it is missing, and attach it; revert detaches, and deletes what was created."""

    kind = "organizations.attach-export-guardrail"
    action_class = ActionClass.REVERSIBLE
    gate = "recovery"
    order = 10
    step = "recovery.1a"
    tier = "respond"
    permissions = (
        "organizations:ListPolicies",
        "organizations:DescribePolicy",
        "organizations:ListTargetsForPolicy",
        "organizations:CreatePolicy",
        "organizations:UpdatePolicy",
        "organizations:DeletePolicy",
        "organizations:AttachPolicy",
        "organizations:DetachPolicy",
    )

    def plan(self, findings: Findings, organization: Organization, now: datetime) -> tuple[PlannedAction, ...]:
        accounts = dict.fromkeys(e.event.recipient_account for e in findings.exports)
        bound = [a for a in accounts if a and organization.owns(a) and a != organization.management_account]
        targets = dict.fromkeys(organization.scp_target or account for account in bound)
        done = {r.action_id for r in findings.receipts if r.verification.verified}
        planned = (self._for_target(target, findings, organization) for target in targets)
        return tuple(a for a in planned if a.id not in done)

    def _for_target(self, target: str, findings: Findings, organization: Organization) -> PlannedAction:
        exempt = sorted({*organization.migration_roles, *organization.break_glass})
        return self.propose(
            target=f"{target}/{NAME}",
            account=organization.management_account,
            region=organization.home_region,
            reason="any administrator of the account can export its machines; approved migrations use roles of their own",
            evidence=exports_evidence(findings),
            fact="the service control policies of the organisation can be read",
            state={"guardrail": "not read at planning; what stands under that name is kept for the way back"},
            after={"content": document(exempt)},
            inverse="Detaches the SCP, and deletes it if it was created here.",
            blast_radius=f"Nobody under {target} can export a machine any more, except {', '.join(exempt) or 'nobody'}. "
            "The management account and service-linked roles are not bound by SCPs.",
            parameters={"target": target, "content": document(exempt)},
        )

    def relevant(self, action: PlannedAction, state: State) -> Any:
        """That the policies can be read at all: findings do not hold their names, and revert puts back what was."""
        return {"readable": True}

    def read(self, aws: Clients, action: PlannedAction) -> State:
        """What binds the target: the content of the guardrail where it is attached, else None."""
        organizations = self._organizations(aws, action)
        policy_id = _find(organizations)
        attached = policy_id is not None and action.parameters["target"] in _targets(organizations, policy_id)
        return {"content": _content(organizations, policy_id) if attached and policy_id else None}

    def wanted(self, action: PlannedAction, state: State) -> State:
        if len(action.parameters["content"]) > SCP_QUOTA:
            raise ActionRefused(
                f"{action.id}: the SCP would be longer than {SCP_QUOTA} characters. Shorten migration_roles or break_glass."
            )
        return {"content": action.parameters["content"]}

    def write(self, aws: Clients, action: PlannedAction, current: State, target: State) -> tuple[str, ...]:
        organizations = self._organizations(aws, action)
        place: str = action.parameters["target"]
        policy_id = _find(organizations)
        if target["content"] is None:
            return _remove(organizations, policy_id, place) if policy_id else ()
        requests: list[str] = []
        if policy_id is None:
            created = organizations.create_policy(
                Name=NAME, Description=DESCRIPTION, Type="SERVICE_CONTROL_POLICY", Content=target["content"]
            )
            policy_id = created["Policy"].get("PolicySummary", {}).get("Id", "")
            requests.append(created["ResponseMetadata"]["RequestId"])
        elif _content(organizations, policy_id) != target["content"]:
            if elsewhere := _targets(organizations, policy_id) - {place}:
                raise ActionRefused(
                    f"{action.id}: {NAME} says something else and also binds {', '.join(sorted(elsewhere))}. "
                    "Nothing was changed: bring it to the new document by hand, or detach it there."
                )
            updated = organizations.update_policy(PolicyId=policy_id, Content=target["content"])
            requests.append(updated["ResponseMetadata"]["RequestId"])
        if place not in _targets(organizations, policy_id):
            attached = organizations.attach_policy(PolicyId=policy_id, TargetId=place)
            requests.append(attached["ResponseMetadata"]["RequestId"])
        return tuple(requests)

    def effects(self, aws: Clients, action: PlannedAction) -> Sequence[Look]:
        return ()

    def _organizations(self, aws: Clients, action: PlannedAction) -> OrganizationsClient:
        return aws.client("organizations", account=action.account, tier=self.tier, region="us-east-1")


def document(exempt: Sequence[str]) -> str:
    """The SCP: the export APIs denied to everybody but `exempt` (role ARNs, patterns allowed)."""
    statement: dict[str, Any] = {
        "Sid": NAME,
        "Effect": "Deny",
        "Action": list(EXPORT_ACTIONS),
        "Resource": "*",
    }
    if exempt:
        statement["Condition"] = {"ArnNotLike": {"aws:PrincipalArn": list(exempt)}}
    return canonical({"Version": "2012-10-17", "Statement": [statement]})


def _find(organizations: OrganizationsClient) -> str | None:
    pages = organizations.get_paginator("list_policies").paginate(Filter="SERVICE_CONTROL_POLICY")
    return next((p.get("Id") for page in pages for p in page["Policies"] if p.get("Name") == NAME), None)


def _content(organizations: OrganizationsClient, policy_id: str) -> str | None:
    return organizations.describe_policy(PolicyId=policy_id)["Policy"].get("Content")


def _targets(organizations: OrganizationsClient, policy_id: str) -> set[str]:
    pages = organizations.get_paginator("list_targets_for_policy").paginate(PolicyId=policy_id)
    return {t.get("TargetId", "") for page in pages for t in page["Targets"]}


def _remove(organizations: OrganizationsClient, policy_id: str, place: str) -> tuple[str, ...]:
    requests: list[str] = []
    if place in _targets(organizations, policy_id):
        detached = organizations.detach_policy(PolicyId=policy_id, TargetId=place)
        requests.append(detached["ResponseMetadata"]["RequestId"])
    if not _targets(organizations, policy_id):
        requests.append(organizations.delete_policy(PolicyId=policy_id)["ResponseMetadata"]["RequestId"])
    return tuple(requests)


ACTION = AttachExportGuardrail()
