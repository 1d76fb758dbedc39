"""moto's buckets and objects as S3 sees them: who owns what, whether ACLs count, what is blocked from the public."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lab import caller as callers
from lab import clock, credentials, trail_s3
from lab.caller import Caller

ENFORCED, PREFERRED, WRITER = "BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"


@dataclass(frozen=True)
class Blocks:
    """The public access block in force: the bucket's and its account's together."""

    acls: bool
    ignore_acls: bool
    policy: bool
    restrict: bool


def find(name: str | None) -> Any | None:
    """moto's bucket, whoever owns it; None if there is none."""
    return trail_s3.bucket(name)


def arn(name: str, key: str | None = None) -> str:
    """ARN of a bucket, or of an object in it."""
    return f"arn:{credentials.PARTITION}:s3:::{name}" + (f"/{key}" if key is not None else "")


def owner(bucket: Any) -> str:
    """Canonical id of the bucket's owner."""
    return callers.canonical_id(str(bucket.account_id))


def ownership(bucket: Any) -> str:
    """Object ownership in force; a bucket without ownership controls behaves as ObjectWriter."""
    return str(bucket.ownership_rule or WRITER)


def acls_count(bucket: Any) -> bool:
    """Whether ACLs are looked at."""
    return ownership(bucket) != ENFORCED


def version(bucket: Any, key: str, version_id: str | None = None) -> Any | None:
    """A version of an object or a delete marker; the newest without an id; None if there is none."""
    stored = bucket.keys.getlist(key, [])
    if version_id is None:
        return stored[-1] if stored else None
    return next((v for v in stored if str(v.version_id) == version_id), None)


def is_marker(stored: Any) -> bool:
    """Whether it is a delete marker."""
    return type(stored).__name__ == "FakeDeleteMarker"


def object_owner(bucket: Any, stored: Any) -> str:
    """Canonical id of the object's owner: the bucket's, unless ACLs count and another account wrote it."""
    return owner(bucket) if not acls_count(bucket) else getattr(stored, "owner_id", None) or owner(bucket)


def owner_when_written(bucket: Any, writer: Caller, full_control: bool) -> str:
    """Who owns what `writer` writes; `full_control`: it comes with the canned ACL bucket-owner-full-control."""
    kept = ownership(bucket) == WRITER or (ownership(bucket) == PREFERRED and not full_control)
    return (writer.canonical_id if kept else None) or owner(bucket)


def policy_text(bucket: Any) -> str | None:
    """The bucket policy as it was put."""
    if bucket.policy is None:
        return None
    return bucket.policy.decode() if isinstance(bucket.policy, bytes) else str(bucket.policy)


def policy(bucket: Any) -> dict[str, Any] | None:
    """The bucket policy, parsed."""
    text = policy_text(bucket)
    return None if text is None else dict(json.loads(text))


def blocks(bucket: Any | None, account: str) -> Blocks:
    """What is blocked from the public: by the bucket's own settings or by the account's, which stand over them."""
    from moto.s3control.models import s3control_backends

    found = [
        block
        for block in (
            bucket.public_access_block if bucket is not None else None,
            s3control_backends[account][credentials.PARTITION].public_access_block,
        )
        if block
    ]
    return Blocks(
        acls=any(b.block_public_acls for b in found),
        ignore_acls=any(b.ignore_public_acls for b in found),
        policy=any(b.block_public_policy for b in found),
        restrict=any(b.restrict_public_buckets for b in found),
    )


def harden(bucket: Any) -> None:
    """What AWS gives each new bucket since 2023: BucketOwnerEnforced, no public access, SSE-S3."""
    from moto.s3.models import PublicAccessBlock

    bucket.creation_date = clock.now()
    bucket.ownership_rule = bucket.ownership_rule or ENFORCED
    bucket.public_access_block = PublicAccessBlock(True, True, True, True)
    bucket.encryption = default_encryption()


def default_encryption() -> dict[str, Any]:
    """SSE-S3, which a bucket has when nothing else was asked for."""
    return {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": "false"}}
