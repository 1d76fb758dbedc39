"""What a set of IAM policies says of a request: AWS's own evaluation logic, pure.

Source: IAM user guide, "Policy evaluation logic" and "IAM JSON policy elements". Conditions: `decisions/policy_conditions.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, cast

from decisions.policy import AccessRequest, Decision, MatchedStatement, Policy
from decisions.policy_conditions import conditions_hold, substitute

Verdict = bool | None
"""Whether a statement applies; None when a condition key that is unknown decides it."""


def evaluate(
    request: AccessRequest,
    identity: Sequence[Policy],
    boundary: Policy | None = None,
    scps: Sequence[Sequence[Policy]] = (),
    session: Sequence[Policy] = (),
    resource: Policy | None = None,
    same_account: bool = True,
    unknown_keys: frozenset[str] = frozenset(),
) -> Decision:
    """Combine every kind of policy as AWS does.

    An explicit deny anywhere wins. SCPs (each level), boundary and session policies filter. In the same account the
    resource's Allow suffices unless a boundary or session policy filters the session; across accounts both sides must allow.
    """
    sides = [evaluate_identity(request, identity, unknown_keys)]
    filters = [evaluate_identity(request, level, unknown_keys) for level in scps]
    filters += [evaluate_identity(request, [boundary], unknown_keys)] if boundary else []
    filters += [evaluate_identity(request, session, unknown_keys)] if session else []
    by_resource = evaluate_resource(request, resource, unknown_keys) if resource else None
    parts = [*sides, *filters, *([by_resource] if by_resource else [])]
    denied = any(p.explicit_deny for p in parts)
    resource_allows = by_resource is not None and by_resource.allowed
    agreed = (sides[0].allowed or resource_allows) if same_account else (sides[0].allowed and resource_allows)
    allowed = not denied and agreed and all(f.allowed for f in filters)
    return Decision(
        allowed=allowed,
        explicit_deny=denied,
        matched=tuple(m for p in parts for m in p.matched),
        undecided=tuple(dict.fromkeys(k for p in parts for k in p.undecided)),
    )


def evaluate_identity(
    request: AccessRequest, policies: Sequence[Policy], unknown_keys: frozenset[str] = frozenset()
) -> Decision:
    """What policies without a Principal say: identity, boundary, SCP and session policies."""
    return _decide(request, policies, unknown_keys, principals=False)


def evaluate_resource(request: AccessRequest, policy: Policy, unknown_keys: frozenset[str] = frozenset()) -> Decision:
    """What a policy with Principal elements says: bucket and trust policies."""
    return _decide(request, [policy], unknown_keys, principals=True)


def _decide(request: AccessRequest, policies: Sequence[Policy], unknown: frozenset[str], principals: bool) -> Decision:
    matched: list[MatchedStatement] = []
    undecided: list[str] = []
    lowered = frozenset(k.lower() for k in unknown)
    for policy in policies:
        for index, statement in enumerate(statements(policy.document)):
            applies, asked = _applies(request, statement, lowered, principals)
            if applies:
                matched.append(_matched(policy, index, statement))
            elif applies is None:
                undecided += asked
    denied = any(m.effect == "Deny" for m in matched)
    allowed = not denied and any(m.effect == "Allow" for m in matched)
    return Decision(
        allowed=allowed, explicit_deny=denied, matched=tuple(matched), undecided=tuple(dict.fromkeys(undecided))
    )


def _matched(policy: Policy, index: int, statement: dict[str, Any]) -> MatchedStatement:
    effect: Literal["Allow", "Deny"] = "Allow" if statement.get("Effect") == "Allow" else "Deny"
    return MatchedStatement(
        policy_id=policy.id,
        policy_type=policy.type,
        attached_to=policy.attached_to,
        index=index,
        sid=statement.get("Sid"),
        effect=effect,
        statement=statement,
    )


def _applies(
    request: AccessRequest, statement: dict[str, Any], unknown: frozenset[str], principals: bool
) -> tuple[Verdict, tuple[str, ...]]:
    if principals and not principal_matches(request, statement):
        return False, ()
    if not (action_matches(request.action, statement) and resource_matches(request, statement)):
        return False, ()
    return conditions_hold(request, statement.get("Condition") or {}, unknown)


def statements(document: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """The statements of a document; a single one may stand without its list."""
    found = document.get("Statement", ())
    listed = cast("list[Any]", found if isinstance(found, list) else [found])
    return tuple(cast("dict[str, Any]", s) for s in listed if isinstance(s, dict))


def strings(value: Any) -> tuple[str, ...]:
    """A string or a list of strings, as a tuple; anything else is empty."""
    if isinstance(value, str):
        return (value,)
    return tuple(v for v in cast("list[Any]", value) if isinstance(v, str)) if isinstance(value, list) else ()


@lru_cache(maxsize=4096)
def _pattern(glob: str, ignore_case: bool) -> re.Pattern[str]:
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in glob)
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def glob_matches(glob: str, value: str, ignore_case: bool = False) -> bool:
    """Whether a value matches an IAM pattern: `*` any run, `?` one character."""
    return _pattern(glob, ignore_case).fullmatch(value) is not None


def action_matches(action: str, statement: dict[str, Any]) -> bool:
    """Action or NotAction, case-insensitive."""
    if "NotAction" in statement:
        return not any(glob_matches(p, action, ignore_case=True) for p in strings(statement["NotAction"]))
    return any(glob_matches(p, action, ignore_case=True) for p in strings(statement.get("Action")))


def resource_matches(request: AccessRequest, statement: dict[str, Any]) -> bool:
    """Resource or NotResource with policy variables; a trust policy has neither."""
    if "NotResource" in statement:
        patterns = (substitute(p, request) for p in strings(statement["NotResource"]))
        return not any(p is not None and glob_matches(p, request.resource) for p in patterns)
    if "Resource" not in statement:
        return True
    patterns = (substitute(p, request) for p in strings(statement["Resource"]))
    return any(p is not None and glob_matches(p, request.resource) for p in patterns)


def principal_matches(request: AccessRequest, statement: dict[str, Any]) -> bool:
    """Principal or NotPrincipal of a resource policy; a statement with neither matches nobody."""
    if "NotPrincipal" in statement:
        return not _named(request, statement["NotPrincipal"])
    return "Principal" in statement and _named(request, statement["Principal"])


def _named(request: AccessRequest, principal: Any) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, dict):
        return False
    named = cast("dict[str, Any]", principal)
    if any(_is_aws_principal(request, p) for p in strings(named.get("AWS"))):
        return True
    if request.principal_canonical_id and request.principal_canonical_id in strings(named.get("CanonicalUser")):
        return True
    return bool(request.principal_service) and request.principal_service in strings(named.get("Service"))


def _is_aws_principal(request: AccessRequest, named: str) -> bool:
    if named == "*":
        return True
    account = re.fullmatch(r"(?:arn:aws[\w-]*:iam::)?(\d{12})(?::root)?", named)
    if account:
        return request.principal_account == account[1]
    return named in principal_arns(request)


def principal_arns(request: AccessRequest) -> tuple[str, ...]:
    """The ARNs that name the caller: its own and, for a role session, the role's."""
    own = (request.principal_arn,) if request.principal_arn else ()
    role = next((v for k, v in request.context.items() if k.lower() == "aws:principalarn"), ())
    session = re.fullmatch(r"arn:(aws[\w-]*):sts::(\d{12}):assumed-role/([^/]+)/.*", request.principal_arn or "")
    derived = (f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}",) if session else ()
    return (*own, *role, *derived)
