"""AWS resources as they are read, in the one form that facts, plans, receipts and reverts share.

Policy documents stay the text that AWS returned: a revert must put back the same bytes.
"""

from __future__ import annotations

from pydantic import AwareDatetime

from decisions.evidence import Frozen


class Instance(Frozen):
    """An EC2 instance (DescribeInstances)."""

    instance_id: str
    account: str
    region: str
    state: str
    tags: dict[str, str] = {}
    image_id: str | None = None
    instance_type: str | None = None
    launched_at: AwareDatetime | None = None
    profile_arn: str | None = None
    volumes: tuple[str, ...] = ()
    encrypted_volumes: tuple[str, ...] = ()
    private_address: str | None = None
    public_address: str | None = None


class AclGrant(Frozen):
    """One grant of a bucket or object ACL."""

    grantee_type: str
    """`CanonicalUser`, `Group`, `AmazonCustomerByEmail`."""
    grantee_id: str | None = None
    grantee_uri: str | None = None
    permission: str


class Acl(Frozen):
    """A bucket's ACL."""

    owner_id: str
    grants: tuple[AclGrant, ...]


class PublicAccessBlock(Frozen):
    """The four switches; a bucket without a configuration has all four off."""

    block_public_acls: bool
    ignore_public_acls: bool
    block_public_policy: bool
    restrict_public_buckets: bool


class BucketState(Frozen):
    """Everything about a bucket that containment may change or that decides who reads it.

    None means that AWS answered "there is none", never that it was not asked: an unreadable part makes the
    whole read `Unknown`.
    """

    bucket: str
    account: str
    region: str
    policy: str | None
    """The text as returned by GetBucketPolicy."""
    acl: Acl
    ownership: str | None
    """`BucketOwnerEnforced`, `BucketOwnerPreferred`, `ObjectWriter`; None: no ownership controls."""
    public_access_block: PublicAccessBlock | None
    versioning: str | None
    """`Enabled`, `Suspended`, None (never set)."""
    logging_target: str | None = None
    """`bucket/prefix` of server access logs."""
    replication: bool = False
    created_at: AwareDatetime | None = None


class ObjectVersion(Frozen):
    """One version of an exported image."""

    bucket: str
    key: str
    version_id: str | None
    """None in a bucket that was never versioned."""
    size_bytes: int
    etag: str
    last_modified: AwareDatetime
    is_latest: bool = True
    delete_marker: bool = False


class AccessKey(Frozen):
    """A long-term key of a user (ListAccessKeys)."""

    access_key_id: str
    user_name: str
    status: str
    created_at: AwareDatetime | None = None


class PrincipalState(Frozen):
    """An IAM user or role with every policy that says what it may do (identity side)."""

    arn: str
    name: str
    type: str
    """`user` or `role`."""
    account: str
    path: str = "/"
    inline_policies: dict[str, str] = {}
    """Name -> document text, RFC 8785 of what IAM returned (boto3 decodes it, so its own bytes are gone)."""
    managed_policies: dict[str, str] = {}
    """ARN -> document text of the default version."""
    group_policies: dict[str, str] = {}
    """`group/NAME/policy-name` or managed ARN -> document text."""
    boundary: str | None = None
    boundary_document: str | None = None
    trust_policy: str | None = None
    access_keys: tuple[AccessKey, ...] = ()
    service_linked: bool = False


class ServiceControlPolicies(Frozen):
    """The SCPs over an account, level by level from the root down (ListPoliciesForTarget, ListParents)."""

    account: str
    levels: tuple[tuple[str, ...], ...]
    """For each level the document texts."""
    ids: tuple[str, ...] = ()
    """Policy ids attached directly to the account."""
    management_account: bool = False
    """SCPs do not bind the management account."""
