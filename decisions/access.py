"""Who may read a bucket's objects beyond its own account: what policy, ACL and public access block together allow.

Everything is answered True, False or None: a condition that is not known decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, cast

from decisions.organization import Organization
from decisions.resources import BucketState

EVERYBODY = (
    "http://acs.amazonaws.com/groups/global/AllUsers",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
)
LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery"
CLOUDFRONT_LOGS = "c4c1ede66af53448b93c283ce9448c4ba468c9432aa01d700d3878632f77d2d0"
"""Canonical id of `awslogsdelivery`, which writes CloudFront's standard logs by a bucket's ACL and by nothing else."""
READS = ("FULL_CONTROL", "READ")
"""Permissions of a bucket's ACL that let somebody list it; its objects have ACLs of their own."""
READING = ("s3:getobject", "s3:getobjectversion", "s3:listbucket")
KEEPS_INSIDE = (
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourcevpce",
    "aws:sourcevpc",
    "aws:principalaccount",
)
"""Condition keys that keep a statement for everybody from being public, as S3's own check has it."""


def is_public(bucket: BucketState) -> bool | None:
    """Whether anybody at all may read it; None where a condition decides. Account-wide blocks are not considered."""
    block = bucket.public_access_block
    by_acl = (
        any(g.grantee_uri in EVERYBODY and g.permission in READS for g in bucket.acl.grants)
        and bucket.ownership != "BucketOwnerEnforced"
    )
    if by_acl and not (block and block.ignore_public_acls):
        return True
    if block and block.restrict_public_buckets:
        return False
    return _any(_open(s) for s in _allows(bucket) if "*" in principals(s))


def outsiders(bucket: BucketState, organization: Organization) -> tuple[str, ...]:
    """Principals outside the organisation that policy or ACL name: ARNs and account ids; not everybody (`is_public`)."""
    named = [p for s in _allows(bucket) for p in principals(s)]
    return tuple(dict.fromkeys(p for p in named if (account := account_of(p)) and not _ours(account, organization)))


def strangers(bucket: BucketState) -> tuple[str, ...]:
    """Canonical user ids with a grant, other than the owner: AWS's own export service, or an account that only AWS can name."""
    granted = [g.grantee_id for g in bucket.acl.grants if g.grantee_id and g.grantee_id != bucket.acl.owner_id]
    named = [p.removeprefix("CanonicalUser:") for s in _allows(bucket) for p in principals(s) if p.startswith("Canon")]
    return tuple(dict.fromkeys((*granted, *named)))


def principals(statement: dict[str, Any]) -> tuple[str, ...]:
    """Whom a statement names: `*`, ARNs, account ids, `CanonicalUser:…`, `Service:…`; `*` for NotPrincipal."""
    principal = statement.get("Principal", "*" if "NotPrincipal" in statement else None)
    if isinstance(principal, str):
        return (principal,)
    found: list[str] = []
    for kind, named in cast("dict[str, Any]", principal or {}).items():
        values = cast("list[Any]", named) if isinstance(named, list) else [named]
        found += [str(v) if kind == "AWS" else f"{kind}:{v}" for v in values]
    return tuple(found)


def account_of(principal: str) -> str | None:
    """The account id of an ARN or a bare id; None for anything else."""
    if principal.isdigit() and len(principal) == 12:
        return principal
    parts = principal.split(":")
    return parts[4] if principal.startswith("arn:") and len(parts) > 5 and len(parts[4]) == 12 else None


def _ours(account: str, organization: Organization) -> bool:
    return organization.owns(account) or account in (organization.management_account, organization.forensics_account)


def _allows(bucket: BucketState) -> Iterator[dict[str, Any]]:
    """Allow statements of the policy that let somebody read or list objects; a policy that is no JSON has none."""
    try:
        document: Any = json.loads(bucket.policy) if bucket.policy else {}
    except ValueError:
        return
    told: Any = cast("dict[str, Any]", document).get("Statement") if isinstance(document, dict) else None
    for item in cast("list[Any]", told) if isinstance(told, list) else [told]:
        if isinstance(item, dict):
            statement = cast("dict[str, Any]", item)
            if statement.get("Effect") == "Allow" and _reads(statement):
                yield statement


def _reads(statement: dict[str, Any]) -> bool:
    if "NotAction" in statement:
        return True
    action: Any = statement.get("Action", ())
    listed = cast("list[Any]", action) if isinstance(action, list) else [action]
    return any(fnmatchcase(read, str(a).lower()) for a in listed for read in READING)


def _open(statement: dict[str, Any]) -> bool | None:
    condition = cast("dict[str, dict[str, Any]]", statement.get("Condition") or {})
    keys = {str(key).lower() for tests in condition.values() for key in tests}
    if not keys:
        return True
    return False if keys & set(KEEPS_INSIDE) else None


def _any(answers: Iterator[bool | None]) -> bool | None:
    listed = list(answers)
    return True if True in listed else None if None in listed else False
