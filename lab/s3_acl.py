"""ACLs: read from requests, kept on moto's buckets and objects, and turned into Allow statements for the one evaluator."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from lab import credentials
from lab.errors import AwsError

GROUPS = "http://acs.amazonaws.com/groups"
ALL_USERS = f"{GROUPS}/global/AllUsers"
AUTHENTICATED = f"{GROUPS}/global/AuthenticatedUsers"
LOG_DELIVERY = f"{GROUPS}/s3/LogDelivery"
PUBLIC = (ALL_USERS, AUTHENTICATED)
PERMISSIONS = ("READ", "WRITE", "READ_ACP", "WRITE_ACP", "FULL_CONTROL")
CANONICAL_ID = re.compile(r"[0-9a-f]{64}")
SID = "lab:acl"
"""Marks the statements that an ACL was turned into."""
BUCKET_ACTIONS = {
    "READ": ("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"),
    "WRITE": ("s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"),
    "READ_ACP": ("s3:GetBucketAcl",),
    "WRITE_ACP": ("s3:PutBucketAcl",),
}
OBJECT_ACTIONS = {
    "READ": ("s3:GetObject", "s3:GetObjectVersion"),
    "READ_ACP": ("s3:GetObjectAcl", "s3:GetObjectVersionAcl"),
    "WRITE_ACP": ("s3:PutObjectAcl", "s3:PutObjectVersionAcl"),
}
CANNED: dict[str, tuple[tuple[str, str], ...]] = {
    "private": (),
    "public-read": ((ALL_USERS, "READ"),),
    "public-read-write": ((ALL_USERS, "READ"), (ALL_USERS, "WRITE")),
    "authenticated-read": ((AUTHENTICATED, "READ"),),
    "log-delivery-write": ((LOG_DELIVERY, "WRITE"), (LOG_DELIVERY, "READ_ACP")),
    "bucket-owner-read": (("bucket-owner", "READ"),),
    "bucket-owner-full-control": (("bucket-owner", "FULL_CONTROL"),),
    "aws-exec-read": (("6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c", "READ"),),
}


@dataclass(frozen=True)
class Grant:
    """One permission for a canonical id or a group's URI."""

    grantee: str
    permission: str

    @property
    def group(self) -> bool:
        return self.grantee.startswith(GROUPS)


Grants = tuple[Grant, ...]


def private(owner: str) -> Grants:
    """The owner, and nobody else."""
    return (Grant(owner, "FULL_CONTROL"),)


def asked(params: dict[str, Any], owner: str, bucket_owner: str) -> Grants | None:
    """The ACL that a request asks for, None where it asks for none; AwsError for one that is not well formed."""
    headers = [(params[name], permission) for name, permission in HEADERS.items() if name in params]
    canned, document = params.get("ACL"), params.get("AccessControlPolicy")
    if canned and headers:
        raise AwsError("InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed", 400)
    if canned:
        if canned not in CANNED:
            raise AwsError("InvalidArgument", f"Invalid canned ACL: {canned}", 400)
        mine = tuple(Grant(bucket_owner if who == "bucket-owner" else who, what) for who, what in CANNED[canned])
        return tuple(dict.fromkeys((*private(owner), *mine)))
    if headers:
        return tuple(Grant(who, permission) for text, permission in headers for who in _grantees(text))
    return None if document is None else _of_document(document, owner)


HEADERS = {
    "GrantFullControl": "FULL_CONTROL",
    "GrantRead": "READ",
    "GrantReadACP": "READ_ACP",
    "GrantWrite": "WRITE",
    "GrantWriteACP": "WRITE_ACP",
}


def _grantees(text: str) -> Iterable[str]:
    for part in text.split(","):
        kind, _, value = part.strip().partition("=")
        yield _checked({"id": "ID", "uri": "URI", "emailAddress": "EmailAddress"}.get(kind, kind), value.strip('"'))


