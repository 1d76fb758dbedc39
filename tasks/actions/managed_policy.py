"""Customer managed policies: an edit is a new default version, and the old one is what a revert goes back to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.actions.base import ActionRefused, State
from tasks.sts import policy_text

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

MAX_VERSIONS = 5


def read_managed(iam: IAMClient, arn: str) -> State:
    """The default version's document and id, and the ids of all versions. Raises ClientError."""
    default = iam.get_policy(PolicyArn=arn)["Policy"].get("DefaultVersionId", "")
    document = iam.get_policy_version(PolicyArn=arn, VersionId=default)["PolicyVersion"].get("Document")
    pages = iam.get_paginator("list_policy_versions").paginate(PolicyArn=arn)
    versions = sorted(v.get("VersionId", "") for page in pages for v in page["Versions"])
    return {"document": policy_text(document), "version": default, "versions": versions}


def write_managed(iam: IAMClient, arn: str, current: State, target: State) -> tuple[str, ...]:
    """Go back to the target's default version if it is still there, else make a version of its document.

    Versions that the target does not have are deleted: they were made by the action that is taken back.
    """
    if target["version"] == current["version"] and target["document"] != current["document"]:
        return (_new_version(iam, arn, current, target["document"]),)
    requests: list[str] = []
    if target["version"] != current["version"]:
        answer = iam.set_default_policy_version(PolicyArn=arn, VersionId=target["version"])
        requests.append(answer["ResponseMetadata"]["RequestId"])
    for version in current["versions"]:
        if version not in target["versions"]:
            answer = iam.delete_policy_version(PolicyArn=arn, VersionId=version)
            requests.append(answer["ResponseMetadata"]["RequestId"])
    return tuple(requests)


def _new_version(iam: IAMClient, arn: str, current: State, text: str) -> str:
    if len(current["versions"]) >= MAX_VERSIONS:
        raise ActionRefused(
            f"{arn} has {MAX_VERSIONS} versions, and IAM keeps no more. Delete one that is not in use "
            f"({', '.join(v for v in current['versions'] if v != current['version'])}), then apply again."
        )
    answer = iam.create_policy_version(PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)
    return answer["ResponseMetadata"]["RequestId"]
