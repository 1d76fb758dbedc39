"""What ties a copy in the forensics account to a case and to one version of the source, and the custody entry of it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from decisions.evidence import utc
from decisions.findings import Findings
from decisions.plan import COPY_KIND
from decisions.receipt import Receipt
from tasks.actions.base import State
from tasks.actions.object_copy import Destination, Source
from tasks.actions.object_versions import versions_of

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

PREFIX = "vmx-"


def destination_key(case_id: str, source: Source) -> str:
    """Where the copy of one version lies: the same for every run of the case, and no longer than S3 allows."""
    name = source.key.rsplit("/", 1)[-1].encode()[-200:].decode(errors="ignore")
    return f"{case_id}/{_digest(source)}/{name}"


def source_name(bucket: str, key: str, version_id: str | None) -> str:
    """How a version is named in plans and receipts."""
    return f"{bucket}/{key}@{version_id or 'null'}"


def copied(findings: Findings, bucket: str, key: str, version_id: str | None) -> Receipt | None:
    """The verified receipt of the copy of this version in this case."""
    wanted = f"{COPY_KIND}:{source_name(bucket, key, version_id)}"
    return next((r for r in findings.receipts if r.action_id == wanted and r.verification.verified), None)


def proof(case_id: str, source: Source, sha256: str, by: str, method: str) -> dict[str, str]:
    """The object metadata of a copy: what it is a copy of, for which case, by whom, when and how."""
    made = {"sha256": sha256, "by": by, "at": utc(datetime.now(UTC)), "method": method}
    return _ties(case_id, source) | {PREFIX + name: value for name, value in made.items()}


def find_copy(s3: S3Client, case_id: str, source: Source, to: Destination) -> State | None:
    """The copy of exactly this version for this case, with its proof and its lock; None when there is none."""
    ties = _ties(case_id, source)
    for version in versions_of(s3, to.account, to.bucket, to.key):
        if version["delete_marker"]:
            continue
        place: Any = {"Bucket": to.bucket, "Key": to.key, "VersionId": version["version_id"]}
        head: Any = s3.head_object(**place, ExpectedBucketOwner=to.account)
        metadata: dict[str, str] = head["Metadata"]
        if ties.items() <= metadata.items() and PREFIX + "sha256" in metadata:
            proved = {name.removeprefix(PREFIX): metadata[name] for name in metadata if name.startswith(PREFIX)}
            found = {"version_id": version["version_id"], "size_bytes": head["ContentLength"]}
            return found | proved | _retention(s3, to.account, place)
    return None


def custody(source: Source, to: Destination, found: State) -> dict[str, Any]:
    """One entry of the chain of custody: what, from where, to where, by whom, when, how, and proved by what."""
    return {
        "source": source.arn,
        "source_account": source.account,
        "source_version": source.version_id,
        "sha256": found["sha256"],
        "size_bytes": found["size_bytes"],
        "etag": source.etag,
        "by": found["by"],
        "at": found["at"],
        "method": found["method"],
        "destination": f"arn:aws:s3:::{to.bucket}/{to.key}",
        "destination_account": to.account,
        "destination_version": found["version_id"],
        "retention": {"mode": found["lock_mode"], "until": found["retain_until"]},
    }


def _digest(source: Source) -> str:
    text = f"{source.account}\n{source.bucket}\n{source.key}\n{source.version_id}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _ties(case_id: str, source: Source) -> dict[str, str]:
    """Object metadata is ASCII and 2 KB at most, so the source's name, which may be neither, goes in as a digest."""
    ties = {
        "case": case_id,
        "source": _digest(source),
        "source-version": source.version_id,
        "source-etag": source.etag,
    }
    return {PREFIX + name: value for name, value in ties.items()}


def _retention(s3: S3Client, owner: str, place: Any) -> State:
    try:
        kept: Any = s3.get_object_retention(**place, ExpectedBucketOwner=owner)["Retention"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "NoSuchObjectLockConfiguration":
            raise
        return {"lock_mode": None, "retain_until": None}
    return {"lock_mode": kept["Mode"], "retain_until": kept["RetainUntilDate"].astimezone(UTC).isoformat()}
