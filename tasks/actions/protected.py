"""Whom no action touches, and whom IAM does not let anybody edit."""

from __future__ import annotations

from decisions.organization import Organization
from decisions.plan import is_break_glass, is_ours
from decisions.resources import PrincipalState


def untouchable(principal: PrincipalState, organization: Organization) -> bool:
    """Whether the principal is ours, break-glass, or one that IAM refuses to change.

    Service-linked roles belong to a service, and roles under AWSReservedSSO_ to Identity Center: editing them is
    refused, so they are cut by other means (`docs/adding-an-action.md`).
    """
    return (
        is_break_glass(principal.arn, organization)
        or not organization.owns(principal.account)
        or is_ours(principal.arn, organization)
        or principal.service_linked
        or principal.name.startswith("AWSReservedSSO_")
    )


def exempt_arns(account: str, organization: Organization) -> tuple[str, ...]:
    """The ARNs that a lock in `account` never binds: our roles there and in the forensics account, and break-glass.

    A lock takes no patterns, because whoever can make a role that fits one would be let in: a break-glass principal that is
    given as a pattern is spared in the account itself, under its exact name.
    """
    accounts = dict.fromkeys((account, organization.forensics_account))
    ours = (f"arn:aws:iam::{where}:role/{name}" for where in accounts for name in organization.responder_roles)
    spared = (arn.replace("::*:", f"::{account}:") for arn in organization.break_glass)
    return tuple(sorted({*ours, *(arn for arn in spared if "*" not in arn)}))


def copier_arn(organization: Organization) -> str:
    """The role that copies evidence across accounts."""
    return f"arn:aws:iam::{organization.forensics_account}:role/{organization.forensics_role}"
