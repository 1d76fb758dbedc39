"""One question, several stores: what the investigation asks of logs, in a form that every kind of store can answer.

A store searches by a `Query` of plain fields. It says what part of the period it really searched; what it could not read
is a gap in a sentence, never an answer that nothing was there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, cast

from pydantic import AwareDatetime

from decisions.activity import LogAnswer, LogRecord
from decisions.evidence import Coverage, Frozen
from decisions.export import ExportApi

DELAY = timedelta(minutes=15)
"""How late CloudTrail may deliver an event (AWS: management events within about 15 minutes, data events within 5)."""

ROLE_CALLS = (
    "AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "GetSessionToken", "GetFederationToken",
)  # fmt: skip
SIGN_IN_CALLS = (
    "ConsoleLogin", "CheckMfa", "SwitchRole", "ExitRole", "RenewRole", "GetSigninToken", "PasswordRecoveryRequested",
    "PasswordRecoveryCompleted", "UserAuthentication", "Federate", "CredentialChallenge", "CredentialVerification", *ROLE_CALLS,
)  # fmt: skip
"""How a person or a session comes to credentials: the console, IAM Identity Center, STS."""
IMAGE_CALLS = ("CreateImage", "CopyImage", "RegisterImage", "CreateRestoreImageTask", "ImportImage")
PERMISSION_CALLS = (
    "AttachUserPolicy", "AttachRolePolicy", "AttachGroupPolicy", "PutUserPolicy", "PutRolePolicy", "PutGroupPolicy",
    "DetachUserPolicy", "DetachRolePolicy", "DeleteUserPolicy", "DeleteRolePolicy", "CreatePolicyVersion",
    "SetDefaultPolicyVersion", "AddUserToGroup", "CreateUser", "CreateRole", "CreateAccessKey", "UpdateAccessKey",
    "CreateLoginProfile", "UpdateLoginProfile", "UpdateAssumeRolePolicy", "PutUserPermissionsBoundary",
    "PutRolePermissionsBoundary", "DeleteUserPermissionsBoundary", "DeleteRolePermissionsBoundary",
    "CreateBucket", "PutBucketPolicy", "DeleteBucketPolicy", "PutBucketAcl", "PutBucketOwnershipControls",
    "PutBucketPublicAccessBlock", "DeleteBucketPublicAccessBlock", "PutAccountPublicAccessBlock", "PutBucketReplication",
)  # fmt: skip
OBJECT_CALLS = (
    "GetObject", "CopyObject", "UploadPartCopy", "SelectObjectContent", "GetObjectTorrent", "RestoreObject", "HeadObject",
    "GetObjectAttributes", "CreateRestoreImageTask",
    "REST.GET.OBJECT", "REST.HEAD.OBJECT", "REST.COPY.OBJECT_GET", "REST.COPY.PART_GET", "WEBSITE.GET.OBJECT",
    "REST.COPY.OBJECT", "REST.COPY.PART", "REST.GET.TORRENT", "REST.SELECT.OBJECT",
)  # fmt: skip
"""Everything that reads an object or shows that somebody knew of it; what counts as a download is for decisions/exposure.py."""


class Scope(Frozen):
    """Where and when to search."""

    accounts: tuple[str, ...]
    regions: tuple[str, ...]
    since: AwareDatetime
    until: AwareDatetime

    def covers(self, moment: datetime) -> bool:
        """Whether a moment is within the period."""
        return self.since <= moment <= self.until


class ObjectPlace(Frozen):
    """An object, or every object whose key begins with `key`."""

    bucket: str
    key: str
    key_is_prefix: bool = False

    def holds(self, bucket: str | None, key: str | None) -> bool:
        """Whether a bucket and key are of this place."""
        if bucket != self.bucket or key is None:
            return False
        return key.startswith(self.key) if self.key_is_prefix else key == self.key


class Query(Frozen):
    """All fields that are not empty must hold; of the values of one field any."""

    access_key_ids: tuple[str, ...] = ()
    """Of the caller."""
    principals: tuple[str, ...] = ()
    """ARNs of users, roles or sessions, or names of users and sessions."""
    event_names: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    """Texts of which one is the whole value of some field of request or response."""
    place: ObjectPlace | None = None
    """The object that was touched."""
    data: bool = False
    """Data events and access logs; else management events."""

    def matches(self, record: LogRecord) -> bool:
        """Whether a record answers the query; account, Region and time are for the scope."""
        return (
            (not self.access_key_ids or record.access_key_id in self.access_key_ids)
            and (not self.event_names or record.event_name in self.event_names)
            and (not self.principals or bool(set(self.principals) & callers(record)))
            and (not self.mentions or bool(set(self.mentions) & set(leaves(record))))
            and (self.place is None or any(self.place.holds(b, k) for b, k in objects_of(record)))
        )


class LogStore(Protocol):
    """The questions of the investigation. Records are oldest first."""

    def activity(self, access_key_ids: Sequence[str], scope: Scope) -> LogAnswer:
        """What was called with these access keys."""
        ...

    def by_principal(self, principals: Sequence[str], scope: Scope) -> LogAnswer:
        """What users, roles or sessions (ARNs or names) called, with whatever key."""
        ...

    def permission_changes(self, scope: Scope) -> LogAnswer:
        """Changes of identities, policies, keys and of who reads buckets."""
        ...

    def exports(self, scope: Scope) -> LogAnswer:
        """Requests to export a machine image, refused ones included."""
        ...

    def object_reads(self, place: ObjectPlace, scope: Scope) -> LogAnswer:
        """Everything that read the object or asked about it."""
        ...

    def credential_origin(self, access_key_id: str, scope: Scope) -> LogAnswer:
        """The STS call that gave out a temporary access key."""
        ...

    def authentication(self, principals: Sequence[str], scope: Scope) -> LogAnswer:
        """How users, roles or sessions (ARNs or names of people) signed in and changed roles, refused attempts included."""
        ...

    def image_origin(self, image_id: str, scope: Scope) -> LogAnswer:
        """The call that made an image."""
        ...


class Searching(ABC):
    """A LogStore for a store that can search by a Query."""

    @abstractmethod
    def search(self, query: Query, scope: Scope) -> LogAnswer:
        """The records that match, oldest first, and how far the search reached."""

    def activity(self, access_key_ids: Sequence[str], scope: Scope) -> LogAnswer:
        """What was called with these access keys."""
        return self.search(Query(access_key_ids=tuple(access_key_ids)), scope)

    def by_principal(self, principals: Sequence[str], scope: Scope) -> LogAnswer:
        """What users, roles or sessions (ARNs or names) called."""
        return self.search(Query(principals=tuple(principals)), scope)

    def permission_changes(self, scope: Scope) -> LogAnswer:
        """Changes of identities, policies, keys and of who reads buckets."""
        return self.search(Query(event_names=PERMISSION_CALLS), scope)

    def exports(self, scope: Scope) -> LogAnswer:
        """Requests to export a machine image."""
        return self.search(Query(event_names=tuple(ExportApi)), scope)

    def object_reads(self, place: ObjectPlace, scope: Scope) -> LogAnswer:
        """Everything that read the object or asked about it."""
        return self.search(Query(event_names=OBJECT_CALLS, place=place, data=True), scope)

    def credential_origin(self, access_key_id: str, scope: Scope) -> LogAnswer:
        """The STS call that gave out a temporary access key."""
        return self.search(Query(event_names=ROLE_CALLS, mentions=(access_key_id,)), scope)

    def authentication(self, principals: Sequence[str], scope: Scope) -> LogAnswer:
        """How users, roles or sessions (ARNs or names of people) signed in and changed roles."""
        return self.search(Query(event_names=SIGN_IN_CALLS, principals=tuple(principals)), scope)

    def image_origin(self, image_id: str, scope: Scope) -> LogAnswer:
        """The call that made an image."""
        return self.search(Query(event_names=IMAGE_CALLS, mentions=(image_id,)), scope)


def answer(
    records: Iterable[LogRecord],
    scope: Scope,
    gaps: Iterable[str],
    now: datetime,
    at_most: int,
    left_out: int = 0,
    delay: timedelta = DELAY,
) -> LogAnswer:
    """Records, each once, oldest first; the period ends where deliveries may still be under way.

    `left_out`: older records that the store found and did not keep. `delay`: how late a delivery may be.
    """
    once = {r.event_id: r for r in records}
    ordered = sorted(once.values(), key=lambda r: (r.time, r.event_id))
    missing = list(dict.fromkeys(gaps))
    left_out += max(0, len(ordered) - at_most)
    if left_out:
        total = left_out + min(len(ordered), at_most)
        missing.append(f"{total} records answer; the {left_out} oldest were left out.")
    until = max(scope.since, min(scope.until, now - delay))
    coverage = Coverage(searched_from=scope.since, searched_to=until, complete=not missing, gaps=tuple(missing))
    return LogAnswer(records=tuple(ordered[-at_most:]), coverage=coverage)


def callers(record: LogRecord) -> set[str]:
    """Every name under which a record tells of its caller."""
    arn = record.principal_arn or ""
    signed_in = record.additional.get("UserName")  # of Identity Center, which has no other name for them yet
    named = (arn, record.issuer_arn, record.user_name, record.source_identity, arn.rpartition("/")[2], signed_in)
    return {name for name in named if name and isinstance(name, str)}


def leaves(record: LogRecord) -> list[str]:
    """Every text in request and response."""
    found: list[str] = []
    rest: list[Any] = [record.request_parameters, record.response_elements]
    while rest:
        value = rest.pop()
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, dict):
            rest += cast("dict[str, Any]", value).values()
        elif isinstance(value, list):
            rest += cast("list[Any]", value)
    return found


def objects_of(record: LogRecord) -> list[tuple[str | None, str | None]]:
    """The objects (bucket, key) that a record touches, copies' sources included."""
    asked = record.request_parameters
    found: list[tuple[Any, Any]] = [
        (asked.get("bucketName"), asked.get("key")),
        (asked.get("bucket"), asked.get("objectKey")),
    ]
    restored = asked.get("CreateRestoreImageTaskRequest")
    if isinstance(restored, dict):
        found.append((restored.get("Bucket"), restored.get("ObjectKey")))
    source = asked.get("x-amz-copy-source")
    if isinstance(source, str):
        bucket, _, key = source.lstrip("/").partition("/")
        found += [(bucket, key.partition("?")[0])]
    for arn in record.resources:
        bucket, slash, key = arn.removeprefix("arn:aws:s3:::").partition("/")
        found += [(bucket, key)] if slash and arn.startswith("arn:aws:s3:::") else []
    return [(b, k) for b, k in found if isinstance(b, str) and isinstance(k, str)]
