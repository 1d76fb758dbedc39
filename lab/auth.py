"""May the caller do this? Identity policies, boundary, SCPs of every level, session and resource policies, default deny."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

from decisions.iam_policy import evaluate, principal_arns, strings
from decisions.policy import AccessRequest, Decision, Policy
from lab import actions, clock, policies, wire
from lab import caller as callers
from lab.actions import Context
from lab.caller import Caller
from lab.errors import AwsError
from lab.wire import Call


def authorize_call(call: Call, caller: Caller) -> None:
    """Let the call pass or raise its refusal; S3 asks `authorize` itself, where it knows bucket and object."""
    if caller.type == "Anonymous":
        return
    for need in actions.needs(call, caller):
        authorize(need.action, need.resource, extra_context=need.context)


def authorize(
    action: str,
    resource: str,
    *,
    resource_policy: Policy | None = None,
    resource_owner: str | None = None,
    extra_context: Mapping[str, str | tuple[str, ...]] | None = None,
) -> None:
    """Return if the current caller may do `action` on `resource`, raise AwsError in the service's words if not.

    `resource_owner` is the resource's account (the caller's own by default); another's needs both sides to allow.
    """
    caller = callers.current()
    decision = decide(
        caller,
        action,
        resource,
        resource_policy=resource_policy,
        resource_owner=resource_owner,
        extra_context=extra_context,
    )
    if not decision.allowed:
        raise refusal(caller, action, resource, decision)


def decide(
    caller: Caller,
    action: str,
    resource: str,
    *,
    resource_policy: Policy | None = None,
    resource_owner: str | None = None,
    extra_context: Mapping[str, str | tuple[str, ...]] | None = None,
) -> Decision:
    """What every policy that bears on the caller says, without raising."""
    if call := wire.current():
        call.judged = True
    owner = resource_owner or caller.account
    extra = {key: (value,) if isinstance(value, str) else tuple(value) for key, value in (extra_context or {}).items()}
    if owner:
        extra.setdefault("aws:ResourceAccount", (owner,))
    request = AccessRequest(
        action=action,
        resource=resource,
        principal_arn=caller.arn,
        principal_account=caller.account,
        principal_canonical_id=caller.canonical_id,
        principal_service=caller.invoked_by if caller.type == "AWSService" else None,
        context={**context_of(caller), **extra},
    )
    bearing = policies.of_caller(caller)
    # Services and anonymous requests have no policies of their own: the resource alone decides.
    one_sided = caller.account is None or caller.type == "AWSAccount"
    decision = evaluate(
        request,
        identity=bearing.identity,
        boundary=bearing.boundary,
        scps=bearing.scps,
        session=bearing.session,
        resource=resource_policy,
        same_account=one_sided or caller.account == owner,
    )
    if decision.allowed and resource_policy is not None and not one_sided and _only_delegated(request, decision):
        return decision.model_copy(update={"allowed": False})
    return decision


def _only_delegated(request: AccessRequest, decision: Decision) -> bool:
    """Whether nothing but `arn:…:root` of the caller's account allows: that lets its IAM policies decide, and they do not."""
    if any(m.effect == "Allow" and m.policy_type in IDENTITY_TYPES for m in decision.matched):
        return False
    granting = [m for m in decision.matched if m.effect == "Allow" and m.policy_type in ("resource", "trust")]
    return not any(_names(request, m.statement.get("Principal")) for m in granting)


def _names(request: AccessRequest, principal: Any) -> bool:
    if principal is None or principal == "*":  # NotPrincipal names everybody else
        return True
    named = strings(principal.get("AWS"))
    canonical = request.principal_canonical_id in strings(principal.get("CanonicalUser"))
    return "*" in named or canonical or bool(set(named) & set(principal_arns(request)))


IDENTITY_TYPES = ("inline", "managed", "aws-managed", "group-inline", "group-managed")


def context_of(caller: Caller) -> Context:
    """The global condition keys of the caller and of this moment."""
    now = clock.now()
    found: dict[str, str | None] = {
        "aws:CurrentTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:EpochTime": str(int(now.timestamp())),
        "aws:SecureTransport": "true",
        "aws:UserAgent": caller.user_agent,
        "aws:PrincipalIsAWSService": str(caller.type == "AWSService").lower(),
        "aws:ViaAWSService": str(caller.invoked_by is not None and caller.type != "AWSService").lower(),
        "aws:SourceIp": None if caller.invoked_by else caller.source_ip,
        "aws:PrincipalServiceName": caller.invoked_by if caller.type == "AWSService" else None,
        "aws:PrincipalType": PRINCIPAL_TYPES.get(caller.type),
        "aws:PrincipalArn": (caller.issuer_arn if caller.type == "AssumedRole" else caller.arn),
        "aws:PrincipalAccount": caller.account,
        "aws:userid": caller.principal_id,
        "aws:username": caller.user_name,
        "aws:SourceIdentity": caller.source_identity,
    }
    if caller.token_issued_at is not None:
        found["aws:TokenIssueTime"] = caller.token_issued_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        found["aws:MultiFactorAuthPresent"] = str(caller.mfa).lower()
    if call := wire.current():
        found["aws:RequestedRegion"] = call.region
    place = policies.membership(caller.account) if caller.account else None
    if place is not None:
        found |= {"aws:PrincipalOrgID": place.organization_id, "aws:PrincipalOrgPaths": place.path}
    tags = {f"aws:PrincipalTag/{key}": value for key, value in principal_tags(caller).items()}
    return {key: (value,) for key, value in {**found, **tags}.items() if value is not None}


