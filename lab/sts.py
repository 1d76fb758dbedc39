"""STS with trust policies, source identity, session policies and sessions that end; moto's hands out keys to anybody."""

from __future__ import annotations

import re
from dataclasses import replace as changed
from datetime import timedelta
from typing import Any

from decisions.policy import Policy
from lab import auth, clock, credentials, policies, trail
from lab import caller as callers
from lab.caller import Caller
from lab.credentials import Session
from lab.errors import AwsError
from lab.install import add_action, replace

SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}")
CHAINED_MAX = 3600


def install() -> None:
    """Replace moto's session calls by ones that check, and add DecodeAuthorizationMessage."""
    from moto.sts.responses import TokenResponse

    replace(TokenResponse, "assume_role", _assume_role)
    replace(TokenResponse, "get_session_token", _get_session_token)
    replace(TokenResponse, "get_federation_token", _get_federation_token)
    replace(TokenResponse, "get_caller_identity", _get_caller_identity)
    replace(TokenResponse, "get_access_key_info", _get_access_key_info)
    for name in ("assume_role_with_saml", "assume_role_with_web_identity"):
        replace(TokenResponse, name, _no_federation)
    add_action(TokenResponse, "DecodeAuthorizationMessage", _decode_authorization_message)


def assume_role(
    caller: Caller,
    role_arn: str,
    session_name: str,
    *,
    duration: int = 3600,
    external_id: str | None = None,
    source_identity: str | None = None,
    session_policies: tuple[Policy, ...] = (),
    mfa: bool = False,
) -> Session:
    """A session of the role for this caller (a service too), or AwsError as STS would refuse it."""
    role = role_of(role_arn)
    _check_shape(caller, role, role_arn, session_name, duration)
    identity = source_identity or caller.source_identity
    context = {"sts:RoleSessionName": session_name, "aws:MultiFactorAuthPresent": "true" if mfa else None}
    context |= {"sts:ExternalId": external_id, "sts:SourceIdentity": identity}
    _check_trust(caller, role, role_arn, "sts:AssumeRole", context)
    if caller.source_identity and source_identity and source_identity != caller.source_identity:
        raise _denied(caller, "sts:SetSourceIdentity", role_arn)
    if identity:
        _check_trust(caller, role, role_arn, "sts:SetSourceIdentity", context)
    role.last_used = clock.utcnow()
    account = role.arn.split(":")[4]
    who = Caller(
        type="AssumedRole",
        account=account,
        arn=f"arn:{credentials.PARTITION}:sts::{account}:assumed-role/{role.name}/{session_name}",
        principal_id=f"{role.id}:{session_name}",
        issuer_arn=role.arn,
        issuer_name=role.name,
        session_name=session_name,
        source_identity=identity,
        session_policies=session_policies,
        mfa=mfa,
    )
    return credentials.issue(who, role.id, timedelta(seconds=duration))


def assume_by_service(
    service: str, role_arn: str, session_name: str, region: str, external_id: str | None = None
) -> Session:
    """An AWS service assumes a role (vmie.amazonaws.com and `vmimport`), recorded as CloudTrail does; AwsError if untrusted."""
    who = callers.service(service)
    account = role_arn.split(":")[4]
    asked = {
        "roleArn": role_arn,
        "roleSessionName": session_name,
        **({"externalId": external_id} if external_id else {}),
    }
    fields: dict[str, Any] = {
        "requestParameters": asked,
        "resources": [{"accountId": account, "type": "AWS::IAM::Role", "ARN": role_arn}],
    }
    try:
        session = assume_role(who, role_arn, session_name, external_id=external_id)
    except AwsError as refused:
        fields |= {"requestParameters": None, "errorCode": refused.code, "errorMessage": refused.message}
        raise
    else:
        fields["responseElements"] = {
            "credentials": {"accessKeyId": session.access_key_id, "expiration": session.expires_at},
            "assumedRoleUser": {"assumedRoleId": session.caller.principal_id, "arn": session.caller.arn},
        }
        return session
    finally:
        trail.record_service("sts.amazonaws.com", "AssumeRole", who, account=account, region=region, **fields)


def role_of(role_arn: str) -> Any | None:
    """moto's role of that ARN, or None."""
    parts = role_arn.split(":")
    if len(parts) < 6 or not parts[4].isdigit():
        return None
    roles = list(credentials.iam(parts[4]).roles.values())
    return next((role for role in roles if role.arn == role_arn), None)


