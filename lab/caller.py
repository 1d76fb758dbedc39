"""Who makes the request in hand, in CloudTrail's words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from decisions.policy import Policy

CallerType = Literal["IAMUser", "AssumedRole", "FederatedUser", "Root", "AWSService", "AWSAccount", "Anonymous"]


@dataclass(frozen=True)
class Caller:
    """An authenticated caller (or Anonymous); session fields are None for long-term credentials."""

    type: CallerType
    account: str | None
    """Twelve digits; None for AWS services and anonymous requests."""
    arn: str | None = None
    """As CloudTrail writes it: the session ARN for role sessions. None for services and anonymous requests."""
    principal_id: str | None = None
    """`AIDA…`, `AROA…:session`, the account id for Root, a canonical id for an AWS-owned account."""
    access_key_id: str | None = None
    user_name: str | None = None
    issuer_arn: str | None = None
    """The role's ARN behind a session (path included), the user's behind a federated one."""
    issuer_name: str | None = None
    session_name: str | None = None
    token_issued_at: datetime | None = None
    expires_at: datetime | None = None
    source_identity: str | None = None
    session_policies: tuple[Policy, ...] = ()
    mfa: bool = False
    source_ip: str = "127.0.0.1"
    """For a service: its DNS name, as CloudTrail has it."""
    user_agent: str = "-"
    invoked_by: str | None = None
    """`vmie.amazonaws.com` when a service acts, on its own or for the caller."""

    @property
    def canonical_id(self) -> str | None:
        """S3's 64 hex digits of the caller's account; None for services and anonymous requests."""
        if self.type == "AWSAccount" and self.principal_id and len(self.principal_id) == 64:
            return self.principal_id
        return canonical_id(self.account) if self.account else None


ANONYMOUS = Caller(type="Anonymous", account=None)

_current: ContextVar[Caller | None] = ContextVar("lab_caller", default=None)


def current() -> Caller:
    """The caller of the request in hand; LookupError outside one (seeding code names its account itself)."""
    caller = _current.get()
    if caller is None:
        raise LookupError("no request in hand: in-process code must pass the account explicitly")
    return caller


def in_request() -> bool:
    """Whether a request is in hand, or the lab's own in-process code (seeding, state machines) runs."""
    return _current.get() is not None


@contextmanager
def acting(caller: Caller) -> Iterator[Caller]:
    """Make `caller` the current one for a block: used by the gate, and by state machines that act as a service."""
    token = _current.set(caller)
    try:
        yield caller
    finally:
        _current.reset(token)


def canonical_id(account: str) -> str:
    """The account's S3 canonical user id: 64 hex digits, stable, distinct for each account."""
    return hashlib.sha256(f"s3-canonical-user:{account}".encode()).hexdigest()


def service(name: str) -> Caller:
    """An AWS service acting on its own (`vmie.amazonaws.com`)."""
    return Caller(type="AWSService", account=None, source_ip=name, user_agent=name, invoked_by=name)
