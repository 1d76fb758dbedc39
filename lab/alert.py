"""The alert that Elastic's rule makes of a CloudTrail record, as the search API shows it, and its way to the receiver."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from lab.ecs import document, stamp

SPACE = "default"
THREAT = [
    {
        "framework": "MITRE ATT&CK",
        "tactic": {"id": "TA0010", "name": "Exfiltration"},
        "technique": [{"id": "T1537", "name": "Transfer Data to Cloud Account"}],
    }
]
SECRET_HEADER = "X-VMExport-Secret"

Json = dict[str, Any]


@dataclass(frozen=True)
class Rule:
    """A detection rule, as its alerts tell of it."""

    rule_id: str
    """The same in every installation."""
    name: str
    type: str = "query"
    severity: str = "medium"
    risk_score: int = 47
    uuid: str = "9d3c5a1e-4f0e-4c57-9a43-6a2f0c6f8a10"
    """Of this installation."""
    indices: tuple[str, ...] = ("filebeat-*", "logs-aws.cloudtrail-*")


PREBUILT = Rule("deee5856-25ba-438d-ae53-09d66f41b127", "AWS EC2 Export Task")
"""Elastic's own rule: successes only."""
ATTEMPTS = Rule("6b1f0a5c-2d55-4a41-8a4c-0f8d5e6c7b21", "AWS EC2 Export Attempt Refused")
"""A rule that the organisation has added: the same calls, refused."""


def alert_of(record: Json, now: datetime | None = None, space: str = SPACE, namespace: str = "default") -> Json:
    """A search hit whose `_source` is keyed as Elastic keys it: the event nested, kibana.alert.* dotted (notes/elastic.md 1.2)."""
    made = now or datetime.now(UTC)
    rule = ATTEMPTS if "errorCode" in record else PREBUILT
    event = document(record, made)
    event["event"]["ingested"] = stamp(made)
    return hit(
        event,
        rule,
        made,
        space,
        ancestors=[ancestor(record, made, namespace)],
        identity=f"{backing_index(made, namespace)}{record['eventID']}1",
    )


def backing_index(created: datetime, namespace: str) -> str:
    """The index behind the data stream in which an event stands."""
    return f".ds-logs-aws.cloudtrail-{namespace}-{created:%Y.%m.%d}-000001"


def ancestor(record: Json, created: datetime, namespace: str = "default") -> Json:
    """The event that an alert was made of."""
    return {"id": record["eventID"], "type": "event", "index": backing_index(created, namespace), "depth": 0}


def hit(
    event: Json, rule: Rule, made: datetime, space: str, *, ancestors: list[Json], identity: str, **kibana: Any
) -> Json:
    """An alert as a search hit; `identity` is what its id is derived from, `kibana` replaces or adds `kibana.alert.NAME`."""
    identifier = hashlib.sha256(f"{identity}{space}:{rule.uuid}{rule.rule_id}".encode()).hexdigest()
    source = {name: value for name, value in event.items() if name != "event"}
    told = {name: value for name, value in event.get("event", {}).items() if name != "kind"}
    alert = _alert(event, rule, made, identifier) | {"ancestors": ancestors} | kibana
    return {
        "_index": f".internal.alerts-security.alerts-{space}-000001",
        "_id": identifier,
        "_score": None,
        "_source": {
            **source,
            "@timestamp": stamp(made),
            "event.kind": "signal",
            **({"event": told} if told else {}),
            "kibana.space_ids": [space],
            **{f"kibana.alert.{name.replace('__', '.')}": value for name, value in alert.items() if value is not None},
            **{f"kibana.alert.original_event.{name}": value for name, value in told.items()},
        },
    }


def _alert(event: Json, rule: Rule, made: datetime, identifier: str) -> Json:
    """kibana.alert.*, `__` for a dot in a name."""
    by = event.get("user", {}).get("name")
    return {
        "uuid": identifier,
        "status": "active",
        "workflow_status": "open",
        "workflow_tags": [],
        "workflow_assignee_ids": [],
        "depth": 1,
        "original_time": event.get("@timestamp"),
        "reason": f"event{f' by {by}' if by else ''} created {rule.severity} alert {rule.name}.",
        "severity": rule.severity,
        "risk_score": rule.risk_score,
        "intended_timestamp": stamp(made),
        "rule__execution__type": "scheduled",
        "rule__execution__uuid": str(uuid.uuid4()),
        "rule__uuid": rule.uuid,
        "rule__rule_id": rule.rule_id,
        "rule__name": rule.name,
        "rule__type": rule.type,
        "rule__version": 3,
        "rule__consumer": "siem",
        "rule__indices": list(rule.indices),
        "rule__parameters": {"type": rule.type, "rule_id": rule.rule_id, "severity": rule.severity},
        "rule__threat": THREAT,
    }


def post(alert: Json, receiver: str, secret: str) -> str:
    """Hand the alert to the receiver as Kibana's webhook would; the case that it opened or joined. Raises httpx.HTTPError."""
    answer = httpx.post(f"{receiver}/alerts/elastic", json=alert, headers={SECRET_HEADER: secret}, timeout=30)
    answer.raise_for_status()
    return str(answer.json()["case"])
