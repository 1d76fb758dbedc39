"""Alerts of the pretended Kibana: search, status with a reason, tags; in memory or in a real Elasticsearch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from lab.kibana_state import Json, Refused, State, body_of, checked, texts

STATUSES = ("open", "acknowledged", "in-progress", "closed")
REASONS = (
    "false_positive", "duplicate", "issue_resolved", "acceptable_risk", "expected_activity", "low_severity",
    "investigation_required",
)  # fmt: skip
STATUS, REASON, TAGS = "kibana.alert.workflow_status", "kibana.alert.workflow_reason", "kibana.alert.workflow_tags"


class InMemory:
    """Alerts as a dictionary, for tests without an Elasticsearch."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Json] = {}

    def put(self, space: str, alert_id: str, **fields: Any) -> None:
        """Keep an alert; `fields`: rule_uuid, rule_name, rule_id, event_id, or dotted names with `__` for the dot."""
        named = {
            "rule_uuid": "kibana.alert.rule.uuid", "rule_name": "kibana.alert.rule.name",
            "rule_id": "kibana.alert.rule.rule_id", "event_id": "kibana.alert.original_event.id",
        }  # fmt: skip
        source: Json = {"@timestamp": datetime.now(UTC).isoformat(), STATUS: "open", TAGS: []}
        source |= {"kibana.alert.uuid": alert_id, "kibana.space_ids": [space]}
        source |= {named.get(name, name.replace("__", ".")): value for name, value in fields.items()}
        self.kept[space, alert_id] = source

    def search(self, space: str, body: Json) -> Json:
        """ids, term, terms, exists and bool, as far as our queries go."""
        hits = [
            {"_index": f".internal.alerts-security.alerts-{space}-000001", "_id": alert_id, "_source": source}
            for (where, alert_id), source in sorted(self.kept.items())
            if where == space and _holds(body.get("query", {"match_all": {}}), alert_id, source)
        ]
        shown = hits[: body.get("size", 10)]
        shards = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
        total = {"value": len(hits), "relation": "eq"}
        return {"took": 1, "timed_out": False, "_shards": shards, "hits": {"total": total, "hits": shown}}

    def change(self, space: str, alert_id: str, fields: Json) -> bool:
        """Set fields of one alert."""
        if (space, alert_id) not in self.kept:
            return False
        self.kept[space, alert_id] |= fields
        return True

    def read(self, space: str, alert_id: str) -> Json | None:
        """The alert's source."""
        return self.kept.get((space, alert_id))


class InElasticsearch:
    """Alerts in a real Elasticsearch, where a poller sees what was changed."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=30)

    def search(self, space: str, body: Json) -> Json:
        """Elasticsearch's own answer; no alerts where the space has no index yet."""
        path = f"/.alerts-security.alerts-{space}/_search"
        answer = self.client.post(path, params={"ignore_unavailable": "true"}, json=body)
        if answer.is_error:
            raise Refused(answer.status_code, answer.text[:300])
        return answer.json()

    def change(self, space: str, alert_id: str, fields: Json) -> bool:
        """Set fields of one alert in the index it lies in; seen by the next search."""
        hit = self._hit(space, alert_id)
        if hit is None:
            return False
        path = f"/{hit['_index']}/_update/{alert_id}"
        self.client.post(path, params={"refresh": "true"}, json={"doc": fields}).raise_for_status()
        return True

    def read(self, space: str, alert_id: str) -> Json | None:
        """The alert's source."""
        hit = self._hit(space, alert_id)
        return hit["_source"] if hit else None

    def _hit(self, space: str, alert_id: str) -> Json | None:
        found = self.search(space, {"query": {"ids": {"values": [alert_id]}}, "size": 1})["hits"]["hits"]
        return found[0] if found else None


