"""Alerts of other types of rules, in the shapes of notes/elastic.md 1.3: sequences, thresholds, new terms, suppressed ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from lab.alert import PREBUILT, SPACE, Json, Rule, ancestor, backing_index, hit
from lab.ecs import document, stamp

EXPORTS = replace(PREBUILT, uuid="5c1b5b51-6a55-4c3b-8f6e-0d6f3e0c9a77")


def eql_sequence(
    records: Sequence[Json], now: datetime, space: str = SPACE, namespace: str = "default", rule: Rule = EXPORTS
) -> tuple[Json, ...]:
    """The building blocks of an EQL sequence, one per event, and last the shell, which holds what all events have in common."""
    rule = replace(rule, type="eql")
    ids = [record["eventID"] for record in records]
    group = hashlib.sha256("".join(ids).encode()).hexdigest()
    events = [document(record, now) for record in records]
    behind = [ancestor(record, now, namespace) for record in records]
    blocks = [
        hit(
            event, rule, now, space, ancestors=[one], identity=f"{one['index']}{one['id']}{group}",
            building_block_type="default", group__id=group, group__index=n,
        )
        for n, (event, one) in enumerate(zip(events, behind, strict=True))
    ]  # fmt: skip
    signals = [{"id": block["_id"], "type": "signal", "index": "", "depth": 1, "rule": rule.uuid} for block in blocks]
    shell = hit(
        common(events), rule, now, space, ancestors=[*behind, *signals], identity=group,
        depth=2, group__id=group, original_time=events[0]["@timestamp"],
    )  # fmt: skip
    return (*blocks, shell)


def threshold(
    records: Sequence[Json], terms: Sequence[tuple[str, str]], now: datetime, space: str = SPACE, rule: Rule = EXPORTS
) -> Json:
    """One alert for several events that share values (field, value): it holds the values, how many, and since when."""
    rule = replace(rule, type="threshold")
    times = sorted(stamp(record["eventTime"]) for record in records)
    indices = ",".join(rule.indices)
    key = hashlib.sha256(f"{indices}{terms}{times[0]}".encode()).hexdigest()
    return hit(
        {"@timestamp": times[-1], **dict(terms)}, rule, now, space, identity=key,
        ancestors=[{"id": key, "type": "event", "index": indices, "depth": 0}],
        threshold_result={
            "terms": [{"field": field, "value": value} for field, value in terms],
            "cardinality": [],
            "count": len(records),
            "from": times[0],
        },
    )  # fmt: skip


def new_terms(
    record: Json, values: Sequence[str], now: datetime, space: str = SPACE, namespace: str = "default", rule: Rule = EXPORTS
) -> Json:  # fmt: skip
    """The alert of an event whose values were not seen before."""
    return hit(
        document(record, now), replace(rule, type="new_terms"), now, space, ancestors=[ancestor(record, now, namespace)],
        identity=f"{record['eventID']}{list(values)}", new_terms=list(values),
    )  # fmt: skip


def suppressed(
    records: Sequence[Json], terms: Sequence[tuple[str, str]], now: datetime, space: str = SPACE,
    namespace: str = "default", rule: Rule = EXPORTS,
) -> Json:  # fmt: skip
    """The alert of the first of several events; the others only count."""
    times = sorted(stamp(record["eventTime"]) for record in records)
    first = min(records, key=lambda record: stamp(record["eventTime"]))
    return hit(
        document(first, now), rule, now, space, ancestors=[ancestor(first, now, namespace)],
        identity=f"{backing_index(now, namespace)}{first['eventID']}1",
        suppression__terms=[{"field": field, "value": [value]} for field, value in terms],
        suppression__start=times[0], suppression__end=times[-1], suppression__docs_count=len(records) - 1,
    )  # fmt: skip


def common(documents: Sequence[Json]) -> Json:
    """The fields that have the same value in all documents."""
    first, *rest = documents
    found: dict[str, Any] = {}
    for name, value in first.items():
        others = [other.get(name) for other in rest]
        if isinstance(value, dict) and all(isinstance(other, dict) for other in others):
            inner = common([value, *(other for other in others if isinstance(other, dict))])
            found |= {name: inner} if inner else {}
        elif all(other == value for other in others):
            found[name] = value
    return found
