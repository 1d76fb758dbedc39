"""What is kept: versions and delete markers as S3 keeps them, Object Lock on copies and uploads in parts, owners and ACLs of objects."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from lab import caller as callers
from lab import s3_acl, s3_actions, s3_state, wire
from lab.caller import Caller
from lab.install import replace
from lab.wire import Call


def install() -> None:
    """Replace how moto stores, deletes and assembles objects."""
    from moto.s3.models import S3Backend

    put = replace(S3Backend, "put_object", lambda self, *a, **k: _put(put, self, *a, **k))
    begin = replace(S3Backend, "create_multipart_upload", lambda self, *a, **k: _begin(begin, self, *a, **k))
    end = replace(S3Backend, "complete_multipart_upload", lambda self, *a, **k: _end(end, self, *a, **k))
    replace(S3Backend, "delete_object", delete)


def _put(original: Any, backend: Any, bucket_name: str, key_name: str, *args: Any, **kwargs: Any) -> Any:
    """Where versioning is suspended, only the version `null` is replaced; moto would drop every one."""
    bucket = backend.get_bucket(bucket_name)
    if bucket.versioning_status != "Suspended":
        return original(backend, bucket_name, key_name, *args, **kwargs)
    before = dict.pop(bucket.keys, key_name, [])
    stored = original(backend, bucket_name, key_name, *args, **kwargs)
    _keep(bucket, key_name, [*(v for v in before if v.version_id != "null"), stored])
    return stored


def delete(
    backend: Any, bucket_name: str, key_name: str, version_id: str | None = None, bypass: Any = False
) -> tuple[bool, dict[str, str]]:
    """Remove a version, or put a delete marker on top; AccessDenied for a locked version. As moto's: (deleted, headers)."""
    from moto.s3.exceptions import AccessDeniedByLock

    bucket = backend.get_bucket(bucket_name)
    versions = list(bucket.keys.getlist(key_name, []))
    if version_id is not None:
        target = next((v for v in versions if str(v.version_id) == version_id), None)
        if target is None:
            return True, {"version-id": version_id}
        if not s3_state.is_marker(target) and target.is_locked(governance_bypass=str(bypass).lower() == "true"):
            raise AccessDeniedByLock
        _keep(bucket, key_name, [v for v in versions if v is not target])
        marker = {"delete-marker": "true"} if s3_state.is_marker(target) else {}
        return True, ({"version-id": version_id} if bucket.versioning_status else {}) | marker
    if bucket.versioning_status is None:
        _keep(bucket, key_name, [])
        return bool(versions), {}
    marker = _marker(key_name, "null" if bucket.versioning_status == "Suspended" else str(uuid.uuid4()))
    kept = versions if bucket.is_versioned else [v for v in versions if v.version_id != "null"]
    _keep(bucket, key_name, [*kept, marker])
    return True, {"version-id": marker.version_id, "delete-marker": "true"}


def _keep(bucket: Any, key_name: str, versions: list[Any]) -> None:
    bucket.keys.setlist(key_name, versions)  # closes the files of those that are not kept
    if not versions:
        dict.pop(bucket.keys, key_name, None)  # moto's own pop stumbles over delete markers


def _marker(key_name: str, version_id: str) -> Any:
    from moto.s3.models import FakeDeleteMarker

    class Named:
        name = key_name

    made = FakeDeleteMarker(key=Named())  # type: ignore[arg-type] - of the key a marker reads the name alone
    made._version_id = version_id
    return made


# ---- uploads in parts


def _begin(original: Any, backend: Any, *args: Any, **kwargs: Any) -> Any:
    """What was asked for at the beginning holds for the object at the end."""
    upload = original(backend, *args, **kwargs)
    call = wire.current()
    upload.asked = dict(call.params) if call is not None else {}
    upload.writer = callers.current() if callers.in_request() else None
    return upload


def _end(original: Any, backend: Any, bucket_name: str, multipart_id: str, body: Any) -> Any:
    bucket = backend.get_bucket(bucket_name)
    upload = bucket.multiparts[multipart_id]
    stored = original(backend, bucket_name, multipart_id, body)
    if stored is not None:
        lock(bucket, stored, upload.asked)
        if upload.writer is not None:
            own(bucket, stored, upload.writer, upload.asked)
    return stored


# ---- what a stored object is given


def written(call: Call, writer: Caller) -> None:
    """After PutObject and CopyObject: lock, owner and ACL of what was stored. moto gave it the bucket's ACL."""
    bucket = s3_state.find(call.params["Bucket"])
    stored = s3_state.version(bucket, call.params["Key"])
    if bucket is None or stored is None:
        raise LookupError(f"{call.params['Bucket']}/{call.params['Key']} is not there after it was written")
    lock(bucket, stored, call.params)
    own(bucket, stored, writer, call.params)


def lock(bucket: Any, stored: Any, asked: dict[str, Any]) -> None:
    """Object Lock as asked for, else the bucket's default retention."""
    if not bucket.object_lock_enabled:
        return
    if "ObjectLockMode" in asked:
        stored.lock_mode = asked["ObjectLockMode"]
        stored.lock_until = stamp(asked["ObjectLockRetainUntilDate"])
    elif bucket.has_default_lock:
        stored.lock_mode, stored.lock_until = bucket.default_lock_mode, bucket.default_retention()
    if "ObjectLockLegalHoldStatus" in asked:
        stored.lock_legal_status = asked["ObjectLockLegalHoldStatus"]


def own(bucket: Any, stored: Any, writer: Caller, asked: dict[str, Any]) -> None:
    """Owner and ACL: by the bucket's object ownership, the writer and the ACL that came along."""
    full_control = asked.get("ACL") == "bucket-owner-full-control"
    owner = s3_state.owner_when_written(bucket, writer, full_control)
    grants = s3_acl.asked(asked, owner, s3_state.owner(bucket)) if s3_state.acls_count(bucket) else None
    stored.owner_id = owner
    stored.set_acl(s3_acl.kept(grants or s3_acl.private(owner)))


def stamp(until: datetime) -> str:
    """A time as Object Lock keeps it."""
    return until.strftime("%Y-%m-%dT%H:%M:%SZ")


def prepare(call: Call, environ: dict[str, Any]) -> None:
    """moto asks copies into a lock bucket for a checksum, which only uploads need."""
    bucket = s3_state.find(call.params.get("Bucket"))
    if bucket is not None and bucket.object_lock_enabled and s3_actions.source(call.params):
        environ.setdefault("HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM", "CRC32")