def _check_shape(caller: Caller, role: Any, role_arn: str, session_name: str, duration: int) -> None:
    if not SESSION_NAME.fullmatch(session_name):
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value '{session_name}' at 'roleSessionName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [\\w+=,.@-]*",
        )
    if caller.type == "Root":
        raise AwsError("AccessDenied", "Roles may not be assumed by root accounts.", 403)
    if role is None:
        raise _denied(caller, "sts:AssumeRole", role_arn)
    limit = int(role.max_session_duration or 3600)
    if caller.type == "AssumedRole" and duration > CHAINED_MAX:
        text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        raise AwsError("ValidationError", text)
    if duration > limit:
        raise AwsError(
            "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )


def _check_trust(caller: Caller, role: Any, role_arn: str, action: str, context: dict[str, str | None]) -> None:
    """Both sides: the trust policy must allow in any case, the caller's own policies where it only names the account."""
    trust = Policy(
        id=role.arn, type="trust", document=policies.parse(role.assume_role_policy_document), attached_to=role.arn
    )
    decision = auth.decide(
        caller,
        action,
        role_arn,
        resource_policy=trust,
        resource_owner=role.arn.split(":")[4],
        extra_context={key: value for key, value in context.items() if value is not None},
    )
    trusted = any(m.policy_type == "trust" and m.effect == "Allow" for m in decision.matched)
    if not (decision.allowed and trusted):
        raise _denied(caller, action, role_arn)


def _denied(caller: Caller, action: str, resource: str) -> AwsError:
    who = caller.arn or caller.invoked_by or "*"
    return AwsError("AccessDenied", f"User: {who} is not authorized to perform: {action} on resource: {resource}", 403)


# ---- what the API calls do


def _assume_role(self: Any) -> Any:
    from moto.core.responses import ActionResult

    who = callers.current()
    session = assume_role(
        who,
        self._get_param("RoleArn"),
        self._get_param("RoleSessionName"),
        duration=self._get_int_param("DurationSeconds", 3600),
        external_id=self._get_param("ExternalId"),
        source_identity=self._get_param("SourceIdentity"),
        session_policies=_session_policies(self),
        mfa=_shows_mfa(self, who),
    )
    answer = {
        "Credentials": session.wire(),
        "AssumedRoleUser": {"AssumedRoleId": session.caller.principal_id, "Arn": session.caller.arn},
    }
    if session.caller.session_policies:
        answer["PackedPolicySize"] = 6
    if session.caller.source_identity:
        answer["SourceIdentity"] = session.caller.source_identity
    return ActionResult(answer)


def _session_policies(response: Any) -> tuple[Policy, ...]:
    found: list[Policy] = []
    if document := response._get_param("Policy"):
        try:
            found.append(Policy(id="session", type="session", document=policies.parse(document)))
        except ValueError as wrong:
            raise AwsError("MalformedPolicyDocument", "This policy contains invalid Json") from wrong
    for item in response._get_param("PolicyArns") or []:
        arn = item.get("arn") or item.get("Arn")
        account = arn.split(":")[4]
        owner = callers.current().account if account == "aws" else account
        policy = credentials.iam(str(owner)).managed_policies.get(arn)
        if policy is None:
            raise AwsError("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", 404)
        found.append(policies.managed_policy(policy, "session", None))
    return tuple(found)


def _shows_mfa(response: Any, who: Caller) -> bool:
    """A code for a device that the user has enabled; which six digits it shows is not simulated."""
    serial = response._get_param("SerialNumber")
    if not serial:
        return who.mfa
    user = policies.principal_of(who) if who.type == "IAMUser" else None
    if serial not in getattr(user, "mfa_devices", {}) or not re.fullmatch(
        r"\d{6}", response._get_param("TokenCode") or ""
    ):
        raise AwsError("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code.", 403)
    return True


def _get_session_token(self: Any) -> Any:
    from moto.core.responses import ActionResult

    who = callers.current()
    if who.token_issued_at is not None or who.type not in ("IAMUser", "Root"):
        raise AwsError("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)
    lifetime = timedelta(seconds=self._get_int_param("DurationSeconds", 43200))
    user = changed(who, mfa=_shows_mfa(self, who), source_ip="", user_agent="")
    return ActionResult({"Credentials": credentials.issue(user, str(who.principal_id), lifetime).wire()})


def _get_federation_token(self: Any) -> Any:
    from moto.core.responses import ActionResult

    who = callers.current()
    if who.type != "IAMUser" or who.token_issued_at is not None:
        raise AwsError("AccessDenied", "Cannot call GetFederationToken with session credentials", 403)
    name = self._get_param("Name")
    arn = f"arn:{credentials.PARTITION}:sts::{who.account}:federated-user/{name}"
    federated = Caller(
        type="FederatedUser",
        account=who.account,
        arn=arn,
        principal_id=f"{who.account}:{name}",
        issuer_arn=who.arn,
        issuer_name=who.user_name,
        session_name=name,
        session_policies=_session_policies(self),
    )
    lifetime = timedelta(seconds=self._get_int_param("DurationSeconds", 43200))
    session = credentials.issue(federated, str(who.principal_id), lifetime)
    user = {"FederatedUserId": federated.principal_id, "Arn": arn}
    return ActionResult({"Credentials": session.wire(), "FederatedUser": user, "PackedPolicySize": 6})


def _get_caller_identity(self: Any) -> Any:
    from moto.core.responses import ActionResult

    who = callers.current()
    return ActionResult({"UserId": who.principal_id, "Account": who.account, "Arn": who.arn})


def _get_access_key_info(self: Any) -> Any:
    from moto.core.responses import ActionResult

    key = self._get_param("AccessKeyId")
    account = credentials.account_of(key)
    if account is None:
        raise AwsError("ValidationError", f"Access key {key} is not valid")
    return ActionResult({"Account": account})


def _decode_authorization_message(self: Any) -> Any:
    from moto.core.responses import ActionResult

    return ActionResult({"DecodedMessage": auth.decode_message(self._get_param("EncodedMessage"))})


def _no_federation(self: Any) -> Any:
    raise AwsError(
        "NotImplementedByMoto", "the lab has no SAML or OIDC sessions: their credentials would not be checked"
    )
