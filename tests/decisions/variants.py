"""Alerts of every kind of rule, keyed as the search API's `_source` is: the event nested, `kibana.alert.*` dotted."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

ALERTS = Path(__file__).parent.parent / "alerts"
UUID = "7e0c" * 16
GROUP = "91af" * 16
RULE, RULE_UUID = "deee5856-25ba-438d-ae53-09d66f41b127", "9d3c0000-0000-4000-8000-000000000001"
EVENT_INDEX = ".ds-logs-aws.cloudtrail-default-2026.03.01-000012"
WHO = "AROAEXAMPLEEXAMPLE:jo.contractor@example.com"
_OF_RULE = ("@timestamp", "event.kind", "kibana.space_ids", "kibana.alert.uuid", "kibana.alert.rule.rule_id",
            "kibana.alert.rule.uuid", "kibana.alert.rule.name")  # fmt: skip


def alert() -> dict[str, Any]:
    """The ordinary one, of a query rule."""
    return deepcopy(json.loads((ALERTS / "search_hit.json").read_text())["_source"])


def variant(kind: str) -> dict[str, Any]:
    """The alert that a rule of this kind makes of the same export."""
    whole = alert()
    bare = {name: whole[name] for name in _OF_RULE}
    event = {"id": "event-1", "type": "event", "index": EVENT_INDEX, "depth": 0}
    return {
        "query": lambda: whole | {"kibana.alert.ancestors": [event]},
        "new_terms": lambda: whole | {"kibana.alert.rule.type": "new_terms", "kibana.alert.new_terms": ["111122223333", "platform-admin"]},
        "building_block": lambda: whole | {
            "kibana.alert.rule.type": "eql", "kibana.alert.building_block_type": "default",
            "kibana.alert.group.id": GROUP, "kibana.alert.group.index": 0, "kibana.alert.ancestors": [event],
        },
        "shell": lambda: bare | {
            "kibana.alert.rule.type": "eql", "kibana.alert.group.id": GROUP, "kibana.alert.depth": 2,
            "kibana.alert.original_time": "2026-03-02T10:03:30.000Z", "user": {"id": WHO}, "cloud": {"region": "us-east-1"},
            "kibana.alert.ancestors": [
                event, {"id": "block-1", "type": "signal", "index": "", "depth": 1},
                event | {"id": "event-2"}, {"id": "block-2", "type": "signal", "index": "", "depth": 1},
            ],
        },
        "threshold": lambda: bare | {
            "kibana.alert.rule.type": "threshold", "kibana.alert.original_time": "2026-03-02T10:07:00.000Z",
            "user.id": WHO, "cloud.region": "us-east-1",
            "kibana.alert.ancestors": [{"id": "made-up", "type": "event", "index": "filebeat-*,logs-aws.cloudtrail-*", "depth": 0}],
            "kibana.alert.threshold_result": {
                "terms": [{"field": "user.id", "value": WHO}, {"field": "cloud.region", "value": "us-east-1"}],
                "count": 3, "from": "2026-03-02T10:00:00.000Z",
            },
        },
        "suppressed": lambda: whole | {
            "kibana.alert.suppression.terms": [{"field": "user.id", "value": [WHO]}],
            "kibana.alert.suppression.start": "2026-03-02T10:03:30.000Z",
            "kibana.alert.suppression.end": "2026-03-02T10:06:00.000Z",
            "kibana.alert.suppression.docs_count": 3,
        },
        "esql": lambda: bare | {
            "kibana.alert.rule.type": "esql", "kibana.alert.rule.parameters": {"from": "now-1h"},
            "user.name": "platform-admin", "exports": 3, "kibana.alert.ancestors": [{"id": "", "type": "event", "index": "", "depth": 0}],
        },
        "ml": lambda: bare | {
            "kibana.alert.rule.type": "machine_learning", "job_id": "rare_method_for_a_username", "record_score": 91.5,
            "kibana.alert.original_time": "2026-03-02T10:00:00.000Z", "user": {"name": ["platform-admin"]},
        },
        "sparse": lambda: bare,
    }[kind]()  # fmt: skip


def dotted(tree: Any, above: str = "") -> dict[str, Any]:
    """As the search API's `fields` keys it: every leaf under its whole name; of objects in a list, columns."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{above}{name}"
        if isinstance(value, dict):
            found |= {path: value} if path.startswith("aws.cloudtrail.flattened.") else dotted(value, f"{path}.")
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            for item in value:
                for column, leaf in dotted(item, f"{path}.").items():
                    found.setdefault(column, []).extend(leaf if isinstance(leaf, list) else [leaf])
        else:
            found[path] = value
    return found
