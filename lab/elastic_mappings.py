"""Index templates as the AWS integration and Kibana put them, for a real Elasticsearch of the tests and the demo.

Written from facts (notes/elastic.md 1, 4.1, 7.2, 7.4; notes/aws.md 3.1, 3.3): what is a keyword and how long it may be, what
is flattened, what is a date. Field names stand as the dotted names that Elasticsearch takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from elasticsearch import BadRequestError, Elasticsearch

Mappings = dict[str, Any]

SHORT, LONG = 1024, 8191
"""ignore_above: longer values stand in `_source` and cannot be searched."""
KEYWORD: Mappings = {"type": "keyword", "ignore_above": SHORT}
DATE: Mappings = {"type": "date"}
IP: Mappings = {"type": "ip"}
NUMBER: Mappings = {"type": "long"}
BOOLEAN: Mappings = {"type": "boolean"}
FLATTENED: Mappings = {"type": "flattened"}
JAVA_TEXT: Mappings = {"type": "keyword", "ignore_above": LONG, "fields": {"text": {"type": "text"}}}
SEARCHED_AS_TEXT: Mappings = KEYWORD | {"fields": {"text": {"type": "text"}}}

STRINGS = [{"strings": {"match_mapping_type": "string", "mapping": KEYWORD}}]
"""Fields that nobody named are keywords: user_agent, tls, related and the like."""

EVENT: Mappings = {
    "@timestamp": DATE,
    "event.created": DATE,
    "event.ingested": DATE,
    "event.duration": NUMBER,
    "event.original": {"type": "keyword", "index": False, "doc_values": False},
    "user.name": SEARCHED_AS_TEXT,
    "user_agent.original": SEARCHED_AS_TEXT,
    "source.ip": IP,
    "source.as.number": NUMBER,
    "source.geo.location": {"type": "geo_point"},
    "client.ip": IP,
    "related.ip": IP,
    "http.response.status_code": NUMBER,
    "http.response.body.bytes": NUMBER,
    "tls.established": BOOLEAN,
}
_IDENTITY = "aws.cloudtrail.user_identity"
_FLATTENED = ("request_parameters", "response_elements", "additional_eventdata", "service_event_details")
CLOUDTRAIL: Mappings = {
    **EVENT,
    "aws.cloudtrail.read_only": BOOLEAN,
    # Both are "true" and "false" as words.
    "aws.cloudtrail.management_event": KEYWORD,
    f"{_IDENTITY}.session_context.mfa_authenticated": KEYWORD,
    f"{_IDENTITY}.session_context.creation_date": DATE,
    **{f"aws.cloudtrail.{name}": JAVA_TEXT for name in _FLATTENED},
    **{f"aws.cloudtrail.flattened.{name}": FLATTENED for name in _FLATTENED},
}
S3ACCESS: Mappings = {
    **EVENT,
    "aws.s3access.remote_ip": IP,
    **{
        f"aws.s3access.{name}": NUMBER
        for name in ("http_status", "bytes_sent", "object_size", "total_time", "turn_around_time")
    },
}
ALERTS: Mappings = {
    **{name: mapping for name, mapping in EVENT.items() if name != "event.original"},
    **{
        name: KEYWORD
        for name in (
            "event.action", "event.category", "event.code", "event.dataset", "event.id", "event.kind", "event.module",
            "event.outcome", "event.provider", "event.type", "source.address", "user.id", "user.email", "cloud.region",
            "cloud.account.id", "cloud.account.name", "tags", "kibana.space_ids", "kibana.alert.uuid",
            "kibana.alert.status", "kibana.alert.reason", "kibana.alert.severity", "kibana.alert.workflow_status",
            "kibana.alert.workflow_tags", "kibana.alert.workflow_assignee_ids", "kibana.alert.building_block_type",
            "kibana.alert.group.id", "kibana.alert.ancestors.id", "kibana.alert.ancestors.index",
            "kibana.alert.ancestors.type", "kibana.alert.ancestors.rule", "kibana.alert.new_terms",
            "kibana.alert.original_event.action", "kibana.alert.original_event.id",
            "kibana.alert.original_event.outcome", "kibana.alert.original_event.provider",
            "kibana.alert.rule.uuid", "kibana.alert.rule.rule_id", "kibana.alert.rule.name", "kibana.alert.rule.type",
            "kibana.alert.rule.consumer", "kibana.alert.rule.execution.uuid", "kibana.alert.rule.execution.type",
            "kibana.alert.suppression.terms.field", "kibana.alert.suppression.terms.value",
            "kibana.alert.threshold_result.terms.field", "kibana.alert.threshold_result.terms.value",
        )
    },
    **{
        f"kibana.alert.{name}": DATE
        for name in (
            "original_time", "intended_timestamp", "suppression.start", "suppression.end", "threshold_result.from",
            "workflow_status_updated_at", "last_detected",
        )
    },
    **{
        f"kibana.alert.{name}": NUMBER
        for name in ("depth", "ancestors.depth", "group.index", "rule.version", "suppression.docs_count", "threshold_result.count")
    },
    "kibana.alert.risk_score": {"type": "float"},
    "kibana.alert.rule.parameters": {"type": "flattened", "ignore_above": 4096},
}  # fmt: skip
"""Kibana maps ECS and its own fields; the rest of an event, `aws.*` among it, stands in `_source` and is not searched."""


def install(es: Elasticsearch) -> None:
    """Put the templates: data streams of CloudTrail and of access logs, alerts of every space. Again changes nothing."""
    for dataset, properties in (("cloudtrail", CLOUDTRAIL), ("s3access", S3ACCESS)):
        es.indices.put_index_template(
            name=f"logs-aws.{dataset}",
            index_patterns=[f"logs-aws.{dataset}-*"],
            data_stream={},
            priority=200,
            template=_template({"dynamic_templates": STRINGS, "properties": properties}, {}),
        )
    es.indices.put_index_template(
        name=".alerts-security.alerts-index-template",
        index_patterns=[".internal.alerts-security.alerts-*"],
        priority=200,
        template=_template({"dynamic": False, "properties": ALERTS}, {"index.hidden": True}),
    )


def create_alerts_index(es: Elasticsearch, space: str) -> str:
    """The alias of a space's alerts; its hidden index is made where it is not there yet."""
    alias = f".alerts-security.alerts-{space}"
    try:
        es.indices.create(
            index=f".internal.alerts-security.alerts-{space}-000001",
            aliases={alias: {"is_write_index": True, "is_hidden": True}},
        )
    except BadRequestError as error:
        if error.error != "resource_already_exists_exception":
            raise
    return alias


def _template(mappings: Mappings, settings: Mapping[str, Any]) -> Mappings:
    one = {"index.number_of_shards": 1, "index.number_of_replicas": 0}  # one node: a replica would have no place
    return {"settings": {**one, **settings}, "mappings": mappings}
