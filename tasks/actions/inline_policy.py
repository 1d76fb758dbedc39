"""Inline policies of users, roles and groups: one reading and one writing for every action that uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rfc8785
from botocore.exceptions import ClientError

from decisions.policy import SID_PREFIX
from tasks.sts import policy_text

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

DENY_POLICY = f"{SID_PREFIX}Deny"
"""Our policy that denies everything to a user."""
REVOKE_POLICY = f"{SID_PREFIX}RevokeSessions"
"""Our policy that denies everything to the sessions of a role issued before a moment."""
GUARD_POLICY = f"{SID_PREFIX}NoExport"
"""Our policy that denies the export APIs where the document that allows them is not ours to edit."""


def canonical(document: Any) -> str:
    """The text of a document that is ours to word: RFC 8785."""
    return rfc8785.dumps(document).decode()


def name_of(arn: str) -> str:
    """The friendly name at the end of an ARN of a user, role or group."""
    return arn.rsplit("/", 1)[-1]


def read_inline(iam: IAMClient, owner: str, name: str, policy: str) -> str | None:
    """The document of one inline policy of a `user`, `role` or `group`; None when there is no such policy.

    A missing owner also answers NoSuchEntity: callers that cannot tell otherwise ask for the owner as well.
    """
    try:
        match owner:
            case "user":
                document = iam.get_user_policy(UserName=name, PolicyName=policy)["PolicyDocument"]
            case "role":
                document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            case "group":
                document = iam.get_group_policy(GroupName=name, PolicyName=policy)["PolicyDocument"]
            case _:
                raise ValueError(f"a {owner} has no inline policies")
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "NoSuchEntity":
            return None
        raise
    return policy_text(document)


def write_inline(iam: IAMClient, owner: str, name: str, policy: str, text: str | None) -> str:
    """Put the document, or delete the policy for None; the request id."""
    match owner, text:
        case "user", None:
            answer = iam.delete_user_policy(UserName=name, PolicyName=policy)
        case "role", None:
            answer = iam.delete_role_policy(RoleName=name, PolicyName=policy)
        case "group", None:
            answer = iam.delete_group_policy(GroupName=name, PolicyName=policy)
        case "user", str():
            answer = iam.put_user_policy(UserName=name, PolicyName=policy, PolicyDocument=text)
        case "role", str():
            answer = iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=text)
        case "group", str():
            answer = iam.put_group_policy(GroupName=name, PolicyName=policy, PolicyDocument=text)
        case _:
            raise ValueError(f"a {owner} has no inline policies")
    return answer["ResponseMetadata"]["RequestId"]