def _of_document(document: dict[str, Any], owner: str) -> Grants:
    said = (document.get("Owner") or {}).get("ID")
    if not said:
        raise _malformed()
    if said != owner:
        raise AwsError("AccessDenied", "Access Denied", 403)
    found = []
    for grant in document.get("Grants") or []:
        grantee = grant.get("Grantee") or {}
        kind = next((k for k in ("ID", "URI", "EmailAddress") if grantee.get(k)), "")
        if grant.get("Permission") not in PERMISSIONS or not kind:
            raise _malformed()
        found.append(Grant(_checked(kind, grantee[kind]), grant["Permission"]))
    return tuple(found)


def _checked(kind: str, value: str) -> str:
    if kind == "ID" and CANONICAL_ID.fullmatch(value):
        return value
    if kind == "URI" and value in (ALL_USERS, AUTHENTICATED, LOG_DELIVERY):
        return value
    if kind == "EmailAddress":
        text = "The e-mail address you provided does not match any account on record."
        raise AwsError("UnresolvableGrantByEmailAddress", text, 400)
    raise AwsError("InvalidArgument", "Invalid id" if kind == "ID" else "Invalid group uri", 400, ArgumentValue=value)


def _malformed() -> AwsError:
    text = "The XML you provided was not well-formed or did not validate against our published schema"
    return AwsError("MalformedACLError", text, 400)


def of(acl: Any, owner: str) -> Grants:
    """The grants of a moto ACL; moto's one constant owner stands for whoever owns the thing."""
    from moto.s3.models import OWNER

    return tuple(
        Grant(grantee.uri or (owner if grantee.id == OWNER else grantee.id), permission)
        for grant in (acl.grants if acl is not None else ())
        for grantee in grant.grantees
        for permission in grant.permissions
    )


def kept(grants: Grants) -> Any:
    """The grants as moto keeps them."""
    from moto.s3.models import FakeAcl, FakeGrant, FakeGrantee

    return FakeAcl(
        [
            FakeGrant([FakeGrantee(uri=g.grantee) if g.group else FakeGrantee(grantee_id=g.grantee)], [g.permission])
            for g in grants
        ]
    )


def is_public(grants: Grants) -> bool:
    """Whether everybody, or everybody with some AWS account, is granted anything."""
    return any(g.grantee in PUBLIC for g in grants)


def statements(grants: Grants, own: str, resources: list[str], actions: dict[str, tuple[str, ...]]) -> list[Any]:
    """Allow statements that say the same as the grants; those to the own account leave it to IAM and say nothing."""
    found: list[dict[str, Any]] = []
    for grant in grants:
        wanted = [grant.permission] if grant.permission != "FULL_CONTROL" else list(actions)
        allowed = [action for permission in wanted for action in actions.get(permission, ())]
        if not allowed or grant.grantee == own:
            continue
        statement: dict[str, Any] = {"Sid": SID, "Effect": "Allow", "Action": allowed, "Resource": resources}
        if not grant.group:
            found.append({**statement, "Principal": {"CanonicalUser": grant.grantee}})
        elif grant.grantee == LOG_DELIVERY:
            found.append({**statement, "Principal": {"Service": "logging.s3.amazonaws.com"}})
        else:
            signed = {"Condition": {"Null": {"aws:PrincipalAccount": "false"}}}
            found.append({**statement, "Principal": "*", **(signed if grant.grantee == AUTHENTICATED else {})})
    return found


def xml(owner: str, grants: Grants) -> str:
    """AccessControlPolicy as GetBucketAcl and GetObjectAcl answer it."""
    listed = "".join(
        f'<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:type="{"Group" if g.group else "CanonicalUser"}">'
        f"{f'<URI>{escape(g.grantee)}</URI>' if g.group else f'<ID>{escape(g.grantee)}</ID>'}</Grantee>"
        f"<Permission>{g.permission}</Permission></Grant>"
        for g in grants
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Owner><ID>{owner}</ID></Owner><AccessControlList>{listed}</AccessControlList></AccessControlPolicy>"
    )


def bucket_resource(name: str) -> list[str]:
    """What a bucket's ACL is about: the bucket, and writing objects into it."""
    return [f"arn:{credentials.PARTITION}:s3:::{name}", f"arn:{credentials.PARTITION}:s3:::{name}/*"]
