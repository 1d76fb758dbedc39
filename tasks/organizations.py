"""What AWS Organizations says: which accounts are ours, and which service control policies stand over one."""

from __future__ import annotations

from typing import Any

from decisions.facts import OrganizationAccount
from decisions.resources import ServiceControlPolicies
from tasks.actions.base import Clients
from tasks.reading import NotThere, permissions, read

MAX_LEVELS = 8
"""AWS nests organizational units five deep, plus root and account."""


@read(step="investigation.2b", source="organizations:ListAccounts", permissions=("organizations:ListAccounts",))
def accounts(aws: Clients, management: str) -> tuple[OrganizationAccount, ...]:
    """Every member account, suspended ones included. Raises ClientError."""
    client = aws.client("organizations", account=management, tier="read")
    pages = client.get_paginator("list_accounts").paginate()
    return tuple(
        OrganizationAccount(id=a["Id"], name=a.get("Name", ""), status=a.get("Status") or a.get("State", ""))
        for page in pages
        for a in page["Accounts"]
    )


@read(
    step="investigation.3c",
    source="organizations:ListParents, ListPoliciesForTarget, DescribePolicy",
    permissions=("organizations:ListParents", "organizations:ListPoliciesForTarget", "organizations:DescribePolicy"),
)
def service_control_policies(aws: Clients, management: str, account: str) -> ServiceControlPolicies:
    """The SCPs over an account, from the root down to the account itself. Raises ClientError, NotThere."""
    client = aws.client("organizations", account=management, tier="read")
    path = [account]
    while not path[-1].startswith("r-"):
        parents = client.list_parents(ChildId=path[-1])["Parents"]
        if not parents or len(path) > MAX_LEVELS:
            raise NotThere(f"Organizations does not lead from {account} up to the root: {' > '.join(path)}.")
        path.append(parents[0]["Id"])
    attached = {target: _policies(client, target) for target in path}
    texts = {p: client.describe_policy(PolicyId=p)["Policy"]["Content"] for p in _each(attached)}
    return ServiceControlPolicies(
        account=account,
        levels=tuple(tuple(texts[p] for p in attached[target]) for target in reversed(path)),
        ids=attached[account],
        management_account=account == management,
    )


def _policies(client: Any, target: str) -> tuple[str, ...]:
    pages = client.get_paginator("list_policies_for_target").paginate(TargetId=target, Filter="SERVICE_CONTROL_POLICY")
    return tuple(p["Id"] for page in pages for p in page["Policies"])


def _each(attached: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(p for policies in attached.values() for p in policies))


PERMISSIONS = permissions(__name__)