PRINCIPAL_TYPES = {
    "IAMUser": "User",
    "AssumedRole": "AssumedRole",
    "FederatedUser": "FederatedUser",
    "Root": "Account",
    "Anonymous": "Anonymous",
}


def principal_tags(caller: Caller) -> dict[str, str]:
    """Tags of the user or role behind the caller."""
    if caller.type not in ("IAMUser", "AssumedRole"):
        return {}
    principal = policies.principal_of(caller)
    tags: Any = getattr(principal, "tags", None) or {}
    if isinstance(tags, dict):
        return {str(t["Key"]): str(t["Value"]) for t in tags.values()}
    return {str(t["Key"]): str(t["Value"]) for t in tags}


def resource_account(call: Call) -> str:
    """The account to answer in when the caller has none: the bucket's owner, or the role's account."""
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    if call.service == "s3" and (bucket := call.params.get("Bucket")):
        owner = s3_backends.bucket_accounts.get(bucket)
        return str(owner[1]) if owner else DEFAULT_ACCOUNT_ID
    role = str(call.params.get("RoleArn", ""))
    return role.split(":")[4] if role.count(":") >= 5 else DEFAULT_ACCOUNT_ID


KINDS = {
    "scp": "a service control policy",
    "boundary": "a permissions boundary",
    "session": "a session policy",
    "resource": "a resource-based policy",
    "trust": "a resource-based policy",
}


def because(decision: Decision, action: str, caller: Caller) -> str:
    """AWS's own half-sentence: which kind of policy denied, or which one does not allow."""
    denied = next((m.policy_type for m in decision.matched if m.effect == "Deny"), None)
    if decision.explicit_deny and denied:
        return f"with an explicit deny in {KINDS.get(denied, 'an identity-based policy')}"
    allowed = {m.policy_type for m in decision.matched if m.effect == "Allow"}
    bearing = policies.of_caller(caller)
    missing = "identity-based policy"
    if bearing.scps and "scp" not in allowed:
        missing = "service control policy"
    elif allowed & set(IDENTITY_TYPES):
        limits = {"boundary": bearing.boundary is not None, "session": bool(bearing.session)}
        lacking = next((kind for kind, there in limits.items() if there and kind not in allowed), "resource")
        missing = KINDS[lacking].removeprefix("a ")
    return f"because no {missing} allows the {action} action"


def refusal(caller: Caller, action: str, resource: str, decision: Decision) -> AwsError:
    """The refusal as the service of the call in hand says it."""
    call = wire.current()
    who = f"User: {caller.arn}" if caller.arn else f"Anonymous user (principal: {caller.principal_id or '*'})"
    text = f"{who} is not authorized to perform: {action} on resource: {resource} {because(decision, action, caller)}"
    service = call.service if call else "iam"
    if service == "ec2":
        encoded = encode_message(caller, action, resource, decision)
        text = f"You are not authorized to perform this operation. {text}. Encoded authorization failure message: {encoded}"
        return AwsError("UnauthorizedOperation", text, 403)
    if service == "s3":
        return AwsError("AccessDenied", "Access Denied" if caller.type == "Anonymous" else text, 403)
    if call is not None and call.protocol in ("json", "rest-json"):
        return AwsError("AccessDeniedException", text, 400 if call.protocol == "json" else 403)
    return AwsError("AccessDenied", text, 403)


def encode_message(caller: Caller, action: str, resource: str, decision: Decision) -> str:
    """What sts:DecodeAuthorizationMessage turns back into JSON."""
    matched = [m.statement for m in decision.matched if m.effect == "Deny"]
    said = {
        "allowed": False,
        "explicitDeny": decision.explicit_deny,
        "matchedStatements": {"items": matched},
        "failures": {"items": []},
        "context": {
            "principal": {"id": caller.principal_id, "arn": caller.arn},
            "action": action,
            "resource": resource,
            "conditions": {"items": [{"key": k, "values": list(v)} for k, v in context_of(caller).items()]},
        },
    }
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(said).encode())).decode()


def decode_message(encoded: str) -> str:
    """The JSON of an encoded authorization failure message; AwsError for anything else."""
    try:
        return zlib.decompress(base64.urlsafe_b64decode(encoded)).decode()
    except (ValueError, zlib.error) as wrong:
        raise AwsError("InvalidAuthorizationMessageException", "The provided encoded message is invalid.") from wrong
