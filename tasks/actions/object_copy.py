"""The bytes of one object version: hashed by streaming, and copied by S3 itself without passing through us."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import IncompleteReadError, ReadTimeoutError, ResponseStreamingError

from decisions.evidence import Frozen

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef, CopySourceTypeDef

log = logging.getLogger(__name__)

CHUNK_BYTES = 8 * 1024 * 1024
MAX_PARTS = 10_000
PARALLEL_PARTS = 4
PROGRESS_SECONDS = 10
BREAKS = 5
"""In a row, without a byte in between."""
BROKEN = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError)


class Source(Frozen):
    """One version of an object, as it was seen when the plan was made."""

    account: str
    bucket: str
    key: str
    version_id: str
    """`null` for an object that was written while the bucket had no versioning."""
    etag: str
    """Without quotes."""
    size_bytes: int

    @property
    def arn(self) -> str:
        """The object's ARN, without the version."""
        return f"arn:aws:s3:::{self.bucket}/{self.key}"


class Destination(Frozen):
    """Where a copy goes, and for how long it is locked there."""

    account: str
    bucket: str
    key: str
    lock_mode: Literal["GOVERNANCE", "COMPLIANCE"]
    retain_until: datetime


def sha256_of(s3: S3Client, account: str, bucket: str, key: str, version_id: str, etag: str | None = None) -> str:
    """SHA-256 (hex) of the bytes of a version, read in chunks; a log line every few seconds.

    A connection that breaks is taken up where it broke: an image of a terabyte is read for hours. With `etag`, S3 answers
    412 if the version is not that one. Raises BotoCoreError where it breaks again and again without a byte in between.
    """
    digest, done, broken = hashlib.sha256(), 0, 0
    said = time.monotonic()
    while True:
        asked: Any = ({"IfMatch": f'"{etag}"'} if etag else {}) | ({"Range": f"bytes={done}-"} if done else {})
        answer = s3.get_object(Bucket=bucket, Key=key, VersionId=version_id, ExpectedBucketOwner=account, **asked)
        etag, size = answer["ETag"].strip('"'), done + answer["ContentLength"]
        try:
            for chunk in answer["Body"].iter_chunks(CHUNK_BYTES):
                digest.update(chunk)
                done, broken = done + len(chunk), 0
                if time.monotonic() - said >= PROGRESS_SECONDS:
                    said = time.monotonic()
                    log.info("hashing s3://%s/%s: %d of %d MiB", bucket, key, done >> 20, size >> 20)
        except BROKEN as error:
            broken += 1
            if broken > BREAKS:
                raise
            log.warning(
                "s3://%s/%s broke off at %d of %d bytes, going on from there: %s", bucket, key, done, size, error
            )
        if done >= size:
            log.info("hashed s3://%s/%s: %d bytes", bucket, key, done)
            return digest.hexdigest()


def copy_whole(s3: S3Client, source: Source, to: Destination, metadata: dict[str, str]) -> str:
    """Copy in one call (up to 5 GiB on AWS); the request id. 412 if the source is another object by now."""
    answer = s3.copy_object(
        Bucket=to.bucket,
        Key=to.key,
        ExpectedBucketOwner=to.account,
        CopySource=_copy_source(source),
        CopySourceIfMatch=f'"{source.etag}"',
        ExpectedSourceBucketOwner=source.account,
        MetadataDirective="REPLACE",
        TaggingDirective="REPLACE",  # tags are the actor's words, and reading them takes one more permission
        Metadata=metadata,
        ObjectLockMode=to.lock_mode,
        ObjectLockRetainUntilDate=to.retain_until,
    )
    return answer["ResponseMetadata"]["RequestId"]


def copy_in_parts(s3: S3Client, source: Source, to: Destination, metadata: dict[str, str], part_bytes: int) -> str:
    """Copy by ranges, each checked against the source's ETag; nothing stays behind if one fails."""
    upload_id = s3.create_multipart_upload(
        Bucket=to.bucket,
        Key=to.key,
        ExpectedBucketOwner=to.account,
        Metadata=metadata,
        ObjectLockMode=to.lock_mode,
        ObjectLockRetainUntilDate=to.retain_until,
    )["UploadId"]
    try:
        parts = _copy_parts(s3, source, to, upload_id, max(part_bytes, math.ceil(source.size_bytes / MAX_PARTS)))
        answer = s3.complete_multipart_upload(
            Bucket=to.bucket,
            Key=to.key,
            ExpectedBucketOwner=to.account,
            UploadId=upload_id,
            MultipartUpload={"Parts": parts},
        )
    except BaseException:
        s3.abort_multipart_upload(Bucket=to.bucket, Key=to.key, ExpectedBucketOwner=to.account, UploadId=upload_id)
        raise
    return answer["ResponseMetadata"]["RequestId"]


def abort_left_over(s3: S3Client, to: Destination) -> int:
    """Abort the unfinished uploads of exactly this key that a killed run left; how many there were."""
    pages = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=to.bucket, Prefix=to.key, ExpectedBucketOwner=to.account
    )
    left = [u.get("UploadId", "") for page in pages for u in page.get("Uploads", []) if u.get("Key") == to.key]
    for upload_id in left:
        s3.abort_multipart_upload(Bucket=to.bucket, Key=to.key, ExpectedBucketOwner=to.account, UploadId=upload_id)
    return len(left)


def _copy_parts(s3: S3Client, source: Source, to: Destination, upload_id: str, size: int) -> list[CompletedPartTypeDef]:
    pool = ThreadPoolExecutor(PARALLEL_PARTS)
    try:
        copy_at = partial(_copy_part, s3, source, to, upload_id, size)
        return list(pool.map(copy_at, range(0, source.size_bytes, size)))
    finally:
        pool.shutdown(cancel_futures=True)  # or a failed part would wait for the thousands after it


def _copy_part(
    s3: S3Client, source: Source, to: Destination, upload_id: str, size: int, start: int
) -> CompletedPartTypeDef:
    number = start // size + 1
    end = min(start + size, source.size_bytes) - 1
    answer = s3.upload_part_copy(
        Bucket=to.bucket,
        Key=to.key,
        ExpectedBucketOwner=to.account,
        UploadId=upload_id,
        PartNumber=number,
        CopySource=_copy_source(source),
        CopySourceRange=f"bytes={start}-{end}",
        CopySourceIfMatch=f'"{source.etag}"',
        ExpectedSourceBucketOwner=source.account,
    )
    log.info("copied part %d of s3://%s/%s", number, source.bucket, source.key)
    return {"PartNumber": number, "ETag": answer["CopyPartResult"].get("ETag", "")}


def _copy_source(source: Source) -> CopySourceTypeDef:
    return {"Bucket": source.bucket, "Key": source.key, "VersionId": source.version_id}
