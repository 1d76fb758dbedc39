"""Puts back what stories and responses have changed, so that the next story begins as the first did; nothing of it is recorded."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from lab import credentials, vm_export_tasks
from lab.install import replace
from lab.organization_principals import Principal, everybody


def put_back(management: str, accounts: Iterable[str]) -> None:
    """Policies, trust, keys, guardrails and rules as they were made; running exports end. Buckets and records stay."""
    for principal in everybody():
        _principal(principal)
    for account in accounts:
        _rules(account)
    _guardrails(management)
    vm_export_tasks.abandon()


@cache
def forget_members_with_a_reset() -> None:
    """moto keeps who belongs to an organisation beside its backends, where a reset does not reach it."""
    from moto.organizations.models import OrganizationsBackend, organizations_backends

    def reset(self: Any) -> None:
        members = organizations_backends.master_accounts
        for account in [a for a, (master, _) in members.items() if master == self.account_id]:
            members.pop(account)
        original(self)

    original = replace(OrganizationsBackend, "reset", reset)


def _principal(person: Principal) -> None:
    backend = credentials.iam(person.account)
    holder = backend.users[person.name] if person.trust is None else backend.get_role(person.name)
    holder.policies.clear()
    holder.policies.update(person.policies)
    holder.managed_policies.clear()
    holder.permissions_boundary_arn = None
    if person.trust is not None:
        holder.assume_role_policy_document = person.trust
    if person.keyed:
        _key(backend, holder)


def _key(backend: Any, user: Any) -> None:
    """One active key; the same one, as long as nobody has deleted it."""
    for key in list(user.access_keys)[1:]:
        backend.delete_access_key(key.access_key_id, user.name)
    if not user.access_keys:
        backend.create_access_key(user.name)
    user.access_keys[0].status = "Active"


def _rules(account: str) -> None:
    from moto.events.models import events_backends

    for backend in list(events_backends[account].values()):
        for rule in list(backend.event_buses["default"].rules.values()):
            if rule.managed_by is None:
                backend.event_buses["default"].rules.pop(rule.name)


def _guardrails(management: str) -> None:
    from moto.organizations.models import organizations_backends

    backend = organizations_backends[management][credentials.PARTITION]
    ours = [p for p in backend.policies if not p.aws_managed]
    for target in [*backend.ou, *backend.accounts]:
        target.attached_policies = [p for p in target.attached_policies if p.aws_managed]
    backend.policies = [p for p in backend.policies if p not in ours]