def routes(state: State) -> Blueprint:
    """The routes of this part, without the prefix of the space."""
    part = Blueprint("alerts", __name__)

    @part.post("/api/detection_engine/signals/search")
    def search() -> ResponseReturnValue:
        allowed = ("query", "aggs", "size", "track_total_hits", "_source", "fields", "runtime_mappings", "sort")
        return jsonify(state.alerts.search(state.space, body_of(dict.fromkeys(allowed, False))))

    @part.post("/api/detection_engine/signals/status")
    def set_status() -> ResponseReturnValue:
        return jsonify(_set_status(state))

    @part.post("/api/detection_engine/signals/tags")
    def set_tags() -> ResponseReturnValue:
        return jsonify(_set_tags(state))

    return part


def _set_status(state: State) -> Json:
    fields = {"signal_ids": False, "query": False, "status": True, "conflicts": False}
    body = body_of(fields | ({"reason": False} if state.knows_reasons else {}))
    if ("signal_ids" in body) == ("query" in body):
        raise Refused(400, "[request body]: exactly one of signal_ids and query must be given")
    if "query" in body:
        raise Refused(400, "[request body]: the lab takes signal_ids only")
    if "conflicts" in body:
        raise Refused(400, '[request body]: invalid keys "conflicts"')
    if body["status"] not in STATUSES:
        raise Refused(400, f"[request body]: status: Invalid enum value, received '{body['status']}'")
    if "reason" in body and (body["status"] != "closed" or body["reason"] not in REASONS):
        raise Refused(400, f"[request body]: reason: Invalid enum value, received '{body['reason']}'")
    ids = texts(body["signal_ids"], "signal_ids")
    changed = {STATUS: body["status"], REASON: body.get("reason")}
    return _updated(sum(state.alerts.change(state.space, i, changed) for i in dict.fromkeys(ids)))


def _set_tags(state: State) -> Json:
    body = body_of({"ids": True, "tags": True})
    tags = checked(body["tags"], {"tags_to_add": True, "tags_to_remove": True}, "[request body].tags")
    add, remove = texts(tags["tags_to_add"], "tags_to_add"), texts(tags["tags_to_remove"], "tags_to_remove")
    if set(add) & set(remove):
        raise Refused(400, "Duplicate tags were found in the tags_to_add and tags_to_remove parameters")
    updated = 0
    for alert_id in dict.fromkeys(texts(body["ids"], "ids")):
        source = state.alerts.read(state.space, alert_id)
        if source is not None:
            there = [t for t in source.get(TAGS) or [] if t not in remove]
            updated += state.alerts.change(state.space, alert_id, {TAGS: list(dict.fromkeys([*there, *add]))})
    return _updated(updated)


def _updated(count: int) -> Json:
    return {
        "took": 1, "timed_out": False, "total": count, "updated": count, "deleted": 0, "batches": 1, "noops": 0,
        "version_conflicts": 0, "retries": {"bulk": 0, "search": 0}, "failures": [],
    }  # fmt: skip


def _holds(query: Json, alert_id: str, source: Json) -> bool:
    (kind, asked), *more = query.items()
    if more:
        raise Refused(400, f"[{kind}] malformed query, expected [END_OBJECT]")
    if kind == "bool":
        must = all(_holds(q, alert_id, source) for q in (*asked.get("filter", ()), *asked.get("must", ())))
        should = asked.get("should", ())
        least = asked.get("minimum_should_match", 0 if "filter" in asked or "must" in asked else 1)
        some = not should or sum(_holds(q, alert_id, source) for q in should) >= least
        return must and some and not any(_holds(q, alert_id, source) for q in asked.get("must_not", ()))
    if kind == "ids":
        return alert_id in asked["values"]
    if kind == "match_all":
        return True
    if kind == "exists":
        return source.get(asked["field"]) not in (None, [])
    if kind in ("term", "terms"):
        ((name, value),) = asked.items()
        there = source.get(name)
        wanted = value if kind == "terms" else [value["value"] if isinstance(value, dict) else value]
        return any(v in wanted for v in (there if isinstance(there, list) else [there]))
    raise Refused(400, f"unknown query [{kind}]")
