"""Who called, as one record tells it: the kind of identity and credential, and the person or machine behind a session.

A session name is chosen by whoever assumed the role; a source identity cannot be changed along a chain; a role's name
is never a person (notes/aws.md 6).
"""

from __future__ import annotations

import re
from typing import Literal, TypeVar

from decisions.activity import LogRecord
from decisions.evidence import Frozen
from decisions.export import ExportEvent

SSO_ROLE = re.compile(r"AWSReservedSSO_(.+)_[0-9a-f]{16}")
INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
NAMED_BY_SDK = re.compile(r"(botocore-session|aws-sdk-[a-z]+|aws-go-sdk|AWSCLI-Session)(-?\d+)?")
"""Session names that software gives when nobody chose one."""

Credential = Literal["long-term", "temporary", "none"]


class Identity(Frozen):
    """Who called, as far as one record tells. Absent fields are None: not told, or there is no such thing."""

    principal_type: str | None = None
    """CloudTrail's userIdentity.type."""
    credential: Credential = "none"
    """`none`: the record names no access key."""
    account: str | None = None
    user_name: str | None = None
    """Of an IAM user; for SAML and web identities the name that the provider gave."""
    role_name: str | None = None
    session_name: str | None = None
    permission_set: str | None = None
    """Of Identity Center, when the role is its own (`AWSReservedSSO_…`)."""
    person: str | None = None
    person_from: str | None = None
    """Where the person was read: `sourceIdentity`, `session name`, `user name`."""
    machine: str | None = None
    """The instance whose role session it is, as the session's name has it."""
    service: str | None = None
    """The AWS service that called, on its own or for somebody."""
    principal_arn: str | None = None
    principal_id: str | None = None
    issuer_arn: str | None = None
    source_identity: str | None = None
    access_key_id: str | None = None

    @property
    def iam_arn(self) -> str | None:
        """ARN of the IAM user or role that policies are attached to; None where there is none or its path is not told."""
        if self.principal_type in {"AssumedRole", "FederatedUser"}:
            return self.issuer_arn
        return self.principal_arn if self.principal_type == "IAMUser" else None


I = TypeVar("I", bound=Identity)  # noqa: E741 - any kind of identity


def identify(kind: type[I], record: ExportEvent | LogRecord, **more: object) -> I:
    """The identity of a record's caller as a `kind`; `more` are fields of that kind beyond those of Identity."""
    arn = record.principal_arn or ""
    path = arn.split(":", 5)[5].split("/") if arn.count(":") >= 5 else [""]
    of_role = record.principal_type == "AssumedRole"
    role, session = _role_session(record, path)
    told = {
        "credential": _credential(record.access_key_id),
        "account": record.caller_account,
        "user_name": _user_name(record, path),
        "role_name": role if of_role else None,
        "session_name": session if of_role or record.principal_type == "FederatedUser" else None,
        "permission_set": sso[1] if of_role and (sso := SSO_ROLE.fullmatch(role or "")) else None,
        "machine": session if of_role and INSTANCE.fullmatch(session or "") else None,
        "service": record.invoked_by,
    }
    same = ("principal_type", "principal_arn", "principal_id", "issuer_arn", "source_identity", "access_key_id")
    identity = kind.model_validate({name: getattr(record, name) for name in same} | told | more)
    person, person_from = _person(identity)
    return identity.model_copy(update={"person": person, "person_from": person_from})


def names_of(identity: Identity) -> tuple[str, ...]:
    """Every name by which the person behind an identity may be known."""
    names = (identity.person, identity.source_identity, identity.user_name, _chosen(identity.session_name))
    return tuple(dict.fromkeys(name for name in names if name))


def _role_session(record: ExportEvent | LogRecord, path: list[str]) -> tuple[str | None, str | None]:
    if path[0] == "assumed-role" and len(path) == 3:
        return path[1], path[2]
    session = (record.principal_id or "").partition(":")[2] or None
    issuer = record.issuer_arn or ""
    return (issuer.rsplit("/", 1)[-1] if ":role/" in issuer else None), session


def _credential(key: str | None) -> Credential:
    if not key:
        return "none"
    return "temporary" if key.startswith("ASIA") else "long-term"


def _user_name(record: ExportEvent | LogRecord, path: list[str]) -> str | None:
    if record.principal_type in {"SAMLUser", "WebIdentityUser"}:
        told = record.user_name if isinstance(record, LogRecord) else None
        return told or (record.principal_id or "").rpartition(":")[2] or None
    return path[-1] if record.principal_type == "IAMUser" and path[0] == "user" else None


def _person(identity: Identity) -> tuple[str | None, str | None]:
    if identity.source_identity:
        return identity.source_identity, "sourceIdentity"
    if identity.user_name:
        return identity.user_name, "user name"
    name = _chosen(identity.session_name)
    return (name, "session name") if name else (None, None)


def _chosen(session_name: str | None) -> str | None:
    """The session name, unless an instance or an SDK made it."""
    if not session_name or INSTANCE.fullmatch(session_name) or NAMED_BY_SDK.fullmatch(session_name):
        return None
    return session_name
