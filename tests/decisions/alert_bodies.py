"""Bodies as senders send them, with what each tells: shapes x ways to render x damage, made of four CloudTrail records."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lab.ecs import Retain, document
from tests.decisions.alert_parts import (
    Json,
    alert,
    columns,
    encoded,
    event_bridge,
    hit,
    identifier,
    nested,
    record,
    sns,
    sqs,
)
from tests.decisions.variants import GROUP, RULE, RULE_UUID, variant

FIELDS = ("event_id", "api", "outcome", "recipient_account", "region", "instance_id", "image_id", "bucket", "object_key",
          "task_id", "event_time")  # fmt: skip
_ALWAYS = {"outcome": "accepted", "recipient_account": "111122223333", "region": "us-east-1", "instance_id": None,
           "image_id": None, "bucket": "example-drop", "object_key": None, "task_id": None,
           "event_time": "2026-03-02T10:03:30Z"}  # fmt: skip
INSTANCE = _ALWAYS | {
    "event_id": "5e68a70c-9e8b-49c3-a6c5-63ab2bc2685a", "api": "CreateInstanceExportTask", "instance_id": "i-0123456789abcdef0",
    "task_id": "export-i-0fedcba9876543210", "object_key": "vm/export-i-0fedcba9876543210.ova",
}  # fmt: skip
IMAGE = _ALWAYS | {
    "event_id": "0b0a6d52-6c0e-4d53-9a57-0d1f5f4c7a11", "api": "ExportImage", "image_id": "ami-0a1b2c3d4e5f60718",
    "task_id": "export-ami-0fedcba9876543210",
}  # fmt: skip
STORE = _ALWAYS | {
    "event_id": "c6a1f0de-1a85-4f0c-8d65-59f2a6b9ee21", "api": "CreateStoreImageTask", "image_id": "ami-0a1b2c3d4e5f60718",
    "object_key": "stored/images/ami-0a1b2c3d4e5f60718.bin",
}  # fmt: skip
REFUSED = INSTANCE | {"event_id": "9f5a7c30-2d29-4a0f-8f1d-6b1f5a7f4e31", "task_id": None, "object_key": None}
OF_API = {"instance": INSTANCE, "image": IMAGE, "store": STORE}


@dataclass(frozen=True)
class Body:
    """A body, and what it tells."""

    name: str
    body: bytes
    exports: tuple[Json, ...] = ()
    asks: tuple[str | None, ...] = ()
    """Of each hint: a part of why it must be asked about again; None: it need not be."""
    problem: str | None = None
    """A part of what is said; None: nothing is."""


def _of_each_api() -> list[Body]:
    found: list[Body] = []
    for api, told in OF_API.items():
        one = record(api)
        of_rule = {
            "search hit": hit(alert(one)), "source": alert(one), "nested": nested(alert(one)), "fields": columns(alert(one)),
            "text only": alert(one, Retain.KEYWORD), "original only": alert(one, Retain.NONE, original=True),
            "flattened only": alert(one, Retain.FLATTENED), "all three": alert(one, original=True),
        }  # fmt: skip
        of_aws = {
            "record": one, "log file": {"Records": [one]}, "lookup": {"Events": [{"CloudTrailEvent": json.dumps(one)}]},
            "eventbridge": event_bridge(one), "sqs of eventbridge": sqs(event_bridge(one)), "sqs of record": sqs(one),
            "lambda of sqs": {"Records": [{"messageId": "m", "eventSource": "aws:sqs", "body": json.dumps(event_bridge(one))}]},
            "event without rule": document(one),
        }  # fmt: skip
        found += [Body(f"{api}, {form}", encoded(value), (told,), (None,)) for form, value in of_rule.items()]
        found += [Body(f"{api}, {form}", encoded(value), (told,)) for form, value in of_aws.items()]
    return found


def _rendered() -> list[Body]:
    """Two alerts, rendered in every way that a template may choose."""
    flat = [alert(record("instance")), alert(record("image"))]
    both = [nested(one) for one in flat]
    joined = ",".join(map(json.dumps, both))
    rule = {"schema": "elastic-rule-action/1", "rule_id": RULE, "count": "2"}
    bodies: dict[str, Any] = {
        "list": both,
        "envelope": rule | {"alerts": both},
        "envelope of text": rule | {"alerts": joined},
        "envelope of text with a comma too many": rule | {"alerts": f"{joined},"},
        "envelope of text with brackets": rule | {"alerts": f"[{joined}]"},
        "envelope of text of text": rule | {"alerts": json.dumps(joined)},
        "comma too many": f'{{"alerts": [{joined},]}}',
        "commas too many": f'{{"rule_id": "{RULE}", "alerts": [{joined} , ] , }}\n',
        "joined": joined,
        "joined with a comma too many": f"{joined},\n",
        "joined in an object": f'{{"rule_id": "{RULE}", "alerts": {joined} }}',
        "lines": "\n".join(map(json.dumps, both)),
        "lines with commas": ",\n".join(map(json.dumps, both)) + ",",
        "lines indented": "\n".join(json.dumps(one, indent=1) for one in both),
        "workflow body": {"schema": "elastic-workflow/1", "alerts": both, "rule": {"id": RULE_UUID, "name": "x"}},
        "workflow event": {"event": {"alerts": both, "rule": {"id": RULE_UUID}, "spaceId": "production"}},
        "context": {"context": {"alerts": both, "rule": {"rule_id": RULE}}},
        "context of text": {"context": {"alerts": joined}},
        "summary": {"alerts": {"new": {"count": 2, "data": both}, "ongoing": {"count": 0, "data": []}}},
        "one alert each": [{"rule_id": RULE, "alert": one} for one in both],
        "one alert of text each": [{"rule_id": RULE, "alert": json.dumps(one)} for one in both],
        "search answer": {"took": 1, "hits": {"hits": [hit(one) for one in flat]}},
        "search answer of fields": {"hits": {"hits": [columns(one) for one in flat]}},
        "index connector": {
            "_index": "inbox",
            "_id": "a",
            "_source": {"@timestamp": "2026-03-02T10:07:15Z", "alerts": joined},
        },
        "index connector, searched": {
            "hits": {"hits": [{"_index": "inbox", "_id": "a", "_source": rule | {"alerts": both}}]}
        },
        "sqs": sqs(*both),
        "with a byte order mark": "\ufeff" + json.dumps(both),
    }
    damaged = {"joined in an object", "lines indented"}
    found = [
        Body(f"two, {name}", encoded(value), (INSTANCE, IMAGE), (None, None), "not JSON" if name in damaged else None)
        for name, value in bodies.items()
    ]
    return [*found, Body("two, UTF-16", json.dumps(both).encode("utf-16"), (INSTANCE, IMAGE), (None, None))]


def _outcomes() -> list[Body]:
    dry = record("denied", errorCode="Client.DryRunOperation")
    bodies = {
        "denied": (alert(record("denied")), REFUSED | {"outcome": "denied"}),
        "dry run": (alert(dry), REFUSED | {"outcome": "dry-run"}),
        "not exportable": (alert(record("denied", errorCode="Client.NotExportable")), REFUSED | {"outcome": "not-exportable"}),
        "failed": (alert(record("denied", errorCode="Server.InternalError")), REFUSED | {"outcome": "failed"}),
        "cross account": (
            alert(record("instance", userIdentity=record("instance")["userIdentity"] | {"accountId": "444455556666"})), INSTANCE),
        "copy in the caller's account": (
            alert(record("instance", recipientAccountId="444455556666", sharedEventID="b1c2")), INSTANCE | {"recipient_account": "444455556666"}),
        "another Region": (alert(record("instance", awsRegion="ap-southeast-2")), INSTANCE | {"region": "ap-southeast-2"}),
    }  # fmt: skip
    return [Body(name, encoded(value), (told,), (None,)) for name, (value, told) in bodies.items()]


def _kinds() -> list[Body]:
    ordinary = {name: INSTANCE for name in ("query", "new_terms", "suppressed")}
    asks = {"building_block": "building block", "shell": "shell of an EQL sequence", "threshold": "only counts",
            "suppressed": "3 more events", "esql": "ES|QL", "ml": "anomaly", "sparse": "does not tell of its event"}  # fmt: skip
    said = {"building_block": f"building block of group {GROUP}", "sparse": "event.action", "suppressed": None}
    return [
        Body(
            f"rule of kind {kind}",
            encoded(variant(kind)),
            (ordinary[kind],) if kind in ordinary else (),
            (asks.get(kind),),
            said.get(kind, asks.get(kind)),
        )
        for kind in ("query", "new_terms", "building_block", "shell", "threshold", "suppressed", "esql", "ml", "sparse")
    ] + [
        Body(
            "sequence whole",
            encoded([variant("shell"), variant("building_block"), variant("query")]),
            (INSTANCE,),
            ("shell", "building block", None),
            "shell",
        ),
        Body(
            "shell of two exports by one API",
            encoded(variant("shell") | {"event": {"action": "ExportImage"}}),
            (),
            ("shell",),
            "shell",
        ),
        Body(
            "another call", encoded(alert(record("instance", eventName="RunInstances"))), (), (None,), "'RunInstances'"
        ),
        Body(
            "two actions in one alert",
            encoded(alert(record("instance")) | {"event.action": ["ExportImage", "CreateInstanceExportTask"]}),
            (),
            ("does not tell of its event",),
            "several values",
        ),
    ]


def _messages() -> list[Body]:
    one = record("instance")
    link = f"https://kibana.example.com/s/production/app/security/rules/id/{RULE_UUID}?timerange=(global:(linkTo:!(timeline),timerange:(from:'2026-03-02T10:00:00Z',kind:absolute,to:'2026-03-02T10:07:00Z')))"
    told = "holds no alert"
    redirect = f"https://kibana.example.com/app/security/alerts/redirect/{identifier(one)}?index=a&timestamp=b"
    bodies: dict[str, tuple[Any, str, str]] = {
        "name and link": ({"text": f"AWS EC2 Export Task {link}"}, told, told),
        "name and link, no JSON": (f"AWS EC2 Export Task {link}", told, "not JSON"),
        "link to an alert": ({"blocks": [{"text": {"text": redirect}}]}, told, told),
        "rule alone": ({"rule_id": RULE, "rule_name": "x"}, told, told),
        "no alerts": ({"rule_id": RULE, "alerts": []}, told, "empty"),
        "alerts that are none": ({"rule_id": RULE, "alerts": "[object Object]"}, told, "not JSON"),
        "id alone": ({"alert_id": identifier(one)}, told, told),
        "template error": ('error rendering mustache template "{{#a}}": unclosed', "could not render", "template"),
    }  # fmt: skip
    return [Body(name, encoded(value), (), (ask,), said) for name, (value, ask, said) in bodies.items()] + [
        Body("fewer alerts than made", encoded({"rule_id": RULE, "count": "7", "alerts": [alert(one)]}), (INSTANCE,), (None, "tells of 7 alerts and holds 1")),
        Body("sns", encoded(sns(one)), (), (), "signature"),
        Body("sns of eventbridge in sqs", encoded(sqs(sns(event_bridge(one)))), (), (), "signature"),
        Body("sns of an alert in a list", encoded([sns(alert(one))]), (), (), "signature"),
        Body("subscription", encoded({"Type": "SubscriptionConfirmation", "TopicArn": "t", "Message": "m", "SubscribeURL": "u"}), (), (), "signature"),
        Body("text", b'{"text": "Rule fired"}', (), (), "neither an alert nor"),
    ]  # fmt: skip


def _damaged() -> list[Body]:
    one, two = alert(record("instance")), alert(record("image"))
    text = json.dumps({"rule_id": RULE, "alerts": [one, two]})
    inside = text.index('"kibana.alert.rule.name"', text.index(IMAGE["event_id"]))
    breaking = json.dumps([one, two]).replace("aws-cli/2.17.60", 'x"y', 1)
    injected = json.dumps(one)[:-1] + ', "event": {"action": "ExportImage"}, "kibana.alert.uuid": "x"}'
    hidden = (
        json.dumps(one)[:-1]
        + ', "alerts": [], "Records": [], "hits": {"hits": []}, "alert": {}, "detail-type": "x", "detail": {}}'
    )
    huge = json.dumps(one)[:-1] + f', "n": {"9" * 5000}, "f": 1e999, "x": NaN}}'
    return [
        Body("cut off in the second alert", text[:inside].encode(), (INSTANCE,), (None, "damaged"), "not JSON"),
        Body("cut off in the only alert", json.dumps(nested(one))[:-10].encode(), (), ("damaged",), "not JSON"),
        Body("cut off between two lines", f"{json.dumps(one)}\n{json.dumps(two)[:-10]}".encode(), (INSTANCE,), (None, "damaged"), "line 2"),
        Body("cut off in text", encoded({"alerts": json.dumps([one, two])[:-10]}), (INSTANCE,), (None, "damaged"), "not JSON"),
        Body("a value breaks out of its quotes", breaking.encode(), (IMAGE,), (None, "damaged"), "not JSON"),
        Body("a name injected twice", injected.encode(), (INSTANCE,), (None,), "stands twice"),
        Body("names of envelopes injected", hidden.encode(), (INSTANCE,), (None,)),
        Body("a bucket twice", json.dumps(record("instance")).replace('"s3Bucket"', '"s3Bucket": "innocent", "s3Bucket"', 1).encode(),
             (INSTANCE,), (), "stands twice"),
        Body("numbers that no computer holds", huge.encode(), (INSTANCE,), (None,), "NaN"),
        Body("bytes that are no UTF-8", json.dumps(one).encode().replace(b"aws-cli/2.17.60", b"aws-cli\xe9"), (INSTANCE,), (None,), "not UTF-8"),
        Body("junk around", b"--- alert: " + json.dumps(one).encode() + b" ---", (INSTANCE,), (None,), "not JSON"),
        Body("no time", encoded({k: v for k, v in one.items() if "original_time" not in k}), (), ("does not tell of its event",), "when the call was made"),
        Body("nested without end", b'{"alerts": ' + b'[{"a":' * 90 + b"1" + b"}]" * 90 + b"}", (), (), "too deeply"),
    ]  # fmt: skip


BODIES = tuple([*_of_each_api(), *_rendered(), *_outcomes(), *_kinds(), *_messages(), *_damaged()])
