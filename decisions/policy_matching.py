"""Whether one statement applies to one request: principal, action, resource and condition."""

from __future__ import annotations

import re
from typing import Any, Literal, cast

from decisions.policy import AccessRequest
from decisions.policy_conditions import Verdict, conditions_hold, every, opposite, some
from decisions.policy_document import strings
from decisions.policy_pattern import Doubt, Facts, glob_matches

Naming = Literal["session", "user", "principal", "account"]
"""How a resource policy names the caller: its session's ARN, its user's ARN, otherwise, or only through its account."""


def applies(request: AccessRequest, statement: dict[str, Any], facts: Facts, principals: bool) -> Verdict:
    """Whether a statement applies. `principals`: it is of a resource policy, so it must name the caller too."""
    if principals and naming(request, statement) is None:
        return False
    if not action_matches(request.action, statement):
        return False
    return every(
        (resource_matches(request.resource, statement, facts), conditions_hold(statement.get("Condition"), facts))
    )


def action_matches(action: str, statement: dict[str, Any]) -> bool:
    """Action or NotAction, case-insensitive."""
    if "NotAction" in statement:
        return not any(glob_matches(p, action, ignore_case=True) for p in strings(statement["NotAction"]))
    return any(glob_matches(p, action, ignore_case=True) for p in strings(statement.get("Action")))


def resource_matches(resource: str, statement: dict[str, Any], facts: Facts) -> Verdict:
    """Resource or NotResource with policy variables; a trust policy has neither."""
    if "NotResource" in statement:
        return opposite(_matches_any(resource, strings(statement["NotResource"]), facts))
    if "Resource" not in statement:
        return True
    return _matches_any(resource, strings(statement["Resource"]), facts)


def _matches_any(resource: str, patterns: tuple[str, ...], facts: Facts) -> Verdict:
    filled = (facts.fill(p) for p in patterns)
    return some(p if isinstance(p, Doubt) else glob_matches(p, resource) for p in filled if p is not None)


def naming(request: AccessRequest, statement: dict[str, Any]) -> Naming | None:
    """How Principal or NotPrincipal of a resource policy covers the caller; None when it does not.

    NotPrincipal spares only who is named itself: an account there does not stand for its users and roles.
    """
    if "NotPrincipal" in statement:
        spared = _named(request, statement["NotPrincipal"])
        return "principal" if spared in (None, "account") else None
    return _named(request, statement["Principal"]) if "Principal" in statement else None


def _named(request: AccessRequest, principal: Any) -> Naming | None:
    if principal == "*":
        return "principal"
    if not isinstance(principal, dict):
        return None
    by_kind = {kind: strings(named) for kind, named in cast("dict[str, Any]", principal).items()}
    found = {_aws_naming(request, named) for named in by_kind.get("AWS", ())}
    others = {"Service": request.principal_service, "Federated": request.principal_federated}
    if any(value is not None and value in by_kind.get(kind, ()) for kind, value in others.items()):
        found.add("principal")
    if request.principal_canonical_id in by_kind.get("CanonicalUser", ()):
        found.add("principal" if _is_account(request) else "account")
    return next((n for n in ("session", "user", "principal", "account") if n in found), None)


def _aws_naming(request: AccessRequest, named: str) -> Naming | None:
    if named == "*":
        return "principal"
    account = re.fullmatch(r"(?:arn:aws[\w-]*:iam::)?(\d{12})(?::root)?", named)
    if account:
        if request.principal_account != account[1]:
            return None
        return "principal" if _is_account(request) else "account"
    if named not in principal_arns(request):
        return None
    if named != request.principal_arn:
        return "principal"
    return "session" if ":sts:" in named else "user" if ":user/" in named else "principal"


def _is_account(request: AccessRequest) -> bool:
    """Whether the caller is an account itself: its root user, or nobody in it that is known."""
    return request.principal_arn is None or request.principal_arn.endswith(":root")


def principal_arns(request: AccessRequest) -> tuple[str, ...]:
    """The ARNs that name the caller: its own and, for a role session, the role's."""
    own = (request.principal_arn,) if request.principal_arn else ()
    role = next((v for k, v in request.context.items() if k.lower() == "aws:principalarn"), ())
    session = re.fullmatch(r"arn:(aws[\w-]*):sts::(\d{12}):assumed-role/([^/]+)/.*", request.principal_arn or "")
    derived = (f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}",) if session else ()
    return (*own, *role, *derived)
