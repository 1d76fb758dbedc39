"""One evaluator of IAM policy language for everybody: identity, resource, SCP, boundary and session policies.

The types are here. `decisions/iam_policy.py` evaluates, `decisions/policy_edit.py` edits identity policies and SCPs,
`decisions/bucket_policy.py` bucket policies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from decisions.evidence import Frozen

PolicyType = Literal[
    "inline", "managed", "aws-managed", "group-inline", "group-managed", "scp", "boundary", "session", "resource", "trust"
]  # fmt: skip

EXPORT_ACTIONS = ("ec2:CreateInstanceExportTask", "ec2:ExportImage", "ec2:CreateStoreImageTask")
"""The three APIs by which a machine's disk leaves EC2 as a file in S3."""

SID_PREFIX = "VMExportResponse"
"""Every Sid of ours begins with it."""


class PolicyError(ValueError):
    """A policy cannot be read or cannot become what was asked; the message says why and what to do."""


class PolicyTooLarge(PolicyError):
    """The policy would be longer than AWS takes."""


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
    principal_federated: str | None = None
    """Identity provider (ARN, or `accounts.google.com`) when a role is assumed with SAML or a web identity."""
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
    undecided: tuple[str, ...] = ()
    """Condition keys that are not known and that decide whether it applied; empty: it surely did."""


class Decision(Frozen):
    """What a set of policies says of one request: explicit denies win, silence is not consent."""

    allowed: bool
    """What the statements that surely apply come to; final only where nothing is undecided."""
    explicit_deny: bool
    matched: tuple[MatchedStatement, ...]
    """The statements that surely apply."""
    undecided: tuple[str, ...] = ()
    """Condition keys that are not known and could change the answer; empty: the answer is final."""


class PolicyEdit(Frozen):
    """A document before and after an edit, with what was done to it in sentences."""

    policy_id: str
    before: dict[str, Any]
    after: dict[str, Any] | None
    """None: nothing is left of it, so it is deleted or detached."""
    sentences: tuple[str, ...]
    """Empty: there was nothing to edit, and `after` is `before`."""


class CannotEdit(Frozen):
    """The document cannot be edited, why, and what to do instead."""

    policy_id: str
    why: str
