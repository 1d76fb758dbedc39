"""Every field that we query in Elasticsearch, and what type it must have for the query to find anything.

A term never matches a capital in a `text` field, and a range means something else on anything but a date. Both give no hit
and no error. `tests/elastic/test_coverage.py` holds this list to the code.
"""

from __future__ import annotations

from dataclasses import dataclass

EXACT = frozenset({"keyword", "constant_keyword", "wildcard", "ip", "boolean"})
"""Types on which a term finds the whole value."""
DATES = frozenset({"date", "date_nanos"})
FLATTENED = frozenset({"flattened"})


@dataclass(frozen=True)
class Field:
    """A field and the types that it may have."""

    name: str
    types: frozenset[str]
    needed: bool = True
    """False: it depends on a setting of the integration, or on data that may not have come yet."""

    @property
    def right(self) -> str:
        """The type that it should have, in a word."""
        return "keyword" if self.types is EXACT else min(self.types)


CLOUDTRAIL = (
    Field("@timestamp", DATES),
    Field("event.ingested", DATES, needed=False),
    Field("event.id", EXACT, needed=False),
    Field("event.action", EXACT),
    Field("event.provider", EXACT),
    Field("event.kind", EXACT, needed=False),
    Field("user.name", EXACT),
    Field("cloud.region", EXACT),
    Field("aws.cloudtrail.recipient_account_id", EXACT),
    Field("aws.cloudtrail.event_category", EXACT, needed=False),
    Field("aws.cloudtrail.user_identity.access_key_id", EXACT),
    Field("aws.cloudtrail.user_identity.arn", EXACT),
    Field("aws.cloudtrail.user_identity.session_context.session_issuer.arn", EXACT, needed=False),
    Field("aws.cloudtrail.resources.arn", EXACT, needed=False),
    Field("aws.cloudtrail.flattened.request_parameters", FLATTENED),
    Field("aws.cloudtrail.flattened.response_elements", FLATTENED),
    Field("aws.cloudtrail.flattened.additional_eventdata", FLATTENED, needed=False),
    Field("aws.cloudtrail.flattened.service_event_details", FLATTENED, needed=False),
)
"""Of the CloudTrail indices."""
ACCESS_LOGS = (
    Field("@timestamp", DATES),
    Field("event.action", EXACT),
    Field("event.kind", EXACT, needed=False),
    Field("aws.s3access.bucket", EXACT),
    Field("aws.s3access.operation", EXACT, needed=False),
    Field("aws.s3access.key", EXACT, needed=False),
)
"""Of the indices with S3 server access logs."""
ALERTS = (
    Field("@timestamp", DATES),
    Field("kibana.alert.rule.rule_id", EXACT),
    Field("kibana.alert.workflow_status", EXACT),
    Field("kibana.alert.building_block_type", EXACT, needed=False),
    Field("kibana.alert.group.id", EXACT, needed=False),
    Field("kibana.alert.original_event.id", EXACT, needed=False),
    Field("kibana.alert.last_detected", DATES, needed=False),
    Field("kibana.alert.rule.uuid", EXACT, needed=False),
    Field("event.module", EXACT, needed=False),
    Field("cloud.account.id", EXACT, needed=False),
    Field("user.id", EXACT, needed=False),
)
"""Of the alerts index of each space."""
