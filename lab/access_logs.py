"""S3 server access logs in their 27 fields, for buckets that have logging switched on (notes/aws.md 5)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any
from urllib.parse import quote

from lab import caller as callers
from lab import clock, trail, trail_record, trail_s3
from lab.answers import Answer, read_answer
from lab.caller import Caller
from lab.install import replace
from lab.wire import Call


@dataclass(frozen=True)
class Line:
    """One line on its way to its target bucket."""

    target_bucket: str
    target_prefix: str
    text: str


@dataclass(frozen=True)
class Access:
    """What one line tells; None is written as `-`."""

    bucket: str
    operation: str
    """`REST.GET.OBJECT`."""
    requester: str | None
    """An ARN, a canonical id (root users, AWS's own accounts), None for anonymous."""
    key: str | None = None
    at: datetime = field(default_factory=clock.now)
    remote_ip: str | None = None
    request_id: str = field(default_factory=lambda: secrets.token_hex(8).upper())
    host_id: str = field(default_factory=lambda: secrets.token_urlsafe(57))
    request_uri: str | None = None
    status: int = 200
    error_code: str | None = None
    bytes_sent: int | None = None
    object_size: int | None = None
    user_agent: str | None = None
    version_id: str | None = None
    signature_version: str | None = "SigV4"
    authentication: str | None = "AuthHeader"
    host: str | None = None
    acl_required: bool = False


_lock = Lock()
_lines: list[Line] = []


def install() -> None:
    """Stop moto's own access logs, which name neither requester nor operation."""
    from moto.s3.models import S3Backend

    replace(S3Backend, "log_incoming_request", lambda *_: None)


def append(access: Access) -> None:
    """Write one line, if the bucket has logging switched on: for calls, and for services that write into buckets."""
    bucket: Any = trail_s3.bucket(access.bucket)
    if bucket is None or not bucket.logging:
        return
    owner = callers.canonical_id(str(bucket.account_id))
    line = Line(bucket.logging["TargetBucket"], bucket.logging.get("TargetPrefix") or "", text_of(access, owner))
    with _lock:
        _lines.append(line)


def text_of(access: Access, owner: str) -> str:
    """The line: 27 fields, quotes in the request URI and the user agent left as the client sent them."""
    fields = [
        owner,
        access.bucket,
        access.at.strftime("[%d/%b/%Y:%H:%M:%S +0000]"),
        access.remote_ip,
        access.requester,
        access.request_id,
        access.operation,
        None if access.key is None else quote(access.key, safe="/-_.~"),
        f'"{access.request_uri}"' if access.request_uri else None,
        access.status,
        access.error_code,
        access.bytes_sent or None,
        access.object_size,
        12,
        11,
        '"-"',
        f'"{access.user_agent or "-"}"',
        access.version_id,
        access.host_id,
        access.signature_version,
        "TLS_AES_128_GCM_SHA256",
        access.authentication,
        access.host,
        "TLSv1.3",
        None,
        "Yes" if access.acl_required else None,
        None,
    ]
    return " ".join("-" if value is None else str(value) for value in fields)


def record(call: Call, caller: Caller, answer: Answer, at: datetime) -> None:
    """The lines of one S3 call: a copy writes one where it reads, too."""
    if call.service != "s3" or not call.params.get("Bucket"):
        return
    failed = answer.status >= 400
    code, _ = trail_record.error_of(call, answer, read_answer(call, answer) if failed else {})
    uri = str(call.environ.get("RAW_URI") or "-")
    common: dict[str, Any] = {
        "requester": requester(caller),
        "at": at,
        "remote_ip": caller.source_ip,
        "request_id": call.request_id,
        "host_id": call.host_id,
        "request_uri": f"{call.method} {uri} HTTP/1.1",
        "status": answer.status,
        "error_code": code,
        "user_agent": caller.user_agent,
        "signature_version": ("SigV2" if "Signature" in call.query else "SigV4") if call.access_key_id else None,
        "authentication": ("QueryString" if call.presigned else "AuthHeader") if call.access_key_id else None,
        "host": call.header("host"),
        "acl_required": trail.noted("aclRequired") == "Yes",
    }
    sent = 0 if call.method == "HEAD" else len(answer.body)
    key = call.params.get("Key")
    version = call.params.get("VersionId")
    size = None if key is None or failed else _size(call, answer)
    own = Access(
        call.params["Bucket"], operation(call), key=key, version_id=version, bytes_sent=sent, object_size=size, **common
    )
    append(own)
    if source := trail_s3.copy_source(call):
        reading = "REST.COPY.PART_GET" if call.operation == "UploadPartCopy" else "REST.COPY.OBJECT_GET"
        append(Access(source[0], reading, key=source[1], object_size=_stored(*source), **common))


def requester(caller: Caller) -> str | None:
    """As S3 names it: the ARN of users and sessions, the canonical id of root users and AWS's accounts, None for nobody."""
    if caller.type in ("IAMUser", "AssumedRole", "FederatedUser"):
        return caller.arn
    return f"svc:{caller.invoked_by}" if caller.type == "AWSService" else caller.canonical_id


def _size(call: Call, answer: Answer) -> int | None:
    if call.operation in ("PutObject", "UploadPart"):
        return len(call.body)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if total := headers.get("content-range", "").rpartition("/")[2]:
        return int(total)
    if call.operation == "HeadObject":
        return int(headers.get("content-length", "0"))
    return len(answer.body) if call.operation == "GetObject" else _stored(call.params["Bucket"], call.params["Key"])


def _stored(bucket: str, key: str) -> int | None:
    found: Any = trail_s3.bucket(bucket)
    stored = found.keys.get(key) if found is not None else None
    return getattr(stored, "size", None)


def undelivered() -> list[Line]:
    """Lines written since the last call of this, each once."""
    with _lock:
        lines = list(_lines)
        _lines.clear()
    return lines


def reset() -> None:
    """Forget lines not delivered."""
    with _lock:
        _lines.clear()


OPERATIONS = {
    "GetObject": "REST.GET.OBJECT",
    "HeadObject": "REST.HEAD.OBJECT",
    "PutObject": "REST.PUT.OBJECT",
    "DeleteObject": "REST.DELETE.OBJECT",
    "DeleteObjects": "REST.POST.MULTI_OBJECT_DELETE",
    "CopyObject": "REST.COPY.OBJECT",
    "UploadPartCopy": "REST.COPY.PART",
    "CreateMultipartUpload": "REST.POST.UPLOADS",
    "UploadPart": "REST.PUT.PART",
    "CompleteMultipartUpload": "REST.POST.UPLOAD",
    "AbortMultipartUpload": "REST.DELETE.UPLOAD",
    "ListParts": "REST.GET.UPLOAD",
    "ListMultipartUploads": "REST.GET.UPLOADS",
    "ListObjects": "REST.GET.BUCKET",
    "ListObjectsV2": "REST.GET.BUCKET",
    "ListObjectVersions": "REST.GET.BUCKETVERSIONS",
    "HeadBucket": "REST.HEAD.BUCKET",
    "CreateBucket": "REST.PUT.BUCKET",
    "DeleteBucket": "REST.DELETE.BUCKET",
    "GetBucketLocation": "REST.GET.LOCATION",
}
RESOURCES = {
    "acl": "ACL",
    "policy": "BUCKETPOLICY",
    "policyStatus": "POLICY_STATUS",
    "logging": "LOGGING_STATUS",
    "versioning": "VERSIONING",
    "publicAccessBlock": "PUBLIC_ACCESS_BLOCK",
    "ownershipControls": "OWNERSHIP_CONTROLS",
    "encryption": "ENCRYPTION",
    "lifecycle": "LIFECYCLE",
    "notification": "NOTIFICATION",
    "replication": "REPLICATION",
    "object-lock": "OBJECT_LOCK",
    "retention": "OBJECT_RETENTION",
    "legal-hold": "OBJECT_LEGAL_HOLD",
    "attributes": "OBJECT_ATTRIBUTES",
    "website": "WEBSITE",
    "cors": "CORS",
}


def operation(call: Call) -> str:
    """REST.<verb>.<resource>."""
    if call.operation in OPERATIONS:
        return OPERATIONS[str(call.operation)]
    if "tagging" in call.query:
        return f"REST.{call.method}.{'OBJECT_TAGGING' if 'Key' in call.params else 'TAGGING'}"
    resource = next((name for part, name in RESOURCES.items() if part in call.query), None)
    return f"REST.{call.method}.{resource or ('OBJECT' if 'Key' in call.params else 'BUCKET')}"
