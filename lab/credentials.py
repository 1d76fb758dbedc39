"""Whose request is it: access keys, sessions and root keys, looked up and checked as AWS does before anything else."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from lab import clock, signature
from lab.caller import ANONYMOUS, Caller
from lab.errors import AwsError
from lab.wire import Call

PARTITION = "aws"


@dataclass(frozen=True)
class Session:
    """Temporary credentials, or a root user's key (no token, no expiry), with the caller that they stand for."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None
    caller: Caller
    principal_id: str
    """Unique id of the role or user behind it: a role made anew under the same name is another one."""

    @property
    def expires_at(self) -> datetime | None:
        return self.caller.expires_at

    def wire(self) -> dict[str, Any]:
        """As STS answers it."""
        return {
            "AccessKeyId": self.access_key_id,
            "SecretAccessKey": self.secret_access_key,
            "SessionToken": self.session_token,
            "Expiration": self.expires_at,
        }


_lock = Lock()
_sessions: dict[str, Session] = {}


def reset() -> None:
    """Forget every session and root key."""
    with _lock:
        _sessions.clear()


def issue(caller: Caller, principal_id: str, lifetime: timedelta) -> Session:
    """Temporary credentials for a caller, issued now by the lab's clock."""
    from moto.iam.utils import generate_access_key_id_from_account_id

    now = clock.now()
    key = generate_access_key_id_from_account_id(str(caller.account), prefix="ASIA", total_length=20)
    stamped = replace(caller, access_key_id=key, token_issued_at=now, expires_at=now + lifetime)
    token = "IQoJb3JpZ2luX2Vj" + base64.b64encode(secrets.token_bytes(180)).decode()
    return _keep(Session(key, secrets.token_urlsafe(30), token, stamped, principal_id))


def issue_root_key(account: str) -> Session:
    """A long-term key of the account's root user."""
    from moto.iam.utils import generate_access_key_id_from_account_id

    if not (account.isdigit() and len(account) == 12):
        raise ValueError(f"not an account id: {account!r}")
    key = generate_access_key_id_from_account_id(account, prefix="AKIA", total_length=20)
    arn = f"arn:{PARTITION}:iam::{account}:root"
    root = Caller(type="Root", account=account, arn=arn, principal_id=account, access_key_id=key)
    return _keep(Session(key, secrets.token_urlsafe(30), None, root, account))


def _keep(session: Session) -> Session:
    with _lock:
        _sessions[session.access_key_id] = session
    return session


def account_of(access_key_id: str) -> str | None:
    """The account that a key belongs to, active or not; None for a key that never was, or was deleted."""
    with _lock:
        session = _sessions.get(access_key_id)
    if session is not None:
        return session.caller.account
    found = _iam_key(access_key_id)
    return found[0] if found else None


def authenticate(call: Call) -> Caller:
    """The caller, or AwsError in the service's own words: unknown, inactive, expired, wrong secret, no signature."""
    source = _source_ip(call)
    agent = call.header("user-agent") or "-"
    if call.access_key_id is None and call.header("authorization"):
        raise AwsError("AuthorizationHeaderMalformed", "The authorization header is malformed.", 400)
    if call.access_key_id is None:
        if call.service == "s3" or call.operation in ("AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"):
            return replace(ANONYMOUS, source_ip=source, user_agent=agent)
        raise _refusal(call, "missing")
    with _lock:
        session = _sessions.get(call.access_key_id)
    caller, secret = _of_session(call, session) if session else _of_user(call)
    if not signature.check(call, secret):
        raise _refusal(call, "signature")
    return replace(caller, source_ip=source, user_agent=agent)


def _of_session(call: Call, session: Session) -> tuple[Caller, str]:
    if session.session_token is not None:
        if not hmac.compare_digest(signature.token(call) or "", session.session_token):
            raise _refusal(call, "token")
        if session.expires_at is not None and clock.now() >= session.expires_at:
            raise _refusal(call, "expired")
    if session.caller.type != "Root" and not _principal_lives(session):
        raise _refusal(call, "unknown")
    return session.caller, session.secret_access_key


