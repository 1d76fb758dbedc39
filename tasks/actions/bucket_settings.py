"""The settings of a bucket that decide who reads it: read, and written part by part, always for the expected owner."""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from decisions.bucket_policy import of_the_living
from decisions.policy import PolicyError
from decisions.resources import Acl, AclGrant, BucketState, PublicAccessBlock
from tasks.actions.base import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3 import S3Client

PARTS = ("policy", "public_access_block", "acl", "ownership")
PERMISSIONS = {
    "policy": ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"),
    "public_access_block": ("s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    "acl": ("s3:GetBucketAcl", "s3:PutBucketAcl"),
    "ownership": ("s3:GetBucketOwnershipControls", "s3:PutBucketOwnershipControls"),
}
"""IAM actions to read and write each part; deleting a block or ownership controls is authorised by the Put action."""

BUSY = frozenset({"OperationAborted", "InvalidBucketAclWithObjectOwnership"})
"""What S3 answers, and boto3 does not repeat, while another setting of the bucket spreads: a conflicting operation (409), or
an ACL that it still takes for the one before."""
ATTEMPTS = 6
PAUSE_SECONDS = 0.5
"""Times the attempt: 7.5 s in all."""


def settings_of(bucket: BucketState, *parts: str) -> State:
    """The parts of a bucket as it was read by `tasks.s3`, in the form of `read_settings`."""
    return bucket.model_dump(mode="json", include=set(parts))


def read_settings(s3: S3Client, bucket: str, owner: str, *parts: str) -> State:
    """The parts as they are now; None where S3 answers that there is none. Raises ClientError on anything else."""
    return {part: READ[part](s3, bucket, owner) for part in parts}


def write_settings(
    s3: S3Client, bucket: str, owner: str, current: State, target: State, order: tuple[str, ...]
) -> tuple[str, ...]:
    """Write the parts that differ, in `order`; the request ids."""
    return tuple(_settle(part, s3, bucket, owner, target[part]) for part in order if current[part] != target[part])


def _settle(part: str, s3: S3Client, bucket: str, owner: str, value: Any) -> str:
    """Write one part, again for as long as S3 is still busy with the part that was written just before."""
    for attempt in count(1):
        try:
            return WRITE[part](s3, bucket, owner, value)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in BUSY or attempt >= ATTEMPTS:
                raise
        time.sleep(PAUSE_SECONDS * attempt)
    raise AssertionError("unreachable: count() does not end")


def _policy(s3: S3Client, bucket: str, owner: str) -> Any:
    try:
        return s3.get_bucket_policy(Bucket=bucket, ExpectedBucketOwner=owner)["Policy"]
    except ClientError as error:
        return _none_if(error, "NoSuchBucketPolicy")


def _public_access_block(s3: S3Client, bucket: str, owner: str) -> Any:
    try:
        answer = s3.get_public_access_block(Bucket=bucket, ExpectedBucketOwner=owner)
    except ClientError as error:
        return _none_if(error, "NoSuchPublicAccessBlockConfiguration")
    block = answer["PublicAccessBlockConfiguration"]
    return PublicAccessBlock(
        block_public_acls=block.get("BlockPublicAcls", False),
        ignore_public_acls=block.get("IgnorePublicAcls", False),
        block_public_policy=block.get("BlockPublicPolicy", False),
        restrict_public_buckets=block.get("RestrictPublicBuckets", False),
    ).model_dump(mode="json")


def _acl(s3: S3Client, bucket: str, owner: str) -> Any:
    answer = s3.get_bucket_acl(Bucket=bucket, ExpectedBucketOwner=owner)
    grants: list[Any] = list(answer["Grants"])
    return Acl(owner_id=answer["Owner"].get("ID", ""), grants=tuple(map(_grant, grants))).model_dump(mode="json")


def _grant(grant: Any) -> AclGrant:
    grantee = grant["Grantee"]
    return AclGrant(
        grantee_type=grantee["Type"],
        grantee_id=grantee.get("ID"),
        grantee_uri=grantee.get("URI"),
        permission=grant["Permission"],
    )


def _ownership(s3: S3Client, bucket: str, owner: str) -> Any:
    try:
        answer = s3.get_bucket_ownership_controls(Bucket=bucket, ExpectedBucketOwner=owner)
    except ClientError as error:
        return _none_if(error, "OwnershipControlsNotFoundError")
    return answer["OwnershipControls"]["Rules"][0]["ObjectOwnership"]


def _none_if(error: ClientError, code: str) -> None:
    if error.response.get("Error", {}).get("Code") != code:
        raise error


def _write_policy(s3: S3Client, bucket: str, owner: str, text: Any) -> str:
    text = _taken(text)
    if text is None:
        answer = s3.delete_bucket_policy(Bucket=bucket, ExpectedBucketOwner=owner)
    else:
        answer = s3.put_bucket_policy(Bucket=bucket, ExpectedBucketOwner=owner, Policy=text)
    return answer["ResponseMetadata"]["RequestId"]


def _taken(text: str | None) -> str | None:
    """The policy as S3 takes it: byte for byte, but for principals that were deleted since it took it."""
    try:
        return None if text is None else of_the_living(text)
    except PolicyError:
        return text  # S3 wrote it: whatever it means, it goes back


def _write_public_access_block(s3: S3Client, bucket: str, owner: str, block: Any) -> str:
    if block is None:
        answer = s3.delete_public_access_block(Bucket=bucket, ExpectedBucketOwner=owner)
    else:
        answer = s3.put_public_access_block(
            Bucket=bucket,
            ExpectedBucketOwner=owner,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": block["block_public_acls"],
                "IgnorePublicAcls": block["ignore_public_acls"],
                "BlockPublicPolicy": block["block_public_policy"],
                "RestrictPublicBuckets": block["restrict_public_buckets"],
            },
        )
    return answer["ResponseMetadata"]["RequestId"]


def _write_acl(s3: S3Client, bucket: str, owner: str, acl: Any) -> str:
    names = {"grantee_type": "Type", "grantee_id": "ID", "grantee_uri": "URI"}
    grants: list[Any] = [
        {"Grantee": {aws: g[ours] for ours, aws in names.items() if g[ours]}, "Permission": g["permission"]}
        for g in acl["grants"]
    ]
    answer = s3.put_bucket_acl(
        Bucket=bucket,
        ExpectedBucketOwner=owner,
        AccessControlPolicy={"Owner": {"ID": acl["owner_id"]}, "Grants": grants},
    )
    return answer["ResponseMetadata"]["RequestId"]


def _write_ownership(s3: S3Client, bucket: str, owner: str, ownership: Any) -> str:
    if ownership is None:
        answer = s3.delete_bucket_ownership_controls(Bucket=bucket, ExpectedBucketOwner=owner)
    else:
        answer = s3.put_bucket_ownership_controls(
            Bucket=bucket,
            ExpectedBucketOwner=owner,
            OwnershipControls={"Rules": [{"ObjectOwnership": ownership}]},
        )
    return answer["ResponseMetadata"]["RequestId"]


READ: dict[str, Callable[[S3Client, str, str], Any]] = {
    "policy": _policy,
    "public_access_block": _public_access_block,
    "acl": _acl,
    "ownership": _ownership,
}
WRITE: dict[str, Callable[[S3Client, str, str, Any], str]] = {
    "policy": _write_policy,
    "public_access_block": _write_public_access_block,
    "acl": _write_acl,
    "ownership": _write_ownership,
}
