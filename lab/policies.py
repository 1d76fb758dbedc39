"""Every policy that bears on a principal, gathered from moto's IAM and Organizations."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from decisions.policy import Policy, PolicyType
from lab import credentials
from lab.caller import Caller


@dataclass(frozen=True)
class PolicySet:
    """What limits and what allows one principal."""

    identity: tuple[Policy, ...] = ()
    boundary: Policy | None = None
    session: tuple[Policy, ...] = ()
    scps: tuple[tuple[Policy, ...], ...] = ()
    """One tuple a level, from the root of the organisation to the account; () outside one and in its management account."""


@dataclass(frozen=True)
class Membership:
    """Where an account stands in an organisation."""

    organization_id: str
    management_account: str
    path: str
    """`o-…/r-…/ou-…/`, as aws:PrincipalOrgPaths has it."""
    levels: tuple[tuple[Policy, ...], ...]


def of_caller(caller: Caller) -> PolicySet:
    """The policies of the caller in hand; nothing for services and anonymous requests, which have none."""
    if caller.account is None or caller.type in ("AWSService", "AWSAccount", "Anonymous"):
        return PolicySet()
    scps = scps_of(caller.account)
    if caller.type == "Root":
        return PolicySet(identity=(ROOT_POLICY,), scps=scps)
    principal = principal_of(caller)
    if principal is None:
        return PolicySet(scps=scps)
    if getattr(principal, "path", "/").startswith("/aws-service-role/"):
        scps = ()  # SCPs do not touch service-linked roles
    session = caller.session_policies
    if caller.type == "FederatedUser" and not session:
        session = (nothing("session", "session"),)  # a federated session may do what its session policy says, no more
    return PolicySet(identity_of(principal), boundary_of(principal), session, scps)


ROOT_POLICY = Policy(
    id="root",
    type="inline",
    document={
        "Version": "2012-10-17",
        "Statement": [{"Sid": "RootUser", "Effect": "Allow", "Action": "*", "Resource": "*"}],
    },
    attached_to="root",
)


def principal_of(caller: Caller) -> Any | None:
    """moto's user or role behind the caller, or None when it is gone."""
    backend = credentials.iam(str(caller.account))
    if caller.type == "AssumedRole":
        return next((role for role in list(backend.roles.values()) if role.arn == caller.issuer_arn), None)
    name = caller.user_name if caller.type == "IAMUser" else caller.issuer_name
    return backend.users.get(name)


def identity_of(principal: Any) -> tuple[Policy, ...]:
    """Inline, attached and (for users) group policies of a moto user, role or group."""
    kind = type(principal).__name__.lower()
    own = _hung_on(principal, f"{kind}/{principal.name}", "inline", "managed")
    if kind != "user":
        return own
    groups = credentials.iam(principal.account_id).get_groups_for_user(principal.name)
    return own + tuple(p for g in groups for p in _hung_on(g, f"group/{g.name}", "group-inline", "group-managed"))


def _hung_on(holder: Any, where: str, inline: PolicyType, managed: PolicyType) -> tuple[Policy, ...]:
    found = [
        Policy(id=f"{where}/{name}", type=inline, document=parse(document), attached_to=where)
        for name, document in list(holder.policies.items())
    ]
    return (*found, *(managed_policy(policy, managed, where) for policy in list(holder.managed_policies.values())))


def managed_policy(policy: Any, kind: PolicyType, attached_to: str | None) -> Policy:
    """A moto managed policy in its default version; one of AWS's own keeps that type."""
    version = next(v for v in policy.versions if v.is_default)
    own: PolicyType = "aws-managed" if ":iam::aws:" in policy.arn and kind == "managed" else kind
    return Policy(id=policy.arn, type=own, document=parse(version.document), attached_to=attached_to)


def boundary_of(principal: Any) -> Policy | None:
    """The permissions boundary, None without one; a boundary whose policy is gone allows nothing."""
    arn = getattr(principal, "permissions_boundary_arn", None)
    if arn is None:
        return None
    policy = credentials.iam(principal.account_id).managed_policies.get(arn)
    return nothing(arn, "boundary") if policy is None else managed_policy(policy, "boundary", principal.arn)


def nothing(identifier: str, kind: PolicyType) -> Policy:
    """A policy that allows nothing, where one is said to be but is not."""
    return Policy(id=identifier, type=kind, document={"Version": "2012-10-17", "Statement": []})


def scps_of(account: str) -> tuple[tuple[Policy, ...], ...]:
    """SCPs level by level; none outside an organisation and for its management account."""
    place = membership(account)
    return () if place is None or place.management_account == account else place.levels


def membership(account: str) -> Membership | None:
    """Where the account stands, from moto's Organizations; None outside any organisation."""
    from moto.organizations.models import organizations_backends

    for holder in list(organizations_backends):
        backend = organizations_backends[holder][credentials.PARTITION]
        member = next((a for a in backend.accounts if a.id == account), None)
        if backend.org is not None and member is not None:
            return _membership(backend, member)
    return None


def any_organization() -> bool:
    """Whether there is an organisation at all."""
    from moto.organizations.models import organizations_backends

    return any(organizations_backends[a][credentials.PARTITION].org is not None for a in list(organizations_backends))


def _membership(backend: Any, member: Any) -> Membership:
    chain = [member]
    units = {unit.id: unit for unit in backend.ou}
    while chain[0].id != backend.org.root_id:
        chain.insert(0, units[chain[0].parent_id])
    path = "/".join([backend.org.id, *(unit.id for unit in chain[:-1])]) + "/"
    levels = tuple(tuple(_scps(unit)) for unit in chain)
    return Membership(backend.org.id, backend.org.master_account_id, path, levels)


def _scps(target: Any) -> list[Policy]:
    hung = [p for p in target.attached_policies if p.type == "SERVICE_CONTROL_POLICY"]
    return [Policy(id=p.arn, type="scp", document=parse(p.content), attached_to=target.id) for p in hung]


def parse(document: str | dict[str, Any]) -> dict[str, Any]:
    """A policy document as a mapping."""
    parsed = json.loads(document) if isinstance(document, str) else document
    return dict(parsed)
