"""Which permissions each S3 operation needs, and on what: S3's part of AWS's service authorisation reference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from lab import s3_state
from lab.actions import Context
from lab.wire import Call


@dataclass(frozen=True)
class Need:
    """One permission on a bucket, or on one object of it; `on_object`: the object's owner and ACL decide, not the bucket's."""

    action: str
    bucket: str | None = None
    key: str | None = None
    version_id: str | None = None
    on_object: bool = False
    context: Context = field(default_factory=dict)

    @property
    def arn(self) -> str:
        return "*" if self.bucket is None else s3_state.arn(self.bucket, self.key)


@dataclass(frozen=True)
class Source:
    """What a copy reads."""

    bucket: str
    key: str
    version_id: str | None


# Operations on a bucket whose action has another name; of the others it is s3:<operation>.
BUCKET = {
    "CreateBucket": "CreateBucket",
    "DeleteBucket": "DeleteBucket",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketLifecycle": "GetLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycle": "PutLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketReplication": "GetReplicationConfiguration",
    "PutBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "GetBucketInventoryConfiguration": "GetInventoryConfiguration",
    "PutBucketInventoryConfiguration": "PutInventoryConfiguration",
    "ListBucketInventoryConfigurations": "GetInventoryConfiguration",
    **{
        name: name
        for name in (
            "GetBucketAcl", "PutBucketAcl", "GetBucketLocation", "GetBucketLogging", "PutBucketLogging",
            "GetBucketOwnershipControls", "PutBucketOwnershipControls", "GetBucketPolicy", "PutBucketPolicy",
            "DeleteBucketPolicy", "GetBucketPolicyStatus", "GetBucketTagging", "PutBucketTagging",
            "GetBucketVersioning", "PutBucketVersioning", "GetBucketWebsite", "PutBucketWebsite", "DeleteBucketWebsite",
        )
    },
}  # fmt: skip
# Operations on an object: the actions, `{v}` where a version has an action of its own.
OBJECT = {
    "GetObject": ("GetObject{v}",),
    "HeadObject": ("GetObject{v}",),
    "SelectObjectContent": ("GetObject{v}",),
    "GetObjectAttributes": ("GetObject{v}", "GetObject{v}Attributes"),
    "GetObjectAcl": ("GetObject{v}Acl",),
    "PutObjectAcl": ("PutObject{v}Acl",),
    "GetObjectTagging": ("GetObject{v}Tagging",),
    "PutObjectTagging": ("PutObject{v}Tagging",),
    "DeleteObjectTagging": ("DeleteObject{v}Tagging",),
    "GetObjectRetention": ("GetObjectRetention",),
    "PutObjectRetention": ("PutObjectRetention",),
    "GetObjectLegalHold": ("GetObjectLegalHold",),
    "PutObjectLegalHold": ("PutObjectLegalHold",),
    "RestoreObject": ("RestoreObject",),
}
READS = ("GetObject", "HeadObject", "SelectObjectContent", "GetObjectAttributes", "GetObjectAcl", "GetObjectTagging")
WRITES = {
    "PutObject": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "AbortMultipartUpload": "AbortMultipartUpload",
    "ListParts": "ListMultipartUploadParts",
}
ACL_PARAMS = ("ACL", "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP")


def needs(call: Call) -> list[Need]:
    """Every permission that the call needs; DeleteObjects asks object by object. NotImplementedError for unknown calls."""
    operation, params = str(call.operation), call.params
    context = _context(call)
    if operation == "ListBuckets":
        return [Need("s3:ListAllMyBuckets")]
    name = params.get("Bucket")
    if operation == "DeleteObjects":
        return []
    if operation in BUCKET:
        more = _with_new_bucket(params) if operation == "CreateBucket" else ()
        return [Need(f"s3:{action}", name, context=context) for action in (BUCKET[operation], *more)]
    if operation == "DeleteObject":
        return deletion(
            str(name), params["Key"], params.get("VersionId"), bool(params.get("BypassGovernanceRetention"))
        )
    if operation in OBJECT:
        return list(_object_needs(operation, params, context))
    if operation in WRITES:
        return list(_write_needs(call, context))
    raise NotImplementedError(operation)  # never let a call pass of which no permission is known


def deletion(bucket: str, key: str, version_id: str | None, bypass: bool) -> list[Need]:
    """What deleting an object, or one version of it, needs."""
    action = "s3:DeleteObject" if version_id is None else "s3:DeleteObjectVersion"
    found = [Need(action, bucket, key, version_id)]
    return [*found, Need("s3:BypassGovernanceRetention", bucket, key, version_id)] if bypass else found


def _with_new_bucket(params: dict[str, Any]) -> Iterator[str]:
    if any(name in params for name in ACL_PARAMS):
        yield "PutBucketAcl"
    if "ObjectOwnership" in params:
        yield "PutBucketOwnershipControls"
    if params.get("ObjectLockEnabledForBucket"):
        yield from ("PutBucketObjectLockConfiguration", "PutBucketVersioning")


def _object_needs(operation: str, params: dict[str, Any], context: Context) -> Iterator[Need]:
    bucket, key, version_id = str(params["Bucket"]), str(params["Key"]), params.get("VersionId")
    for action in OBJECT[operation]:
        named = action.format(v="Version" if version_id else "")
        yield Need(f"s3:{named}", bucket, key, version_id, on_object=True, context=context)
    if operation == "PutObjectRetention" and params.get("BypassGovernanceRetention"):
        yield Need("s3:BypassGovernanceRetention", bucket, key, version_id, on_object=True)
    found = s3_state.find(bucket)
    if operation in READS and found is not None and s3_state.version(found, key, version_id) is None:
        yield Need("s3:ListBucket", bucket)  # who may not list does not learn that there is no such object


def _write_needs(call: Call, context: Context) -> Iterator[Need]:
    operation, params = str(call.operation), call.params
    bucket, key = str(params["Bucket"]), str(params["Key"])
    yield Need(f"s3:{WRITES[operation]}", bucket, key, context=context)
    if any(name in params for name in ACL_PARAMS):
        yield Need("s3:PutObjectAcl", bucket, key, context=context)
    if params.get("Tagging"):
        yield Need("s3:PutObjectTagging", bucket, key, context=context)
    if "ObjectLockMode" in params or "ObjectLockRetainUntilDate" in params:
        yield Need("s3:PutObjectRetention", bucket, key, context=context)
    if "ObjectLockLegalHoldStatus" in params:
        yield Need("s3:PutObjectLegalHold", bucket, key, context=context)
    if read := source(params):
        version = "Version" if read.version_id else ""
        yield Need(f"s3:GetObject{version}", read.bucket, read.key, read.version_id, on_object=True)
        if operation == "CopyObject" and params.get("TaggingDirective") != "REPLACE" and _tagged(read):
            yield Need(f"s3:GetObject{version}Tagging", read.bucket, read.key, read.version_id, on_object=True)
            yield Need("s3:PutObjectTagging", bucket, key)


def source(params: dict[str, Any]) -> Source | None:
    """What a copy reads, None for other calls; a version id stands behind the key as a query."""
    text = params.get("CopySource")
    if not isinstance(text, str):
        return None
    path, _, query = text.partition("?versionId=")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    return Source(bucket, key, parse_qs(f"v={query}").get("v", [None])[0] if query else None)


def _tagged(read: Source) -> bool:
    bucket = s3_state.find(read.bucket)
    stored = None if bucket is None else s3_state.version(bucket, read.key, read.version_id)
    if bucket is None or stored is None or s3_state.is_marker(stored):
        return False
    from moto.s3.models import s3_backends

    tagger = s3_backends[bucket.account_id][bucket.partition].tagger
    return bool(tagger.get_tag_dict_for_resource(stored.arn))


KEYS = {
    "Prefix": "s3:prefix",
    "Delimiter": "s3:delimiter",
    "MaxKeys": "s3:max-keys",
    "VersionId": "s3:VersionId",
    "ACL": "s3:x-amz-acl",
    "GrantRead": "s3:x-amz-grant-read",
    "GrantFullControl": "s3:x-amz-grant-full-control",
    "CopySource": "s3:x-amz-copy-source",
    "ServerSideEncryption": "s3:x-amz-server-side-encryption",
    "StorageClass": "s3:x-amz-storage-class",
    "ObjectLockMode": "s3:object-lock-mode",
    "ObjectOwnership": "s3:x-amz-object-ownership",
}


def _context(call: Call) -> Context:
    """Condition keys of the request."""
    found = {key: (str(call.params[name]),) for name, key in KEYS.items() if name in call.params}
    found["s3:authType"] = ("REST-QUERY-STRING" if call.presigned else "REST-HEADER",)
    found["s3:signatureversion"] = ("AWS" if "Signature" in call.query else "AWS4-HMAC-SHA256",)
    return found
