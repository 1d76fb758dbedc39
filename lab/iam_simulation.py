"""iam:SimulatePrincipalPolicy and SimulateCustomPolicy, by the evaluator that also answers real calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import Any

from decisions.iam_policy import evaluate, evaluate_identity, glob_matches, statements
from decisions.policy import AccessRequest, Decision, Policy, PolicyType
from lab import auth, credentials, policies
from lab.actions import Context
from lab.caller import Caller
from lab.errors import AwsError
from lab.policies import PolicySet


@dataclass(frozen=True)
class Simulation:
    """Whose policies are asked, and in which circumstances."""

    policies: PolicySet
    principal: Caller | None
    resource: Policy | None
    context: Context


def simulate_principal_policy(self: Any) -> Any:
    """Simulate what hangs on a user, group or role, with more policies and without excluded ones where asked."""
    arn = self._get_param("PolicySourceArn")
    holder = _holder(arn)
    found = _without_excluded(_of_holder(holder), self._get_param("PolicyExclusionList") or [])
    found = changed(found, identity=(*found.identity, *_given(self, "PolicyInputList", "inline")))
    boundaries = _given(self, "PermissionsBoundaryPolicyInputList", "boundary")
    if boundaries:
        found = changed(found, boundary=boundaries[0])
    return _answer(self, found, _caller(holder))


def simulate_custom_policy(self: Any) -> Any:
    """Simulate policies given in the call, SCPs of each level included."""
    boundaries = _given(self, "PermissionsBoundaryPolicyInputList", "boundary")
    levels = self._get_param("OrderedOrganizationPolicyInputList") or []
    scps = tuple(
        tuple(_policy(text, "scp", f"Level{n}.{i}") for i, text in enumerate(_texts(level), 1))
        for n, level in enumerate(levels, 1)
    )
    identity = _given(self, "PolicyInputList", "inline")
    return _answer(self, PolicySet(identity, boundaries[0] if boundaries else None, (), scps), None)


def _texts(level: dict[str, Any]) -> list[str]:
    return level.get("ServiceControlPolicyInputList") or level.get("service_control_policy_input_list") or []


def _holder(arn: str) -> Any:
    """moto's user, role or group of an ARN."""
    parts = arn.split(":")
    if len(parts) < 6 or parts[2] != "iam" or not parts[4].isdigit():
        raise AwsError("InvalidInput", f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
    backend = credentials.iam(parts[4])
    holders = [*backend.users.values(), *backend.roles.values(), *backend.groups.values()]
    found = next((holder for holder in holders if holder.arn == arn), None)
    if found is None:
        raise AwsError("NoSuchEntity", f"{arn} cannot be found.", 404)
    return found


def _of_holder(holder: Any) -> PolicySet:
    scps = policies.scps_of(holder.account_id)
    return PolicySet(policies.identity_of(holder), policies.boundary_of(holder), (), scps)


def _caller(holder: Any) -> Caller | None:
    kind = type(holder).__name__
    if kind == "User":
        return credentials.user_caller(holder, None)
    if kind == "Role":
        return Caller("AssumedRole", holder.account_id, holder.arn, holder.id, None, None, holder.arn, holder.name)
    return None


def _without_excluded(found: PolicySet, excluded: Sequence[dict[str, Any]]) -> PolicySet:
    """Leave out policies by ARN, by the name of an inline policy and its holder, or by type."""

    def stays(policy: Policy) -> bool:
        return not any(_excludes(entry, policy) for entry in excluded)

    return PolicySet(
        tuple(p for p in found.identity if stays(p)),
        found.boundary if found.boundary and stays(found.boundary) else None,
        found.session,
        tuple(tuple(p for p in level if stays(p)) for level in found.scps),
    )


EXCLUDED_TYPES: dict[str, tuple[PolicyType, ...]] = {
    "inline": ("inline", "group-inline"),
    "user-managed": ("managed", "group-managed"),
    "aws-managed": ("aws-managed", "group-managed"),
    "permission-boundary": ("boundary",),
    "scp": ("scp",),
}


def _excludes(entry: dict[str, Any], policy: Policy) -> bool:
    if arn := entry.get("PolicyArn"):
        return bool(arn == policy.id)
    if inline := entry.get("InlinePolicyIdentifier"):
        holder = f"{inline['AttachmentType'].lower()}/{inline['AttachmentName']}"
        named = policy.id == f"{policy.attached_to}/{inline['PolicyName']}"
        return named and glob_matches(holder, policy.attached_to or "")
    kind = str(entry.get("PolicyType"))
    of_aws = ":iam::aws:" in policy.id
    return policy.type in EXCLUDED_TYPES.get(kind, ()) and (
        not kind.endswith("-managed") or of_aws == (kind == "aws-managed")
    )


def _given(self: Any, name: str, kind: PolicyType) -> tuple[Policy, ...]:
    return tuple(_policy(text, kind, f"{name}.{n}") for n, text in enumerate(self._get_param(name) or [], 1))


def _policy(text: str, kind: PolicyType, identifier: str) -> Policy:
    try:
        return Policy(id=identifier, type=kind, document=policies.parse(text), attached_to=None)
    except (ValueError, TypeError) as wrong:
        raise AwsError("InvalidInput", f"{identifier} is not a policy: {wrong}") from wrong


def _answer(self: Any, found: PolicySet, principal: Caller | None) -> Any:
    from moto.core.responses import ActionResult

    text = self._get_param("ResourcePolicy")
    resource = _policy(text, "resource", "ResourcePolicy") if text else None
    asked = {e["ContextKeyName"]: tuple(e["ContextKeyValues"]) for e in self._get_param("ContextEntries") or []}
    # The simulator knows who the principal is, and nothing of a session that is not there.
    known = auth.context_of(principal) if principal else {}
    context = {key: value for key, value in known.items() if key not in ("aws:SourceIp", "aws:UserAgent")} | asked
    simulation = Simulation(found, principal, resource, context)
    actions, resources = self._get_param("ActionNames"), self._get_param("ResourceArns") or ["*"]
    results = [_result(simulation, action, arn) for action in actions for arn in resources]
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def _result(simulation: Simulation, action: str, arn: str) -> dict[str, Any]:
    who, having = simulation.principal, simulation.policies
    request = AccessRequest(
        action=action,
        resource=arn,
        principal_arn=who.arn if who else None,
        principal_account=who.account if who else None,
        context=simulation.context,
    )
    decision = evaluate(request, having.identity, having.boundary, having.scps, (), simulation.resource)
    result: dict[str, Any] = {
        "EvalActionName": action,
        "EvalResourceName": arn,
        "EvalDecision": _word(decision),
        "MatchedStatements": [_matched(m.policy_id, m.policy_type, m.attached_to) for m in decision.matched],
        "MissingContextValues": _missing(request, simulation),
    }
    if having.scps:
        allowed = all(evaluate_identity(request, level).allowed for level in having.scps)
        result["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": allowed}
    if having.boundary:
        allowed = evaluate_identity(request, [having.boundary]).allowed
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": allowed}
    return result


def _word(decision: Decision) -> str:
    if decision.explicit_deny:
        return "explicitDeny"
    return "allowed" if decision.allowed else "implicitDeny"


def _matched(identifier: str, kind: PolicyType, attached_to: str | None) -> dict[str, Any]:
    """Inline policies as `user_alice_name`, managed ones by their name, given ones by their parameter."""
    holder = (attached_to or "").partition("/")[0]
    source = {
        "aws-managed": "aws-managed",
        "managed": "user-managed",
        "group-managed": "user-managed",
        "resource": "resource",
    }
    named = identifier.rpartition("/")[2] if identifier.startswith("arn:") else identifier.replace("/", "_")
    return {
        "SourcePolicyId": named,
        "SourcePolicyType": source.get(kind, holder if holder in ("user", "role", "group") else "none"),
    }


def _missing(request: AccessRequest, simulation: Simulation) -> list[str]:
    """Condition keys that a policy asks for and that the call did not give."""
    having, given = simulation.policies, {key.lower() for key in request.context}
    all_of = [*having.identity, *(p for level in having.scps for p in level)]
    all_of += [p for p in (having.boundary, simulation.resource) if p]
    asked = {
        key
        for policy in all_of
        for statement in statements(policy.document)
        for block in (statement.get("Condition") or {}).values()
        for key in block
    }
    return sorted(key for key in asked if key.lower() not in given)
