"""Objects that an AWS service writes into a bucket: authorised, owned, recorded and logged as anybody's writes are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lab import access_logs, s3_authorization, s3_state, s3_versions, trail, trail_s3
from lab.access_logs import Access
from lab.caller import Caller
from lab.errors import AwsError
from lab.s3_actions import Need


def may_put(writer: Caller, bucket_name: str, key: str) -> bool:
    """Whether only an ACL lets `writer` write the object; raises NoSuchBucket or AccessDenied if nothing does."""
    if s3_state.find(bucket_name) is None:
        raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404, BucketName=bucket_name)
    return s3_authorization.only_by_acl(s3_authorization.authorize(Need("s3:PutObject", bucket_name, key), writer))


def put(
    writer: Caller,
    bucket_name: str,
    key: str,
    body: bytes,
    *,
    at: datetime,
    metadata: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
) -> None:
    """Write the object as it stood at `at` (UTC, aware); AwsError if the bucket is gone or does not let the writer.

    Where ACLs count and the bucket's owner is preferred, it comes with bucket-owner-full-control; under ObjectWriter it is
    the writer's alone. AWS does not document that (notes/aws.md 7.2): this is the harsher reading.
    """
    from moto.s3.models import s3_backends

    by_acl = may_put(writer, bucket_name, key)
    bucket: Any = s3_state.find(bucket_name)
    backend = s3_backends[bucket.account_id][bucket.partition]
    stored = backend.put_object(bucket_name, key, body)
    stored.last_modified = at.replace(tzinfo=None)
    stored.set_metadata({f"x-amz-meta-{name}": value for name, value in (metadata or {}).items()})
    if tags:
        backend.tagger.tag_resource(stored.arn, [{"Key": k, "Value": v} for k, v in tags.items()])
    acl = "bucket-owner-full-control" if s3_state.ownership(bucket) == s3_state.PREFERRED else "private"
    s3_versions.lock(bucket, stored, {})
    s3_versions.own(bucket, stored, writer, {"ACL": acl})
    _record(writer, bucket, key, acl, len(body), at, by_acl)


def _record(writer: Caller, bucket: Any, key: str, acl: str, size: int, at: datetime, by_acl: bool) -> None:
    trail.record_service(
        "s3.amazonaws.com",
        "PutObject",
        writer,
        account=str(bucket.account_id),
        region=bucket.region_name,
        at=at,
        object_arn=s3_state.arn(bucket.name, key),
        requestParameters={"bucketName": bucket.name, "key": key, "x-amz-acl": acl},
        additionalEventData={"bytesTransferredIn": size, **({"aclRequired": "Yes"} if by_acl else {})},
        resources=[trail_s3.object_resource(bucket.name, key), trail_s3.bucket_resource(bucket.name)],
    )
    access_logs.append(
        Access(
            bucket.name,
            "REST.PUT.OBJECT",
            access_logs.requester(writer),
            key=key,
            at=at,
            remote_ip=None,
            request_uri=f"PUT /{bucket.name}/{key} HTTP/1.1",
            object_size=size,
            user_agent=writer.user_agent,
            acl_required=by_acl,
        )
    )
