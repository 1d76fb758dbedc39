"""Who it was: the caller, how to cut them off, and the chain of credentials back to where it began.

Carries out `triage.3`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import AwareDatetime

from decisions.activity import LogRecord
from decisions.evidence import Frozen, Known
from decisions.export import ExportEvent
from decisions.identity import Identity, identify, names_of

if TYPE_CHECKING:  # findings hold actors
    from decisions.findings import Findings

MAX_HOPS = 12

ChainEnd = Literal[
    "long-term-key", "saml", "web-identity", "identity-center", "service", "root", "other-account", "unresolved"
]


class Cut(Frozen):
    """Whether and how an identity can be cut off."""

    possible: bool
    """By actions of ours; if not, `how` says who has to do what."""
    actions: tuple[str, ...] = ()
    """Kinds of tasks/actions, in order."""
    target: str | None = None
    """ARN of the user or role; None where the record does not tell it."""
    how: str


class Hop(Identity):
    """One identity in a chain; hop 0 made the export, each next one obtained the credentials of the one before."""

    through: str | None = None
    """The call by which it obtained them (`AssumeRole`); None for hop 0."""
    event_id: str | None = None
    time: AwareDatetime | None = None
    origin: str | None = None
    """Where the record was read."""
    end: ChainEnd | None = None
    """Set on the last hop only: why the chain goes no further."""
    why: str | None = None
    """For `unresolved`: what is missing, in a sentence."""


class Actor(Identity):
    """Who made an export, how to cut them off, and the chain behind them where it was walked."""

    cut: Cut
    chain: tuple[Hop, ...] = ()
    """Of `chain()`; empty: not walked yet."""


def attribute(record: ExportEvent | LogRecord) -> Actor:
    """The identity that a record tells of, and how to cut it off; nothing is looked up."""
    identity = identify(Identity, record)
    return Actor(**identity.model_dump(), cut=cut(identity))


def chain(record: ExportEvent | LogRecord, records: Sequence[LogRecord]) -> tuple[Hop, ...]:
    """The identities behind a call, from the caller back to where its credentials began.

    `records`: STS calls (AssumeRole*, GetSessionToken, GetFederationToken) of the accounts concerned. The last hop says
    why the chain ends; what was not found is `unresolved`, never the end of the matter.
    """
    hops = [identify(Hop, record, event_id=record.event_id)]
    seen: set[str | None] = set()
    while (end := _natural_end(hops[-1])) is None:
        key = hops[-1].access_key_id
        granted = _grant(key, records) if key not in seen and len(hops) < MAX_HOPS else None
        if granted is None:
            return _ended(hops, "unresolved", _why_unresolved(key, seen, len(hops)))
        seen.add(key)
        read = {"event_id": granted.event_id, "time": granted.time, "origin": granted.origin}
        hops.append(identify(Hop, granted, through=granted.event_name, **read))
    return _ended(hops, end)


def persons(findings: Findings) -> tuple[str, ...]:
    """Every name under which the people behind a case's exports are known, each once; none of them may answer a gate."""
    identities = [i for export in findings.exports for i in (export.actor, *export.actor.chain)]
    names = {name for identity in identities for name in names_of(identity)}
    states = (p.value for p in findings.principals.values() if isinstance(p, Known))
    return tuple(sorted(names | {state.name for state in states if state.type == "user"}))


def cut(identity: Identity) -> Cut:
    """Whether and how an identity can be cut off (notes/aws.md 6)."""
    kind = identity.principal_type or ""
    if kind == "IAMUser":
        return _cut_user(identity)
    if kind == "AssumedRole":
        return _cut_role(identity)
    if kind == "FederatedUser":
        how = "Deny everything to the user who called GetFederationToken: the session outlives the user's access key."
        return Cut(possible=True, actions=("iam.deny-user",), target=identity.issuer_arn, how=how)
    return Cut(possible=False, how=_BY_HAND.get(kind, _NOT_TOLD))


