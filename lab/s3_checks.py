"""What S3 refuses whoever asks: wrong checksums, changed copy sources, ranges that are not there, ACLs where they do not count."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import zlib
from datetime import datetime
from typing import Any

from lab import caller as callers
from lab import clock, s3_acl, s3_actions, s3_state
from lab.errors import AwsError
from lab.s3_actions import Source
from lab.wire import Call

COPY_MAX_BYTES = int(os.environ.get("LAB_S3_COPY_MAX_BYTES", 5 * 1024**3))
"""The largest object that CopyObject copies in one go: 5 GiB as with AWS; small, to try copies in parts."""
COPIES = ("CopyObject", "UploadPartCopy")
OF_UPLOAD = ("UploadPart", "UploadPartCopy", "CompleteMultipartUpload", "ListParts", "AbortMultipartUpload")
LOCKING = ("ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus")


def check(call: Call) -> None:
    """Raise AwsError for what S3 refuses; the caller is authorised already."""
    bucket = s3_state.find(call.params.get("Bucket"))
    if call.operation == "CreateBucket":
        _check_new_bucket(call)
    if bucket is None:
        return
    if call.operation in OF_UPLOAD:
        _check_upload(call, bucket)
    if call.operation in ("PutObject", "UploadPart"):
        _check_digests(call)
    if source := s3_actions.source(call.params):
        _check_source(call, source)
    if call.operation in ("PutObject", "CopyObject", "CreateMultipartUpload"):
        _check_object_acl(call, bucket)
        _check_lock(call, bucket)


# ---- bodies


def _check_digests(call: Call) -> None:
    """BadDigest where a checksum that came along is not the body's."""
    body = body_of(call)
    given = {
        "Content-MD5": (call.params.get("ContentMD5"), lambda: hashlib.md5(body, usedforsecurity=False).digest()),
        "SHA256": (call.params.get("ChecksumSHA256"), lambda: hashlib.sha256(body).digest()),
        "SHA1": (call.params.get("ChecksumSHA1"), lambda: hashlib.sha1(body, usedforsecurity=False).digest()),
        "CRC32": (call.params.get("ChecksumCRC32"), lambda: zlib.crc32(body).to_bytes(4, "big")),
    }
    for name, (said, digest) in given.items():
        if said is not None and str(said) != base64.b64encode(digest()).decode():
            text = f"The {name} you specified did not match the calculated checksum."
            raise AwsError("BadDigest", text, 400)


def body_of(call: Call) -> bytes:
    """The object's own bytes: without the chunks in which a stream is signed."""
    if "aws-chunked" not in (call.header("content-encoding") or ""):
        return call.body
    rest, found = call.body, b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if length == 0:
            break
        found, rest = found + rest[:length], rest[length + 2 :]
    return found


# ---- copies and uploads


def _check_source(call: Call, source: Source) -> None:
    bucket = s3_state.find(source.bucket)
    if bucket is None:
        raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404, BucketName=source.bucket)
    stored = s3_state.version(bucket, source.key, source.version_id)
    if stored is None or s3_state.is_marker(stored):
        if source.version_id is not None:
            raise AwsError("NoSuchVersion", "The specified version does not exist.", 404, Key=source.key)
        raise AwsError("NoSuchKey", "The specified key does not exist.", 404, Key=source.key)
    etag = stored.etag.strip('"')
    if _tag(call.params.get("CopySourceIfMatch"), etag) not in (None, etag):
        raise _precondition("x-amz-copy-source-If-Match")
    if _tag(call.params.get("CopySourceIfNoneMatch"), "") == etag:
        raise _precondition("x-amz-copy-source-If-None-Match")
    if call.operation == "CopyObject" and stored.size > COPY_MAX_BYTES:
        text = (
            f"The specified copy source is larger than the maximum allowable size for a copy source: {COPY_MAX_BYTES}"
        )
        raise AwsError("InvalidRequest", text, 400)
    _check_range(call.params.get("CopySourceRange"), stored.size)


