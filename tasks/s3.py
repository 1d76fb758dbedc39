"""What S3 says about the bucket and the exported objects: who may read them, and what lies there.

The read role may read no objects but log files, so nothing here asks for one (HeadObject needs s3:GetObject).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from decisions.resources import BucketState, ObjectVersion, PublicAccessBlock
from tasks.actions.base import Clients
from tasks.actions.bucket_settings import PARTS, read_settings
from tasks.reading import NotThere, permissions, read

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

MAX_VERSIONS = 10_000


@read(
    step="triage.2",
    source="s3:ListBuckets, GetBucket{Policy,Acl,OwnershipControls,Versioning,Logging,Replication}, GetPublicAccessBlock",
    permissions=(
        "s3:ListAllMyBuckets",
        "s3:GetBucketPolicy",
        "s3:GetBucketAcl",
        "s3:GetBucketOwnershipControls",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketVersioning",
        "s3:GetBucketLogging",
        "s3:GetReplicationConfiguration",
    ),
)
def bucket(aws: Clients, account: str, region: str, name: str) -> BucketState:
    """A bucket of the account, complete or not at all. Raises ClientError, NotThere for a bucket that is not the account's."""
    s3: S3Client = aws.client("s3", account=account, tier="read", region=region)
    listed = _listed(s3, name)
    if listed is None:
        raise NotThere(
            f"{name} is not a bucket of account {account}: it is gone, or it belongs to somebody else. "
            "Find out whose it is (CloudTrail of our accounts, AWS support) before anything else."
        )
    owner: Any = {"Bucket": name, "ExpectedBucketOwner": account}
    target = s3.get_bucket_logging(**owner).get("LoggingEnabled")
    return BucketState(
        bucket=name,
        account=account,
        region=listed.get("BucketRegion") or region,
        **read_settings(s3, name, account, *PARTS),
        versioning=s3.get_bucket_versioning(**owner).get("Status"),
        logging_target=f"{target['TargetBucket']}/{target.get('TargetPrefix', '')}" if target else None,
        replication=_replicates(s3, owner),
        created_at=listed.get("CreationDate"),
    )


@read(step="investigation.2a", source="s3:ListObjectVersions", permissions=("s3:ListBucketVersions",))
def object_versions(
    aws: Clients, account: str, region: str, bucket: str, key: str, key_is_prefix: bool
) -> tuple[ObjectVersion, ...]:
    """Versions and delete markers of one key, or of every key that starts with it, newest first.

    Raises ClientError, NotThere when a prefix holds more than 10,000: then it is not the export's.
    """
    s3: S3Client = aws.client("s3", account=account, tier="read", region=region)
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key, ExpectedBucketOwner=account)
    found: list[ObjectVersion] = []
    for page in pages:
        told: list[tuple[Any, bool]] = [(v, False) for v in page.get("Versions", [])]
        told += [(m, True) for m in page.get("DeleteMarkers", [])]
        found += [_version(bucket, v, marker) for v, marker in told if key_is_prefix or v["Key"] == key]
        if len(found) > MAX_VERSIONS:
            raise NotThere(
                f"s3://{bucket}/{key}* holds more than {MAX_VERSIONS} versions: look by hand which are ours."
            )
    return tuple(sorted(found, key=lambda v: (v.last_modified, v.is_latest, v.key), reverse=True))


@read(step="investigation.2c", source="s3control:GetPublicAccessBlock", permissions=("s3:GetAccountPublicAccessBlock",))
def account_public_access_block(aws: Clients, account: str, region: str) -> PublicAccessBlock:
    """The account's own switches, which stand over every bucket's; all four off where there is none. Raises ClientError."""
    control = aws.client("s3control", account=account, tier="read", region=region)
    try:
        block = control.get_public_access_block(AccountId=account)["PublicAccessBlockConfiguration"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "NoSuchPublicAccessBlockConfiguration":
            raise
        block = {}
    return PublicAccessBlock(
        block_public_acls=block.get("BlockPublicAcls", False),
        ignore_public_acls=block.get("IgnorePublicAcls", False),
        block_public_policy=block.get("BlockPublicPolicy", False),
        restrict_public_buckets=block.get("RestrictPublicBuckets", False),
    )


def _listed(s3: S3Client, name: str) -> Any:
    """The account's own entry for the bucket: only owned buckets are listed."""
    pages = s3.get_paginator("list_buckets").paginate(Prefix=name)
    return next((b for page in pages for b in page.get("Buckets", []) if b.get("Name") == name), None)


def _replicates(s3: S3Client, owner: Any) -> bool:
    try:
        rules = s3.get_bucket_replication(**owner)["ReplicationConfiguration"]["Rules"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ReplicationConfigurationNotFoundError":
            raise
        return False
    return any(rule["Status"] == "Enabled" for rule in rules)


def _version(bucket: str, said: Any, marker: bool) -> ObjectVersion:
    version = said.get("VersionId")
    return ObjectVersion(
        bucket=bucket,
        key=said["Key"],
        version_id=None if version == "null" else version,
        size_bytes=0 if marker else said["Size"],
        etag="" if marker else said["ETag"].strip('"'),
        last_modified=said["LastModified"],
        is_latest=said["IsLatest"],
        delete_marker=marker,
    )


PERMISSIONS = permissions(__name__)
