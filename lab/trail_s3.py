"""How CloudTrail names S3's calls, parameters and resources, and which of them are data events."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import xmltodict

from lab.answers import Answer
from lab.wire import Call

EVENT_NAMES = {
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "DeleteBucketPublicAccessBlock",
    "ListObjectsV2": "ListObjects",
    "PutBucketLifecycleConfiguration": "PutBucketLifecycle",
    "GetBucketLifecycleConfiguration": "GetBucketLifecycle",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
}
LISTS = {"ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads", "HeadBucket"}


def event_name(call: Call) -> str:
    """CloudTrail's name of an operation: the API's own but for S3's older ones and the account's settings."""
    name = str(call.operation)
    if call.service == "s3control" and name.endswith("PublicAccessBlock"):
        return name.replace("Public", "AccountPublic")
    return EVENT_NAMES.get(name, name) if call.service == "s3" else name


def is_data_event(call: Call) -> bool:
    """Object-level calls and listings are data events, everything on the bucket itself is a management event."""
    return call.service == "s3" and (
        "Key" in call.params or call.operation in LISTS or call.operation == "DeleteObjects"
    )


def bucket(name: str | None) -> Any | None:
    """moto's bucket of that name, whoever owns it; None if there is none."""
    from moto.s3.models import s3_backends

    partition, account = s3_backends.bucket_accounts.get(name, (None, None))
    return None if account is None else s3_backends[account][partition].buckets.get(name)


def bucket_owner(name: str | None) -> str | None:
    """The account that owns the bucket, None if there is none."""
    found = bucket(name)
    return None if found is None else str(found.account_id)


def bucket_region(name: str | None) -> str | None:
    """The bucket's Region, None if there is no such bucket."""
    found = bucket(name)
    return None if found is None else str(found.region_name)


def copy_source(call: Call) -> tuple[str, str] | None:
    """Bucket and key that a copy reads; None for other calls."""
    source = call.params.get("CopySource")
    if not isinstance(source, str):
        return None
    name, _, key = unquote(source.split("?versionId=")[0]).lstrip("/").partition("/")
    return name, key


def request_parameters(call: Call) -> dict[str, Any] | None:
    """bucketName, Host, key, the query as it stood, x-amz-… headers, and the document of what is put."""
    name = call.params.get("Bucket")
    found: dict[str, Any] = {"bucketName": name} if name else {}
    found["Host"] = call.header("host") or ""
    if "Key" in call.params:
        found["key"] = call.params["Key"]
    found |= {k: v for k, v in call.query.items() if not k.startswith("X-Amz-S") and k not in ("Signature", "x-id")}
    for key in sorted(call.environ):
        header = key.removeprefix("HTTP_").replace("_", "-").lower()
        if key.startswith("HTTP_X_AMZ_") and header.startswith(KEPT_HEADERS):
            found[header] = call.environ[key]
    if call.operation == "PutBucketPolicy":
        found["bucketPolicy"] = _json(call.body)
    elif call.method == "PUT" and "Key" not in call.params and call.body.lstrip().startswith(b"<"):
        found |= xmltodict.parse(call.body, attr_prefix="")  # `xmlns` stands there under its own name
    return found


KEPT_HEADERS = ("x-amz-acl", "x-amz-grant", "x-amz-copy", "x-amz-server-side", "x-amz-storage", "x-amz-object-lock")


def _json(body: bytes) -> Any:
    import json

    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def response_elements(answer: Answer) -> dict[str, Any] | None:
    """The x-amz-… headers of the answer that tell what was made."""
    kept = ("x-amz-version-id", "x-amz-server-side-encryption", "x-amz-copy-source-version-id", "x-amz-delete-marker")
    found = {name.lower(): value for name, value in answer.headers.items() if name.lower() in kept}
    return found or None


def additional(call: Call, answer: Answer) -> dict[str, Any]:
    """How it was signed and how much went either way."""
    if call.access_key_id is None:
        signed: dict[str, Any] = {}
    else:
        v4 = "Signature" not in call.query
        method = "QueryString" if call.presigned else "AuthHeader"
        signed = {"SignatureVersion": "SigV4" if v4 else "SigV2", "AuthenticationMethod": method}
    sent = 0 if call.method == "HEAD" else len(answer.body)
    return {
        **signed,
        "CipherSuite": "TLS_AES_128_GCM_SHA256",
        "bytesTransferredIn": len(call.body),
        "x-amz-id-2": call.host_id,
        "bytesTransferredOut": sent,
    }


def resources(call: Call) -> list[dict[str, Any]]:
    """Object and bucket, with the bucket's owner."""
    name = call.params.get("Bucket")
    if not name:
        return []
    found = [object_resource(name, call.params["Key"])] if "Key" in call.params else []
    if call.operation in LISTS:
        found = [{"type": "AWS::S3::Object", "ARNPrefix": f"arn:aws:s3:::{name}/"}]
    return [*found, bucket_resource(name)]


def object_resource(name: str, key: str) -> dict[str, Any]:
    return {"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::{name}/{key}"}


def bucket_resource(name: str) -> dict[str, Any]:
    owner = bucket_owner(name)
    return {**({"accountId": owner} if owner else {}), "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{name}"}