def _tag(said: Any, anything: str) -> str | None:
    text = None if said is None else str(said).strip('"')
    return anything if text == "*" else text


def _precondition(condition: str) -> AwsError:
    text = "At least one of the pre-conditions you specified did not hold"
    return AwsError("PreconditionFailed", text, 412, Condition=condition)


def _check_range(said: Any, size: int) -> None:
    if said is None:
        return
    found = re.fullmatch(r"bytes=(\d+)-(\d+)", str(said))
    if found is None or int(found[1]) > int(found[2]):
        raise AwsError("InvalidArgument", "The x-amz-copy-source-range value must be of the form bytes=first-last", 400)
    if int(found[2]) >= size:
        raise AwsError("InvalidArgument", f"Range specified is not valid for source object of size: {size}", 400)


def _check_upload(call: Call, bucket: Any) -> None:
    upload = bucket.multiparts.get(call.params.get("UploadId"))
    if upload is not None and upload.key_name == call.params["Key"]:
        return
    stored = s3_state.version(bucket, call.params["Key"])
    finished = getattr(getattr(stored, "multipart", None), "id", None) == call.params.get("UploadId")
    if call.operation == "CompleteMultipartUpload" and finished:
        return  # completing twice answers twice
    text = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
    raise AwsError("NoSuchUpload", text, 404, UploadId=str(call.params.get("UploadId")))


# ---- ACLs and ownership


def _check_new_bucket(call: Call) -> None:
    """A new bucket blocks public ACLs, and has none at all unless another ownership is asked for."""
    me = callers.current().canonical_id or ""
    grants = s3_acl.asked(call.params, me, me)
    if grants is None or grants == s3_acl.private(me):
        return
    if call.params.get("ObjectOwnership", s3_state.ENFORCED) == s3_state.ENFORCED:
        text = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"
        raise AwsError("InvalidBucketAclWithObjectOwnership", text, 400)
    if s3_acl.is_public(grants):
        text = "Bucket cannot have public ACLs set with BlockPublicAccess enabled"
        raise AwsError("InvalidBucketAclWithBlockPublicAccessError", text, 400)


def _check_object_acl(call: Call, bucket: Any) -> None:
    own = s3_state.owner(bucket)
    grants = s3_acl.asked(call.params, callers.current().canonical_id or own, own)
    if grants is not None:
        check_acl(bucket, grants, full_control=call.params.get("ACL") == "bucket-owner-full-control")


def check_acl(bucket: Any, grants: s3_acl.Grants, *, full_control: bool = False) -> None:
    """Refuse ACLs where they do not count, but the one that says what holds anyway; and public ones where blocked."""
    if not s3_state.acls_count(bucket) and not full_control:
        raise AwsError("AccessControlListNotSupported", "The bucket does not allow ACLs", 400)
    if s3_acl.is_public(grants) and s3_state.blocks(bucket, str(bucket.account_id)).acls:
        text = "because public ACLs are prevented by the BlockPublicAcls setting in S3 Block Public Access"
        raise AwsError("AccessDenied", f"Access Denied {text}", 403)


# ---- Object Lock


def _check_lock(call: Call, bucket: Any) -> None:
    if not any(name in call.params for name in LOCKING):
        return
    if not bucket.object_lock_enabled:
        raise AwsError("InvalidRequest", "Bucket is missing Object Lock Configuration", 400)
    if ("ObjectLockMode" in call.params) != ("ObjectLockRetainUntilDate" in call.params):
        text = "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied"
        raise AwsError("InvalidArgument", text, 400)
    if "ObjectLockRetainUntilDate" in call.params:
        check_future(call.params["ObjectLockRetainUntilDate"])


def check_future(until: datetime) -> None:
    """InvalidArgument for a retention that has passed by the lab's clock."""
    if until.replace(tzinfo=None) <= clock.utcnow():
        raise AwsError("InvalidArgument", "The retain until date must be in the future!", 400)
