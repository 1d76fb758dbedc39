"""Who there is in the lab's accounts, and what each may do: users and roles as data."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from settings.home import ROOT

MANAGEMENT, PRODUCTION, DEVELOPMENT, FORENSICS = "123456789012", "111122223333", "444455556666", "777788889999"
FOREIGN = "210987654321"
"""Outside the organisation."""
ACCOUNTS = {PRODUCTION: "production", DEVELOPMENT: "development", FORENSICS: "forensics"}
"""Members; the management account makes the organisation."""
HUB = "vmexport-hub"
HUB_ARN = f"arn:aws:iam::{FORENSICS}:user/{HUB}"
TIERS = ("read", "respond", "destructive", "forensics")

Statement = dict[str, Any]


@dataclass(frozen=True)
class Principal:
    """A user or role: `trust` (None: a user) and its inline policies by name."""

    account: str
    name: str
    policies: dict[str, str]
    trust: str | None = None
    keyed: bool = False
    """A user that has an access key, which the seeding hands out."""
    tags: dict[str, str] = field(default_factory=dict)


def document(*statements: Statement) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, resource: str | list[str] = "*", sid: str = "Granted") -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}


def trusting(principal: dict[str, Any], **condition: Any) -> str:
    """A trust policy."""
    conditions = {"Condition": condition} if condition else {}
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **conditions})


@cache
def everybody() -> tuple[Principal, ...]:
    """Every user and role of the organisation and of the stranger outside it."""
    return (*_responders(), *_production(), *_development(), *_outside())


def _responders() -> tuple[Principal, ...]:
    assume = document(allow("sts:AssumeRole", resource="arn:aws:iam::*:role/vmexport-*", sid="AssumeResponderRoles"))
    roles = [
        Principal(account, f"vmexport-{tier}", {"vmexport": tier_policy(tier)}, trusting({"AWS": HUB_ARN}))
        for account in (MANAGEMENT, *ACCOUNTS)
        for tier in TIERS
        if tier != "forensics" or account == FORENSICS
    ]
    return (Principal(FORENSICS, HUB, {"assume": assume}, keyed=True), *roles)


def tier_policy(tier: str) -> str:
    """The policy of a responder role: deployments/iam/TIER.json as the product generates it, else a wider one in its spirit."""
    generated = ROOT / "deployments" / "iam" / f"{tier}.json"
    return _compact(generated) if generated.exists() else document(*FALLBACK[tier])


def _compact(path: Path) -> str:
    return json.dumps(json.loads(path.read_text(encoding="utf-8")))


LOOK = allow(
    "ec2:Describe*", "iam:Get*", "iam:List*", "iam:Simulate*", "s3:GetBucket*", "s3:GetEncryptionConfiguration",
    "s3:GetReplicationConfiguration", "s3:GetLifecycleConfiguration", "s3:GetAccountPublicAccessBlock", "s3:List*",
    "cloudtrail:Describe*", "cloudtrail:Get*", "cloudtrail:LookupEvents", "organizations:Describe*",
    "organizations:List*", "events:Describe*", "events:List*", sid="Look",
)  # fmt: skip
ACT = allow(
    "ec2:CancelExportTask", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:PutBucketAcl",
    "s3:PutBucketPublicAccessBlock", "s3:PutBucketOwnershipControls", "iam:UpdateAccessKey", "iam:PutUserPolicy",
    "iam:DeleteUserPolicy", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:CreatePolicyVersion",
    "iam:DeletePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:AttachUserPolicy", "iam:DetachUserPolicy",
    "iam:AttachRolePolicy", "iam:DetachRolePolicy", "organizations:CreatePolicy", "organizations:AttachPolicy",
    "organizations:DetachPolicy", "organizations:DeletePolicy", "organizations:UpdatePolicy", "events:PutRule",
    "events:PutTargets", "events:RemoveTargets", "events:DeleteRule", "events:TagResource", "sts:*", sid="Act",
)  # fmt: skip
FALLBACK: dict[str, tuple[Statement, ...]] = {
    "read": (LOOK,),
    "respond": (LOOK, ACT),
    "destructive": (LOOK, allow("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject*", sid="Delete")),
    "forensics": (
        LOOK,
        allow("s3:GetObject*", "s3:PutObject", "s3:PutObjectRetention", "s3:AbortMultipartUpload", sid="Copy"),
    ),
}


def _production() -> tuple[Principal, ...]:
    contractor = f"arn:aws:iam::{PRODUCTION}:user/jo.contractor"
    admin = f"arn:aws:iam::{PRODUCTION}:role/platform-admin"
    people = [contractor, f"arn:aws:iam::{PRODUCTION}:user/alice.ops", admin]
    wide = document(
        allow("ec2:*", sid="ManageCompute"),
        allow("s3:*", "ebs:*", sid="ManageStorage"),
        allow("iam:Get*", "iam:List*", "cloudtrail:LookupEvents", "sts:GetCallerIdentity", sid="LookAround"),
    )
    assume = document(allow("sts:AssumeRole", resource=admin, sid="BecomePlatformAdmin"))
    mail = {"Email": "jo.contractor@example.com", "Employer": "Example Contracting"}
    return (
        Principal(PRODUCTION, "platform-admin", {"platform-admin": wide}, trusting({"AWS": people})),
        Principal(PRODUCTION, "jo.contractor", {"assume-platform-admin": assume}, keyed=True, tags=mail),
        Principal(PRODUCTION, "alice.ops", {"assume-platform-admin": assume}, tags={"Email": "alice.ops@example.com"}),
        Principal(
            PRODUCTION, "payments-database",
            {"read-secrets": document(allow("secretsmanager:GetSecretValue", sid="DatabasePassword"))},
            trusting({"Service": "ec2.amazonaws.com"}),
        ),
        _migration_role(PRODUCTION, f"arn:aws:iam::{PRODUCTION}:root"),
        _break_glass(PRODUCTION),
        _import_role(PRODUCTION),
    )  # fmt: skip


def _development() -> tuple[Principal, ...]:
    migrator = f"arn:aws:iam::{DEVELOPMENT}:user/mia.migration"
    role = f"arn:aws:iam::{DEVELOPMENT}:role/vm-migration"
    developer = document(
        allow(
            "ec2:Describe*",
            "ec2:CreateTags",
            "ec2:StartInstances",
            "ec2:StopInstances",
            "ec2:CreateImage",
            sid="Develop",
        ),
        allow("s3:ListAllMyBuckets", "s3:ListBucket", "s3:GetObject", "s3:GetBucketLocation", sid="Read"),
    )
    assume = document(allow("sts:AssumeRole", resource=role, sid="Migrate"))
    return (
        Principal(DEVELOPMENT, "dev.lee", {"developer": developer}, keyed=True, tags={"Email": "dev.lee@example.com"}),
        Principal(
            DEVELOPMENT, "mia.migration", {"assume-vm-migration": assume}, keyed=True,
            tags={"Email": "mia.migration@example.com"},
        ),
        _migration_role(DEVELOPMENT, migrator),
        _break_glass(DEVELOPMENT),
        _import_role(DEVELOPMENT),
    )  # fmt: skip


def _outside() -> tuple[Principal, ...]:
    return (Principal(FOREIGN, "collector", {"everything": document(allow("s3:*", "ec2:*"))}, keyed=True),)


def _migration_role(account: str, trusted: str) -> Principal:
    may = document(
        allow("ec2:Describe*", "ec2:CreateInstanceExportTask", "ec2:ExportImage", "ec2:CancelExportTask", "ec2:CreateTags",
              sid="Export"),
        allow("s3:GetBucketLocation", "s3:GetBucketAcl", "s3:ListBucket", "s3:GetObject", "s3:PutObject",
              resource=["arn:aws:s3:::example-vm-exports", "arn:aws:s3:::example-vm-exports/*"], sid="ToTheApprovedBucket"),
    )  # fmt: skip
    return Principal(account, "vm-migration", {"vm-migration": may}, trusting({"AWS": trusted}))


def _break_glass(account: str) -> Principal:
    everything = document(allow("*"))
    return Principal(
        account, "break-glass", {"everything": everything}, trusting({"AWS": f"arn:aws:iam::{account}:root"})
    )


def _import_role(account: str) -> Principal:
    """The service role of VM Import/Export, with what AWS's guide gives it."""
    may = document(
        allow(
            "s3:GetBucketLocation", "s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:GetBucketAcl", sid="Buckets"
        ),
        allow("ec2:ModifySnapshotAttribute", "ec2:CopySnapshot", "ec2:RegisterImage", "ec2:Describe*", sid="Images"),
    )
    trust = trusting({"Service": "vmie.amazonaws.com"}, StringEquals={"sts:ExternalId": "vmimport"})
    return Principal(account, "vmimport", {"vmimport": may}, trust)
