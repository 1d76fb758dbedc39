"""Where a field of a CloudTrail record stands in the document that Elastic's AWS integration makes of it, and back.

A mapping of our own, written from facts (notes/elastic.md 7.2). A field that the document does not have, or has changed
(`user.name` is overwritten, `cloud.account.id` has two sources), is not mapped: a rule about it is not asked there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from decisions.ecs import scalars, tree
from decisions.sigma_values import Path

_TRAIL = "aws.cloudtrail"
_IDENTITY = f"{_TRAIL}.user_identity"
_ISSUER = ("userIdentity", "sessionContext", "sessionIssuer")

KEYWORDS: Mapping[Path, str] = {
    ("eventName",): "event.action",
    ("eventSource",): "event.provider",
    ("eventID",): "event.id",
    ("awsRegion",): "cloud.region",
    ("sourceIPAddress",): "source.address",
    ("userAgent",): "user_agent.original",
    ("recipientAccountId",): f"{_TRAIL}.recipient_account_id",
    ("errorCode",): f"{_TRAIL}.error_code",
    ("errorMessage",): f"{_TRAIL}.error_message",
    ("eventVersion",): f"{_TRAIL}.event_version",
    ("eventCategory",): f"{_TRAIL}.event_category",
    ("eventType",): f"{_TRAIL}.event_type",
    ("apiVersion",): f"{_TRAIL}.api_version",
    ("managementEvent",): f"{_TRAIL}.management_event",
    ("requestID",): f"{_TRAIL}.request_id",
    ("vpcEndpointId",): f"{_TRAIL}.vpc_endpoint_id",
    ("userIdentity", "type"): f"{_IDENTITY}.type",
    ("userIdentity", "arn"): f"{_IDENTITY}.arn",
    ("userIdentity", "accessKeyId"): f"{_IDENTITY}.access_key_id",
    ("userIdentity", "invokedBy"): f"{_IDENTITY}.invoked_by",
    (*_ISSUER, "type"): f"{_IDENTITY}.session_context.session_issuer.type",
    (*_ISSUER, "principalId"): f"{_IDENTITY}.session_context.session_issuer.principal_id",
    (*_ISSUER, "arn"): f"{_IDENTITY}.session_context.session_issuer.arn",
    (*_ISSUER, "accountId"): f"{_IDENTITY}.session_context.session_issuer.account_id",
    (
        "userIdentity",
        "sessionContext",
        "attributes",
        "mfaAuthenticated",
    ): f"{_IDENTITY}.session_context.mfa_authenticated",
}
TRUTH: Mapping[Path, str] = {("readOnly",): f"{_TRAIL}.read_only"}
"""Booleans, which take true and false and no pattern."""
OBJECTS: Mapping[str, str] = {
    "requestParameters": "request_parameters",
    "responseElements": "response_elements",
    "additionalEventData": "additional_eventdata",
    "serviceEventDetails": "service_event_details",
}


def text_field(name: str) -> str:
    """Java's text of an object of the record: a keyword, not searchable when it is very long."""
    return f"{_TRAIL}.{OBJECTS[name]}"


def flattened_field(name: str) -> str:
    """The same object, flattened; absent when it is very long, or when the integration is set to drop it."""
    return f"{_TRAIL}.flattened.{OBJECTS[name]}"


def record_of(document: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The record that a document was made of, as far as it tells, and the objects that it holds as Java's text alone.

    From `event.original` where it is kept, which is the record itself.
    """
    for original in scalars(document, "event.original"):
        if (whole := _json(original)) is not None:
            return whole, ()
    record: dict[str, Any] = {}
    for path, field in {**KEYWORDS, **TRUTH}.items():
        found = scalars(document, field)
        if found:
            _put(record, path, found[0] if len(found) == 1 else found)
    untold: list[str] = []
    for name in OBJECTS:
        if inner := tree(document, flattened_field(name)):
            record[name] = inner
        elif scalars(document, text_field(name)):
            untold.append(name)
    for time in scalars(document, "@timestamp"):
        record["eventTime"] = time
    return record, tuple(untold)


def _json(text: Any) -> dict[str, Any] | None:
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) and "eventName" in found else None


def _put(record: dict[str, Any], path: Path, value: Any) -> None:
    node = record
    for name in path[:-1]:
        node = node.setdefault(name, {})
    node[path[-1]] = value
