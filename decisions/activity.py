"""What logs say: CloudTrail records and S3 access log lines in one shape, with how far the search reached."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from decisions.evidence import Coverage, Frozen

ANONYMOUS = frozenset({"anonymous", "anonymous_principal"})
"""What CloudTrail writes as the account of a caller without credentials, in lower case."""


class LogRecord(Frozen):
    """One CloudTrail record or one S3 access log line. Absent fields are None: the log did not carry them."""

    event_id: str
    time: AwareDatetime
    event_name: str
    event_source: str
    region: str | None = None
    recipient_account: str | None = None
    caller_account: str | None = None
    principal_type: str | None = None
    principal_arn: str | None = None
    principal_id: str | None = None
    user_name: str | None = None
    """userIdentity.userName; for SAML and web identities what the provider calls the person."""
    issuer_arn: str | None = None
    access_key_id: str | None = None
    source_identity: str | None = None
    source_address: str | None = None
    user_agent: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    read_only: bool | None = None
    request_parameters: dict[str, Any] = Field(default_factory=dict)
    """As CloudTrail wrote them; `decisions.parameters.normalise` gives both styles of EC2 one shape."""
    response_elements: dict[str, Any] = Field(default_factory=dict)
    """Likewise, without session tokens."""
    resources: tuple[str, ...] = ()
    additional: dict[str, Any] = Field(default_factory=dict)
    """CloudTrail's additionalEventData, or the access log's own fields."""
    shared_event_id: str | None = None
    category: Literal["Management", "Data", "access-log"] = "Management"
    invoked_by: str | None = None
    vpc_endpoint_id: str | None = None
    vpc_endpoint_account: str | None = None
    """vpcEndpointId and vpcEndpointAccountId, which stand beside sourceIPAddress."""
    origin: str
    """File, index or call that it was read from."""

    @property
    def is_anonymous(self) -> bool:
        """Whether it was called without credentials."""
        return self.principal_type == "Anonymous" or (self.caller_account or "").lower() in ANONYMOUS

    @property
    def caller(self) -> str | None:
        """Who called, in words: ARN, service, or id and foreign account. None: the log does not tell.

        Elastic's integration names the account where it happened as the caller's when a record names none.
        """
        if self.is_anonymous:
            return "somebody without credentials"
        foreign = self.caller_account and self.caller_account != self.recipient_account
        account = f"account {self.caller_account}" if foreign else None
        if self.principal_id and account:
            account = f"{self.principal_id} of {account}"
        return self.principal_arn or self.invoked_by or account or self.principal_id


class LogAnswer(Frozen):
    """Records that answer one question, oldest first, and what part of the question was really searched."""

    records: tuple[LogRecord, ...]
    coverage: Coverage
