"""Which policies of a principal let it export: each with the place where it can be edited."""

from __future__ import annotations

from typing import Literal

from decisions.evidence import Frozen
from decisions.export import ExportApi, ExportEvent
from decisions.findings import Findings
from decisions.iam_policy import statements_allowing
from decisions.policy import AccessRequest, Policy, PolicyError, PolicyType
from decisions.policy_document import read_policy, size
from decisions.resources import PrincipalState

Owner = Literal["user", "role", "group", "managed"]
ANY = frozenset({"*"})
"""No condition key is known for sure: a statement that may have let the export pass counts."""


class Held(Frozen):
    """One policy document that bears on a principal."""

    policy: Policy
    text: str
    owner: Owner
    """Where it is edited: inline of a `user`, `role` or `group`, or a `managed` policy of its own."""
    holder: str
    """ARN of the user, role or group; for managed policies of the principal that has it."""
    name: str
    """Name of the inline policy, ARN of the managed one."""
    beside: int = 0
    """Size of the holder's other inline policies, which share a quota with it."""
    shared_with: str
    """Who else has it, in words."""


def held_policies(principal: PrincipalState) -> tuple[Held, ...]:
    """Every policy of the principal that can be read; a document that cannot be read is skipped, as it allows nothing."""
    found = [_inline(principal, name, text) for name, text in principal.inline_policies.items()]
    found += [_managed(principal, arn, text) for arn, text in principal.managed_policies.items()]
    for key, text in principal.group_policies.items():
        found.append(_managed(principal, key, text) if key.startswith("arn:") else _of_group(principal, key, text))
    return tuple(found)


def lets_export(held: Held, principal: PrincipalState, findings: Findings) -> bool:
    """Whether the policy allows, surely or perhaps, an export that this principal asked for."""
    requests = [_request(e.event, principal) for e in findings.exports if e.actor.iam_arn == principal.arn]
    return any(statements_allowing(request, [held.policy], ANY) for request in requests)


def _request(event: ExportEvent, principal: PrincipalState) -> AccessRequest:
    account, region = event.recipient_account or principal.account, event.region or "*"
    of_image = event.api is not ExportApi.INSTANCE
    resource = f"image/{event.image_id or '*'}" if of_image else f"instance/{event.instance_id or '*'}"
    return AccessRequest(
        action=f"ec2:{event.api.value}",
        resource=f"arn:aws:ec2:{region}:{'' if of_image else account}:{resource}",
        principal_arn=principal.arn,
        principal_account=principal.account,
        context={"aws:PrincipalArn": (principal.arn,)},
    )


def _inline(principal: PrincipalState, name: str, text: str) -> Held:
    owner: Owner = "user" if principal.type == "user" else "role"
    policy = Policy(
        id=f"{owner}/{principal.name}/{name}", type="inline", document=_document(text), attached_to=principal.arn
    )
    beside = sum(size(_document(t)) for n, t in principal.inline_policies.items() if n != name)
    only = f"Only {principal.name}" if owner == "user" else f"All sessions of {principal.name}"
    return Held(policy=policy, text=text, owner=owner, holder=principal.arn, name=name, beside=beside, shared_with=only)


def _managed(principal: PrincipalState, arn: str, text: str) -> Held:
    kind: PolicyType = "aws-managed" if ":iam::aws:" in arn else "managed"
    policy = Policy(id=arn, type=kind, document=_document(text), attached_to=principal.arn)
    shared = f"All users, groups and roles that have {arn.rsplit('/', 1)[-1]}"
    return Held(policy=policy, text=text, owner="managed", holder=principal.arn, name=arn, shared_with=shared)


def _of_group(principal: PrincipalState, key: str, text: str) -> Held:
    _, group, name = key.split("/", 2)
    policy = Policy(id=key, type="group-inline", document=_document(text), attached_to=f"group/{group}")
    holder = f"arn:aws:iam::{principal.account}:group/{group}"
    return Held(
        policy=policy, text=text, owner="group", holder=holder, name=name, shared_with=f"All members of group {group}"
    )


def _document(text: str) -> dict[str, object]:
    try:
        return dict(read_policy(text))
    except PolicyError:
        return {}
