"""What is in force in the lab's production account and organisation, as its owner reads it: to compare before and after."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from lab.client import Lab
from lab.organization_principals import MANAGEMENT, PRODUCTION
from tasks.sts import keep_policy_text
from tests.lab.aws import As


def in_force(endpoint: str, bucket: str) -> dict[str, str]:
    """Policies, ACL and settings of the bucket, every policy and key of every principal, SCPs and event rules, as text."""
    with Lab(endpoint) as lab:
        owner, payer = As(lab, lab.root_key(PRODUCTION)), As(lab, lab.root_key(MANAGEMENT))
        found = _bucket(owner.client("s3"), bucket) | _principals(_iam(owner)) | _scps(payer)
        found["event rules"] = owner.client("events").list_rules()["Rules"]
    return {name: value if isinstance(value, str) else json.dumps(value, default=str) for name, value in found.items()}


def _iam(owner: As) -> Any:
    client = owner.client("iam")
    keep_policy_text(client)
    return client


def _bucket(s3: Any, bucket: str) -> dict[str, Any]:
    return {
        "bucket policy": _or_none(lambda: s3.get_bucket_policy(Bucket=bucket)["Policy"]),
        "bucket acl": s3.get_bucket_acl(Bucket=bucket)["Grants"],
        "public access block": _or_none(
            lambda: s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        ),
        "ownership": _or_none(lambda: s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]),
    }


def _or_none(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except ClientError as error:
        if (
            not error.response["Error"]["Code"].startswith("NoSuch")
            and "NotFound" not in error.response["Error"]["Code"]
        ):
            raise
        return None


def _principals(iam: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    kinds = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
    for page in iam.get_paginator("get_account_authorization_details").paginate():
        for kind in kinds:
            for item in page[kind]:
                kept = {k: v for k, v in item.items() if k not in {"RoleLastUsed", "UpdateDate"}}
                found[item["Arn"]] = kept
                if kind == "UserDetailList":
                    keys = iam.list_access_keys(UserName=item["UserName"])["AccessKeyMetadata"]
                    found[f"keys of {item['UserName']}"] = {k["AccessKeyId"]: k["Status"] for k in keys}
    return found


def _scps(payer: As) -> dict[str, Any]:
    organizations = payer.client("organizations")
    found: dict[str, Any] = {}
    for listed in organizations.list_policies(Filter="SERVICE_CONTROL_POLICY")["Policies"]:
        targets = organizations.list_targets_for_policy(PolicyId=listed["Id"])["Targets"]
        text = organizations.describe_policy(PolicyId=listed["Id"])["Policy"]["Content"]
        found[f"SCP {listed['Name']}"] = {"text": text, "targets": sorted(t["TargetId"] for t in targets)}
    return found