def _principal_lives(session: Session) -> bool:
    backend = iam(str(session.caller.account))
    holders = backend.roles.values() if session.caller.type == "AssumedRole" else backend.users.values()
    return any(holder.id == session.principal_id for holder in list(holders))


def _of_user(call: Call) -> tuple[Caller, str]:
    found = _iam_key(str(call.access_key_id))
    if found is None or found[1].status != "Active":
        raise _refusal(call, "unknown")
    if signature.token(call):
        raise _refusal(call, "token")
    account, key = found
    user = iam(account).users.get(key.user_name)
    if user is None:
        raise _refusal(call, "unknown")
    return user_caller(user, key.access_key_id), key.secret_access_key


def user_caller(user: Any, access_key_id: str | None) -> Caller:
    """The caller that an IAM user of moto's is."""
    return Caller(
        type="IAMUser",
        account=user.account_id,
        arn=user.arn,
        principal_id=user.id,
        access_key_id=access_key_id,
        user_name=user.name,
    )


def iam(account: str) -> Any:
    """moto's IAM backend of an account."""
    from moto.iam.models import iam_backends

    return iam_backends[account][PARTITION]


def accounts() -> Iterator[str]:
    """Every account that has an IAM backend so far."""
    from moto.iam.models import iam_backends

    yield from list(iam_backends)


def _iam_key(access_key_id: str) -> tuple[str, Any] | None:
    for account in accounts():
        key = iam(account).access_keys.get(access_key_id)
        if key is not None and key.user_name is not None:
            return account, key
    return None


def _source_ip(call: Call) -> str:
    """The lab's clients are all on loopback: who wants to come from elsewhere says so in X-Forwarded-For."""
    forwarded = (call.header("x-forwarded-for") or "").split(",")[0].strip()
    return forwarded or str(call.environ.get("REMOTE_ADDR") or "127.0.0.1")


INVALID = "The security token included in the request is invalid."
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)
EC2 = ("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
REFUSALS: dict[str, dict[str, tuple[str, str, int]]] = {
    "ec2": {
        "unknown": EC2,
        "token": EC2,
        "signature": EC2,
        "expired": ("RequestExpired", "Request has expired.", 400),
        "missing": ("MissingAuthenticationToken", "Request is missing Authentication Token", 403),
    },
    "s3": {
        "unknown": ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403),
        "token": ("InvalidToken", "The provided token is malformed or otherwise invalid.", 400),
        "signature": ("SignatureDoesNotMatch", MISMATCH, 403),
        "expired": ("ExpiredToken", "The provided token has expired.", 400),
    },
    "query": {
        "unknown": ("InvalidClientTokenId", INVALID, 403),
        "token": ("InvalidClientTokenId", INVALID, 403),
        "signature": ("SignatureDoesNotMatch", MISMATCH, 403),
        "expired": ("ExpiredToken", "The security token included in the request is expired", 403),
        "missing": ("MissingAuthenticationToken", "Request is missing Authentication Token", 403),
    },
    "json": {
        "unknown": ("UnrecognizedClientException", INVALID, 400),
        "token": ("UnrecognizedClientException", INVALID, 400),
        "signature": ("InvalidSignatureException", MISMATCH, 403),
        "expired": ("ExpiredTokenException", "The security token included in the request is expired", 400),
        "missing": ("MissingAuthenticationTokenException", "Missing Authentication Token", 400),
    },
}


def _refusal(call: Call, why: str) -> AwsError:
    family = call.service if call.service in ("ec2", "s3") else "json" if call.protocol.endswith("json") else "query"
    code, message, status = REFUSALS[family][why]
    fields = {"AWSAccessKeyId": str(call.access_key_id)} if (family, why) == ("s3", "unknown") else {}
    return AwsError(code, message, status, **fields)
