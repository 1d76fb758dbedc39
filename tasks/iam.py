"""What IAM says of a user or role: every policy that decides what it may do, and its access keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from decisions.resources import AccessKey, PrincipalState
from tasks.actions.base import Clients
from tasks.reading import NotThere, permissions, read
from tasks.sts import policy_text


@read(
    step="investigation.3c",
    source="iam:GetUser/GetRole with inline, attached and group policies, boundary, access keys",
    permissions=(
        "iam:GetUser",
        "iam:ListUserPolicies",
        "iam:GetUserPolicy",
        "iam:ListAttachedUserPolicies",
        "iam:ListGroupsForUser",
        "iam:ListGroupPolicies",
        "iam:GetGroupPolicy",
        "iam:ListAttachedGroupPolicies",
        "iam:ListAccessKeys",
        "iam:GetRole",
        "iam:ListRolePolicies",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
    ),
)
def principal(aws: Clients, arn: str) -> PrincipalState:
    """The user or role of an IAM ARN, complete or not at all. Raises ClientError, NotThere for any other ARN."""
    account, kind, name = _parts(arn)
    iam = aws.client("iam", account=account, tier="read")
    state = _user(iam, account, name) if kind == "user" else _role(iam, account, name)
    if state.arn != arn:
        raise NotThere(f"{arn} is gone; {state.arn} bears its name now.")
    return state


def _parts(arn: str) -> tuple[str, str, str]:
    parts = arn.split(":", 5)
    kind, _, path = parts[5].partition("/") if len(parts) == 6 else ("", "", "")
    if parts[2:3] != ["iam"] or kind not in ("user", "role") or not path:
        raise NotThere(f"{arn} is neither an IAM user nor a role: it has no policies of its own.")
    return parts[4], kind, path.rsplit("/", 1)[-1]


def _user(iam: Any, account: str, name: str) -> PrincipalState:
    user = iam.get_user(UserName=name)["User"]
    keys = [
        k for page in iam.get_paginator("list_access_keys").paginate(UserName=name) for k in page["AccessKeyMetadata"]
    ]
    return PrincipalState(
        type="user",
        account=account,
        inline_policies=dict(_inline(iam, "user", UserName=name)),
        managed_policies=dict(_attached(iam, "user", UserName=name)),
        group_policies=_of_groups(iam, name),
        access_keys=tuple(
            AccessKey(
                access_key_id=k["AccessKeyId"], user_name=name, status=k["Status"], created_at=k.get("CreateDate")
            )
            for k in keys
        ),
        **_common(iam, user, user["UserName"]),
    )


def _role(iam: Any, account: str, name: str) -> PrincipalState:
    role = iam.get_role(RoleName=name)["Role"]
    return PrincipalState(
        type="role",
        account=account,
        inline_policies=dict(_inline(iam, "role", RoleName=name)),
        managed_policies=dict(_attached(iam, "role", RoleName=name)),
        trust_policy=policy_text(role["AssumeRolePolicyDocument"]),
        service_linked=role["Path"].startswith("/aws-service-role/"),
        **_common(iam, role, role["RoleName"]),
    )


def _common(iam: Any, said: Any, name: str) -> dict[str, Any]:
    boundary = said.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    return {
        "arn": said["Arn"],
        "name": name,
        "path": said["Path"],
        "boundary": boundary,
        "boundary_document": _managed(iam, boundary) if boundary else None,
    }


def _of_groups(iam: Any, user: str) -> dict[str, str]:
    pages = iam.get_paginator("list_groups_for_user").paginate(UserName=user)
    found: dict[str, str] = {}
    for group in [g["GroupName"] for page in pages for g in page["Groups"]]:
        found |= {f"group/{group}/{name}": text for name, text in _inline(iam, "group", GroupName=group)}
        found |= dict(_attached(iam, "group", GroupName=group))
    return found


def _inline(iam: Any, kind: str, **owner: str) -> Iterator[tuple[str, str]]:
    get = getattr(iam, f"get_{kind}_policy")
    for page in iam.get_paginator(f"list_{kind}_policies").paginate(**owner):
        for name in page["PolicyNames"]:
            yield name, policy_text(get(**owner, PolicyName=name)["PolicyDocument"])


def _attached(iam: Any, kind: str, **owner: str) -> Iterator[tuple[str, str]]:
    for page in iam.get_paginator(f"list_attached_{kind}_policies").paginate(**owner):
        for policy in page["AttachedPolicies"]:
            yield policy["PolicyArn"], _managed(iam, policy["PolicyArn"])


def _managed(iam: Any, arn: str) -> str:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    try:
        return policy_text(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "NoSuchEntity":
            raise
        # The default moved between the two calls.
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        return policy_text(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])


PERMISSIONS = permissions(__name__)
