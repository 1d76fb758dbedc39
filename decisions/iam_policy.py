"""What a set of IAM policies says of a request: AWS's own evaluation logic, pure.

Source: IAM user guide, "Policy evaluation logic" and "IAM JSON policy elements". One statement by itself:
`decisions/policy_matching.py`; edits: `decisions/policy_edit.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from decisions.policy import AccessRequest, Decision, MatchedStatement, Policy
from decisions.policy_conditions import Verdict
from decisions.policy_document import statements, strings
from decisions.policy_edit import smallest_edit
from decisions.policy_matching import Naming, applies, naming, principal_arns
from decisions.policy_pattern import Doubt, Facts, glob_matches

__all__ = [
    "evaluate", "evaluate_identity", "evaluate_resource", "glob_matches", "principal_arns", "smallest_edit",
    "statements", "statements_allowing", "strings",
]  # fmt: skip

Case = Literal["surely", "at-best", "at-worst"]
"""Doubtful statements left out; the allowing ones held for true; the denying ones held for true."""
VARIABLES = "2012-10-17"
"""The version from which `${…}` is a variable."""


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

    An explicit deny anywhere wins. SCPs (each level) filter everything, boundary and session policies what they bind. In
    the same account the resource's Allow suffices, unless it names only the account: then the caller's own policies
    decide. Across accounts both sides must allow. `unknown_keys`: condition keys that may be there, nobody knows with which
    value; patterns allowed (`aws:ResourceTag/*`).
    """
    sides = _Sides(
        identity=_ask(request, identity, unknown_keys),
        scps=tuple(_ask(request, level, unknown_keys) for level in scps),
        boundary=_ask(request, [boundary], unknown_keys) if boundary else None,
        session=_ask(request, session, unknown_keys) if session else None,
        resource=_ask(request, [resource], unknown_keys, principals=True) if resource else None,
        same_account=same_account,
    )
    return _decision(sides.all, sides.allowed("surely"), sides.allowed("at-best"), sides.allowed("at-worst"))


def evaluate_identity(
    request: AccessRequest, policies: Sequence[Policy], unknown_keys: frozenset[str] = frozenset()
) -> Decision:
    """What policies without a Principal say: identity, boundary, SCP and session policies."""
    side = _ask(request, policies, unknown_keys)
    return _decision((side,), side.allowed("surely"), side.allowed("at-best"), side.allowed("at-worst"))


def evaluate_resource(request: AccessRequest, policy: Policy, unknown_keys: frozenset[str] = frozenset()) -> Decision:
    """What a policy with Principal elements says: bucket and trust policies."""
    side = _ask(request, [policy], unknown_keys, principals=True)
    return _decision((side,), side.allowed("surely"), side.allowed("at-best"), side.allowed("at-worst"))


def statements_allowing(
    request: AccessRequest, policies: Sequence[Policy], unknown_keys: frozenset[str] = frozenset()
) -> tuple[MatchedStatement, ...]:
    """The Allow statements that cover a request, surely or (see `undecided`) perhaps.

    Denies are not looked at: what was denied since, by us or by somebody who helped, must not hide what allowed it.
    """
    return tuple(g.matched for g in _ask(request, policies, unknown_keys).granted if g.matched.effect == "Allow")


@dataclass(frozen=True)
class _Applied:
    """One statement that applies, or may."""

    matched: MatchedStatement
    named: Naming

    def counts(self, case: Case) -> bool:
        doubtful = {"at-best": "Allow", "at-worst": "Deny"}.get(case)
        return not self.matched.undecided or self.matched.effect == doubtful


@dataclass(frozen=True)
class _Side:
    """What one kind of policy says."""

    granted: tuple[_Applied, ...]

    def denied(self, case: Case) -> bool:
        return any(g.matched.effect == "Deny" and g.counts(case) for g in self.granted)

    def allows(self, case: Case, *named: Naming) -> bool:
        return any(
            g.matched.effect == "Allow" and g.counts(case) and (not named or g.named in named) for g in self.granted
        )

    def allowed(self, case: Case) -> bool:
        return self.allows(case) and not self.denied(case)


@dataclass(frozen=True)
class _Sides:
    """Everything that bears on a request."""

    identity: _Side
    scps: tuple[_Side, ...]
    boundary: _Side | None
    session: _Side | None
    resource: _Side | None
    same_account: bool

    @property
    def all(self) -> tuple[_Side, ...]:
        return (self.identity, *self.scps, *(s for s in (self.boundary, self.session, self.resource) if s))

    def allowed(self, case: Case) -> bool:
        if any(side.denied(case) for side in self.all) or not all(level.allows(case) for level in self.scps):
            return False
        bounded = self.boundary is None or self.boundary.allows(case)
        in_session = self.session is None or self.session.allows(case)
        own = self.identity.allows(case)
        if not self.same_account:
            return own and bounded and in_session and self.resource is not None and self.resource.allows(case)
        if own and bounded and in_session:
            return True
        return self.resource is not None and (
            self.resource.allows(case, "session")
            or (in_session and self.resource.allows(case, "user"))
            or (in_session and bounded and self.resource.allows(case, "principal"))
        )


def _ask(
    request: AccessRequest, policies: Sequence[Policy], unknown: frozenset[str], principals: bool = False
) -> _Side:
    granted: list[_Applied] = []
    for policy in policies:
        facts = Facts(request.context, unknown, variables=policy.document.get("Version") == VARIABLES)
        for index, statement in enumerate(statements(policy.document)):
            verdict = applies(request, statement, facts, principals)
            if verdict is not False:
                named = naming(request, statement) if principals else None
                granted.append(_Applied(_matched(policy, index, statement, verdict), named or "principal"))
    return _Side(tuple(granted))


def _matched(policy: Policy, index: int, statement: dict[str, Any], verdict: Verdict) -> MatchedStatement:
    effect: Literal["Allow", "Deny"] = "Allow" if statement.get("Effect") == "Allow" else "Deny"
    sid = statement.get("Sid")
    return MatchedStatement(
        policy_id=policy.id,
        policy_type=policy.type,
        attached_to=policy.attached_to,
        index=index,
        sid=sid if isinstance(sid, str) else None,
        effect=effect,
        statement=statement,
        undecided=verdict.keys if isinstance(verdict, Doubt) else (),
    )


def _decision(sides: Sequence[_Side], surely: bool, at_best: bool, at_worst: bool) -> Decision:
    found = [g.matched for side in sides for g in side.granted]
    doubts = (key for m in found for key in m.undecided)
    return Decision(
        allowed=surely,
        explicit_deny=any(side.denied("surely") for side in sides),
        matched=tuple(m for m in found if not m.undecided),
        undecided=tuple(dict.fromkeys(doubts)) if at_best != at_worst else (),
    )
