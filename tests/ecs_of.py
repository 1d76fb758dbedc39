"""ECS documents for tests, as Elastic's AWS integration makes them of CloudTrail records and of access log lines.

The simplest such documents, by hand: what the lab writes is for lab/ecs.py, and its own tests.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

OBJECTS = {
    "requestParameters": "request_parameters",
    "responseElements": "response_elements",
    "additionalEventData": "additional_eventdata",
}


def ecs_document(
    record: dict[str, Any], *, original: bool = True, flattened: bool = True, late: timedelta = timedelta(minutes=3)
) -> dict[str, Any]:
    """The document of one event; `original`, `flattened`: whether these were kept; `late`: from event to ingest."""
    identity = record["userIdentity"]
    issuer = identity.get("sessionContext", {}).get("sessionIssuer", {})
    trail: dict[str, Any] = {
        "user_identity": {
            "type": identity.get("type"),
            "arn": identity.get("arn"),
            "access_key_id": identity.get("accessKeyId"),
            "invoked_by": identity.get("invokedBy"),
            "session_context": {
                "session_issuer": {"arn": issuer.get("arn"), "principal_id": issuer.get("principalId")}
            },
        },
        "recipient_account_id": record["recipientAccountId"],
        "error_code": record.get("errorCode"),
        "error_message": record.get("errorMessage"),
        "read_only": record.get("readOnly"),
        "event_category": record.get("eventCategory"),
        "management_event": str(record.get("managementEvent")).lower(),
        "resources": [{"arn": r["ARN"], "account_id": r.get("accountId")} for r in record.get("resources", [])],
    }
    for name, field in OBJECTS.items():
        if record.get(name):
            trail[field] = java_text(record[name])
            if flattened:
                trail.setdefault("flattened", {})[field] = record[name]
    when = datetime.fromisoformat(record["eventTime"])
    document = {
        "@timestamp": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "event": {
            "kind": "event",
            "id": record["eventID"],
            "action": record["eventName"],
            "provider": record["eventSource"],
            "ingested": (when + late).isoformat().replace("+00:00", "Z"),
            "original": json.dumps(record) if original else None,
        },
        "user": {"id": identity.get("principalId"), "name": issuer.get("userName") or identity.get("userName")},
        "cloud": {
            "account": {"id": identity.get("accountId") or record["recipientAccountId"]},
            "region": record["awsRegion"],
        },
        "source": {"address": record.get("sourceIPAddress")},
        "user_agent": {"original": record.get("userAgent")},
        "aws": {"cloudtrail": trail},
    }
    return without_nothing(document)


def java_text(value: Any) -> str:
    """A value as Java's `toString` writes it, in the order of the names as they come."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}={java_text(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(java_text(item) for item in value) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def without_nothing(value: Any) -> Any:
    """Without what is null or empty, as the pipeline leaves it; lists stay."""
    if not isinstance(value, dict):
        return value
    kept = {name: without_nothing(inner) for name, inner in value.items()}
    return {name: inner for name, inner in kept.items() if inner not in (None, "", {})}
