"""The alert that Elastic's rule makes of a CloudTrail record, as the search API shows it, and its way to the receiver."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx

SPACE, RULE_UUID = "default", "9d3c5a1e-4f0e-4c57-9a43-6a2f0c6f8a10"
PREBUILT = ("deee5856-25ba-438d-ae53-09d66f41b127", "AWS EC2 Export Task", "medium", 47)
"""Elastic's own rule (rule_id, name, severity, risk score): successes only."""
ATTEMPTS = ("6b1f0a5c-2d55-4a41-8a4c-0f8d5e6c7b21", "AWS EC2 Export Attempt Refused", "medium", 47)
"""A rule that the organisation has added: the same calls, refused."""
THREAT = [
    {
        "framework": "MITRE ATT&CK",
        "tactic": {"id": "TA0010", "name": "Exfiltration"},
        "technique": [{"id": "T1537", "name": "Transfer Data to Cloud Account"}],
    }
]
SECRET_HEADER = "X-VMExport-Secret"

Json = dict[str, Any]


def alert_of(record: Json, now: datetime | None = None) -> Json:
    """A search hit whose `_source` is keyed as Elastic keys it: the event nested, kibana.alert.* dotted (notes/elastic.md 1.2)."""
    created = now or datetime.now(UTC)
    failed = "errorCode" in record
    rule_id, rule, severity, risk = ATTEMPTS if failed else PREBUILT
    source = f".ds-logs-aws.cloudtrail-default-{created:%Y.%m.%d}-000001"
    identifier = hashlib.sha256(f"{source}{record['eventID']}1{SPACE}:{RULE_UUID}{rule_id}".encode()).hexdigest()
    event = _event(record, created, "failure" if failed else "success")
    document = {
        "@timestamp": _stamp(created),
        "event.kind": "signal",
        "event": event,
        **_who(record),
        "aws": {"cloudtrail": _cloudtrail(record)},
        "tags": ["forwarded", "aws-cloudtrail"],
        "kibana.space_ids": [SPACE],
        "kibana.alert.uuid": identifier,
        "kibana.alert.status": "active",
        "kibana.alert.workflow_status": "open",
        "kibana.alert.workflow_tags": [],
        "kibana.alert.workflow_assignee_ids": [],
        "kibana.alert.depth": 1,
        "kibana.alert.ancestors": [{"id": record["eventID"], "type": "event", "index": source, "depth": 0}],
        "kibana.alert.original_time": _stamp(_moment(record["eventTime"])),
        **{f"kibana.alert.original_event.{name}": event[name] for name in ("action", "outcome", "id", "provider")},
        "kibana.alert.reason": f"event by {_name(record)} created {severity} alert {rule}.",
        "kibana.alert.severity": severity,
        "kibana.alert.risk_score": risk,
        "kibana.alert.intended_timestamp": _stamp(created),
        "kibana.alert.rule.execution.type": "scheduled",
        "kibana.alert.rule.execution.uuid": str(uuid.uuid4()),
        "kibana.alert.rule.uuid": RULE_UUID,
        "kibana.alert.rule.rule_id": rule_id,
        "kibana.alert.rule.name": rule,
        "kibana.alert.rule.type": "query",
        "kibana.alert.rule.version": 3,
        "kibana.alert.rule.consumer": "siem",
        "kibana.alert.rule.indices": ["filebeat-*", "logs-aws.cloudtrail-*"],
        "kibana.alert.rule.parameters": {
            "type": "query",
            "language": "kuery",
            "rule_id": rule_id,
            "severity": severity,
        },
        "kibana.alert.rule.threat": THREAT,
    }
    return {
        "_index": f".internal.alerts-security.alerts-{SPACE}-000001",
        "_id": identifier,
        "_score": None,
        "_source": document,
    }


def post(alert: Json, receiver: str, secret: str) -> str:
    """Hand the alert to the receiver as Kibana's webhook would; the case that it opened or joined. Raises httpx.HTTPError."""
    answer = httpx.post(f"{receiver}/alerts/elastic", json=alert, headers={SECRET_HEADER: secret}, timeout=30)
    answer.raise_for_status()
    return str(answer.json()["case"])


def _event(record: Json, now: datetime, outcome: str) -> Json:
    return {
        "action": record["eventName"],
        "provider": record["eventSource"],
        "outcome": outcome,
        "id": record["eventID"],
        "type": ["info"],
        "created": _stamp(_moment(record["eventTime"])),
        "ingested": _stamp(now),
        "dataset": "aws.cloudtrail",
        "module": "aws",
    }


def _who(record: Json) -> Json:
    """ECS: user, user_agent, source, cloud. `cloud.account.id` is the caller's account."""
    identity, agent = record["userIdentity"], str(record.get("userAgent") or "")
    address = record["sourceIPAddress"]
    source = {"address": address, **({"ip": address} if address[:1].isdigit() else {})}
    return {
        "user": {"id": identity.get("principalId"), "name": _name(record)},
        "user_agent": {
            "name": agent.partition("/")[0].lower() or "other",
            "original": agent,
            "device": {"name": "Other"},
        },
        "source": source,
        "cloud": {"account": {"id": identity.get("accountId")}, "region": record["awsRegion"]},
    }


def _name(record: Json) -> str:
    """The role's name for sessions, as Elastic's pipeline has it."""
    identity = record["userIdentity"]
    issuer = identity.get("sessionContext", {}).get("sessionIssuer", {})
    return str(issuer.get("userName") or identity.get("userName") or identity.get("type"))


def _cloudtrail(record: Json) -> Json:
    asked, answered = record.get("requestParameters"), record.get("responseElements")
    flattened = {"request_parameters": asked, "response_elements": answered}
    texts = {name: java_map(value) for name, value in flattened.items() if value is not None}
    refused = {"error_code": record.get("errorCode"), "error_message": record.get("errorMessage")}
    return {
        "event_version": record["eventVersion"],
        "event_type": record["eventType"],
        "event_category": record["eventCategory"],
        "read_only": record["readOnly"],
        "recipient_account_id": record["recipientAccountId"],
        "request_id": record["requestID"],
        "user_identity": _identity(record["userIdentity"]),
        **{name: value for name, value in refused.items() if value is not None},
        **texts,
        "flattened": {name: value for name, value in flattened.items() if value is not None},
    }


def _identity(identity: Json) -> Json:
    found = {
        "type": identity.get("type"),
        "arn": identity.get("arn"),
        "access_key_id": identity.get("accessKeyId"),
        "invoked_by": identity.get("invokedBy"),
    }
    session = identity.get("sessionContext", {})
    if session:
        issuer = session.get("sessionIssuer", {})
        attributes = session.get("attributes", {})
        found["session_context"] = {
            "mfa_authenticated": attributes.get("mfaAuthenticated"),
            "creation_date": attributes.get("creationDate"),
            "session_issuer": {
                "type": issuer.get("type"),
                "arn": issuer.get("arn"),
                "principal_id": issuer.get("principalId"),
                "account_id": issuer.get("accountId"),
            },
        }
    return {name: value for name, value in found.items() if value is not None}


def java_map(value: Any) -> str:
    """The value as Java's `Map.toString()` writes it: nothing quoted, `{k=v, k2=[a, b]}`."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={java_map(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(java_map(inner) for inner in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
