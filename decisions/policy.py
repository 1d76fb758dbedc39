"""One evaluator of IAM policy language for everybody: identity, resource, SCP, boundary and session policies.

The types are here; `decisions/iam_policy.py` evaluates and locates statements, `decisions/bucket_policy.py` edits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from decisions.evidence import Frozen

PolicyType = Literal["inline", "managed", "aws-managed", "group-inline", "group-managed", "scp", "boundary", "session", "resource", "trust"]


class Policy(Frozen):
    """A policy document with where it hangs."""

    id: str
    """ARN of a managed policy or SCP; `user/alice/inline-name` for inline ones; bucket name for bucket policies."""
    type: PolicyType
    document: dict[str, Any]
    attached_to: str | None = None
    """Principal, group, OU or account that it hangs on."""


class AccessRequest(Frozen):
    """Who asks for what, with every condition key that is known."""

    action: str
    """`ec2:CreateInstanceExportTask`; compared case-insensitively."""
    resource: str
    principal_arn: str | None = None
    """Caller's ARN as CloudTrail writes it (session ARN for role sessions); None: anonymous."""
    principal_account: str | None = None
    principal_canonical_id: str | None = None
    principal_service: str | None = None
    """`vmie.amazonaws.com` when an AWS service calls."""
    context: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    """Condition keys, compared case-insensitively: `aws:PrincipalArn` (role ARN for sessions), `aws:userid`,
    `aws:TokenIssueTime`, `aws:SourceIp`, `aws:PrincipalOrgID`, `aws:PrincipalIsAWSService`, `s3:x-amz-acl`, …"""


class MatchedStatement(Frozen):
    """One statement that applied to a request."""

    policy_id: str
    policy_type: PolicyType
    attached_to: str | None
    index: int
    sid: str | None
    effect: Literal["Allow", "Deny"]
    statement: dict[str, Any]


class Decision(Frozen):
    """What a set of policies says of one request: explicit denies win, silence is not consent."""

    allowed: bool
    explicit_deny: bool
    matched: tuple[MatchedStatement, ...]
    undecided: tuple[str, ...] = ()
    """Condition keys that a statement asked for, that the request does not have, and that could change the answer."""
