"""What the corpus of bodies is made of: records, the alerts that a rule makes of them, and what carries both.

Documents come from lab/ecs.py, which is written from Elastic's pipeline and knows nothing of the decoder.
"""

from __future__ import annotations

import json
from typing import Any

from lab.ecs import Integration, Retain, document
from tests.decisions.variants import ALERTS, RULE, RULE_UUID, dotted

Json = dict[str, Any]


def record(name: str, **change: Any) -> Json:
    """A CloudTrail record of the corpus; `change` replaces top-level fields."""
    return json.loads((ALERTS / f"cloudtrail_{name}.json").read_text()) | change


def alert(of: Json, retain: Retain = Retain.ALL, original: bool = False) -> Json:
    """The alert of an ordinary rule on the record's document: the event nested, the alert dotted."""
    event = document(of, integration=Integration(retain=retain, preserve_original_event=original))
    event["event"].pop("kind")
    return event | {
        "@timestamp": "2026-03-02T10:07:12.345Z", "event.kind": "signal", "kibana.space_ids": ["production"],
        "kibana.alert.uuid": identifier(of), "kibana.alert.original_time": "2026-03-02T10:03:30.000Z",
        "kibana.alert.original_event.action": of["eventName"], "kibana.alert.original_event.id": of["eventID"],
        "kibana.alert.rule.rule_id": RULE, "kibana.alert.rule.uuid": RULE_UUID, "kibana.alert.rule.type": "query",
        "kibana.alert.rule.name": "AWS EC2 Export Task",
    }  # fmt: skip


def identifier(of: Json) -> str:
    """The id of the record's alert."""
    return of["eventID"].replace("-", "") * 2


def nested(flat: Json) -> Json:
    """The webhook's form."""
    tree: Json = {}
    for path, value in flat.items():
        *above, last = path.split(".")
        place = tree
        for name in above:
            place = place.setdefault(name, {})
        place[last] = place.get(last, {}) | value if isinstance(value, dict) else value
    return tree


def hit(source: Json) -> Json:
    """A search hit."""
    return {
        "_index": ".internal.alerts-security.alerts-production-000007",
        "_id": source["kibana.alert.uuid"],
        "_source": source,
    }


def columns(source: Json) -> Json:
    """A hit of a search that asked for `fields`."""
    fields = {name: value if isinstance(value, list) else [value] for name, value in dotted(source).items()}
    return {"_index": "i", "_id": source["kibana.alert.uuid"], "fields": fields}


def event_bridge(of: Json) -> Json:
    """An event of EventBridge; its `id` is another than the record's."""
    return {
        "version": "0",
        "id": "another",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ec2",
        "detail": of,
    }


def sns(of: Any) -> Json:
    """An envelope of SNS, unverified."""
    return {"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:us-east-1:111122223333:exports",
            "Message": json.dumps(of), "Timestamp": "2026-03-02T10:03:40Z", "SignatureVersion": "1", "Signature": "AA==",
            "SigningCertURL": "https://sns.us-east-1.amazonaws.com/a.pem"}  # fmt: skip


def sqs(*bodies: Any) -> Json:
    """An answer of ReceiveMessage."""
    return {
        "Messages": [
            {"MessageId": str(n), "Body": b if isinstance(b, str) else json.dumps(b)} for n, b in enumerate(bodies)
        ]
    }


def encoded(value: Any) -> bytes:
    """The value as JSON, or text as it is."""
    return (value if isinstance(value, str) else json.dumps(value)).encode()
