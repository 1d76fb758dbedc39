"""The versions of one key, as S3 lists them (strongly consistent)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def etag_of(quoted: str) -> str:
    """An ETag without the quotes that S3 puts around it."""
    return quoted.strip('"')


def versions_of(s3: S3Client, account: str, bucket: str, key: str) -> list[dict[str, Any]]:
    """Versions and delete markers of exactly this key, newest first; `version_id` is `null` where none was given.

    Source: s3:ListObjectVersions. Raises ClientError.
    """
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key, ExpectedBucketOwner=account)
    found: list[dict[str, Any]] = []
    for page in pages:
        entries: list[tuple[Any, bool]] = [(v, False) for v in page.get("Versions", [])]
        entries += [(m, True) for m in page.get("DeleteMarkers", [])]
        for entry, marker in entries:
            if entry["Key"] == key:
                found.append(_version(entry, marker))
    return sorted(found, key=lambda v: (v["last_modified"], v["version_id"]), reverse=True)


def _version(entry: Any, marker: bool) -> dict[str, Any]:
    return {
        "version_id": entry.get("VersionId") or "null",
        "etag": "" if marker else etag_of(entry["ETag"]),
        "size_bytes": 0 if marker else entry["Size"],
        "delete_marker": marker,
        "last_modified": entry["LastModified"].isoformat(),
    }