_IDP = (
    "Disable the user at the identity provider, and remove the provider from the role's trust policy if it is not ours."
)
_BY_HAND = {
    "Root": "IAM cannot limit a root user: deny by SCP (not in the management account), change password and MFA, "
    "delete its access keys.",
    "AWSService": "A service called: change the resource in whose name it did.",
    "AWSAccount": "The caller belongs to another account: refuse that account in the resource's policy.",
    "SAMLUser": _IDP,
    "WebIdentityUser": _IDP,
    "IdentityCenterUser": "Disable the user in Identity Center and end their sessions.",
}
_NOT_TOLD = "The record does not tell what kind of identity called: find its record in CloudTrail first."
_SSO = "Roles of Identity Center cannot be edited: deny the user by SCP, end their sessions, remove the assignment."
_USER = "Deny everything to the user, then deactivate every access key."
_USER_SESSION = f"{_USER} The key used is of a session (console or GetSessionToken): only the deny ends it."
_ROLE = "Revoke the role's sessions. Whoever may assume it gets new ones: cut the identity before it in the chain too."
_MACHINE = "Revoke the role's sessions. {} gets new ones by itself: isolate it or take its profile off."


def _cut_user(user: Identity) -> Cut:
    how = _USER_SESSION if user.credential == "temporary" else _USER
    actions = ("iam.deny-user", "iam.deactivate-access-key")
    return Cut(possible=True, actions=actions, target=user.principal_arn, how=how)


def _cut_role(role: Identity) -> Cut:
    if role.permission_set:
        return Cut(possible=False, target=role.issuer_arn, how=_SSO)
    if ":role/aws-service-role/" in (role.issuer_arn or ""):
        return Cut(possible=False, target=role.issuer_arn, how=_BY_HAND["AWSService"])
    how = _MACHINE.format(role.machine) if role.machine else _ROLE
    return Cut(possible=True, actions=("iam.revoke-role-sessions",), target=role.issuer_arn, how=how)


_ENDS: dict[str, ChainEnd] = {
    "Root": "root",
    "SAMLUser": "saml",
    "WebIdentityUser": "web-identity",
    "IdentityCenterUser": "identity-center",
    "AWSService": "service",
}


def _natural_end(hop: Hop) -> ChainEnd | None:
    if hop.principal_type in _ENDS:
        return _ENDS[hop.principal_type]
    if hop.permission_set:
        return "identity-center"
    if hop.credential == "long-term":
        return "long-term-key"
    if hop.credential == "none" and hop.principal_type == "AWSAccount":
        return "other-account"
    return "service" if hop.credential == "none" and hop.service and not hop.principal_arn else None


def _ended(hops: list[Hop], end: ChainEnd, why: str | None = None) -> tuple[Hop, ...]:
    return (*hops[:-1], hops[-1].model_copy(update={"end": end, "why": why}))


def _grant(key: str | None, records: Sequence[LogRecord]) -> LogRecord | None:
    """The record of the call that gave out the key; of its copies in several accounts the one that names the caller."""
    given = [r for r in records if key and _key_given(r) == key]
    shared = {r.shared_event_id for r in given if r.shared_event_id}
    copies = [*given, *(r for r in records if r.shared_event_id in shared)]
    return max(copies, key=lambda r: (r.access_key_id is not None, r.principal_arn is not None), default=None)


def _key_given(record: LogRecord) -> object:
    credentials = record.response_elements.get("credentials")
    if record.event_source != "sts.amazonaws.com" or not isinstance(credentials, dict):
        return None
    return cast("dict[str, Any]", credentials).get("accessKeyId")


def _why_unresolved(key: str | None, seen: set[str | None], length: int) -> str:
    if key is None:
        return "The record names no access key, so the call that gave out the credentials cannot be looked for."
    if key in seen:
        return f"The chain comes back to {key}: identities that obtain each other's credentials."
    if length >= MAX_HOPS:
        return f"The chain is longer than {MAX_HOPS} hops."
    return f"No record was found of the call that gave out {key}."
