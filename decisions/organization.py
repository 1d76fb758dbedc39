"""Who we are and what we allow: the organisation's own facts and judgement, read from organization.toml."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from decisions.evidence import Frozen

Sensitivity = Literal["production", "sensitive", "internal", "development"]
Autonomy = Literal["auto", "one", "two"]


class Account(Frozen):
    """One AWS account of the organisation."""

    id: str = Field(pattern=r"^\d{12}$")
    name: str
    sensitivity: Sensitivity
    region: str = "us-east-1"
    """Where it mostly works; reads without a Region of their own go there."""


class ApprovalPolicy(Frozen):
    """Who must agree to what, and for how long an agreement holds."""

    valid_for: timedelta = timedelta(hours=1)
    gate_timeout: timedelta = timedelta(hours=72)
    reversible: dict[Sensitivity, Autonomy] = Field(default_factory=dict)
    preventive: dict[Sensitivity, Autonomy] = Field(default_factory=dict)
    destructive: dict[Sensitivity, Autonomy] = Field(default_factory=dict)
    """Missing sensitivities: `one`, destructive `two`."""


class Organization(Frozen):
    """The whole of organization.toml. Nothing in it is a secret."""

    id: str = Field(pattern=r"^o-[a-z0-9]{10,32}$")
    management_account: str
    forensics_account: str
    forensics_bucket: str
    home_region: str = "us-east-1"
    accounts: tuple[Account, ...]
    approved_exporters: tuple[str, ...] = ()
    """Role or user ARNs, `*` allowed in the last part; the role ARN, not the session ARN."""
    approved_buckets: tuple[str, ...] = ()
    change_ticket: str = r"\b(CHG|CHANGE)-?\d{3,}\b"
    """A regular expression found in the description of a documented export."""
    networks: tuple[str, ...] = ()
    """CIDRs of offices, NAT and VPN: a read from elsewhere counts as outside."""
    break_glass: tuple[str, ...] = ()
    """Principal ARNs that no action may ever touch."""
    responder_roles: tuple[str, ...] = (
        "vmexport-read",
        "vmexport-respond",
        "vmexport-destructive",
        "vmexport-forensics",
    )
    forensics_role: str = "vmexport-forensics"
    """Which of them copies evidence: the role of that name in the forensics account may read a locked bucket."""
    sensitive_tag_keys: tuple[str, ...] = ("DataClassification", "data-classification", "DataClass")
    sensitive_tag_values: tuple[str, ...] = ("restricted", "confidential", "secret", "pii")
    public_tag_values: tuple[str, ...] = ("public", "none", "test")
    owner_tag_keys: tuple[str, ...] = ("Owner", "Team", "owner", "team")
    purpose_tag_keys: tuple[str, ...] = ("Purpose", "Name", "purpose")
    slack_tag_keys: tuple[str, ...] = ("SlackChannel", "slack", "Slack")
    scp_target: str | None = None
    """Root, OU or account id for the export guardrail; None: the account of the export."""
    migration_roles: tuple[str, ...] = ("arn:aws:iam::*:role/vm-migration",)
    """Exempt from the guardrail SCP."""
    monitoring_target: str | None = None
    """ARN of an SNS topic or SQS queue for the EventBridge rule of recovery; `{account}` and `{region}` are filled in.
    None: the rule only counts."""
    case_window: timedelta = timedelta(hours=24)
    copy_part_bytes: int = 64 * 1024 * 1024
    copy_single_max_bytes: int = 256 * 1024**2
    """What is copied in one call. S3 takes up to 5 GiB, but answers only when it is done, and a client that gives up waiting
    and asks again leaves one more locked copy each time."""
    copy_retention: timedelta = timedelta(days=365)
    copy_lock_mode: Literal["GOVERNANCE", "COMPLIANCE"] = "GOVERNANCE"
    approvals: ApprovalPolicy = ApprovalPolicy()

    def account(self, account_id: str) -> Account | None:
        """The account, or None when it is not ours."""
        return next((a for a in self.accounts if a.id == account_id), None)

    def owns(self, account_id: str) -> bool:
        """Whether the account belongs to the organisation, as organization.toml says."""
        return self.account(account_id) is not None
