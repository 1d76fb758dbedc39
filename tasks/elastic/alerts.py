"""Reads alerts where they come from: by id, by rule and time, and the events that one alert stands for.

What an alert says of itself (its index, its space, its ancestors' index) is the sender's word and is never asked: only the
spaces and indices of the settings are. A key that may only read is enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch

from decisions.alert import Hint
from decisions.alert_document import export_of
from decisions.alert_events import Behind, behind
from decisions.cloudtrail import export_api
from decisions.ecs import first
from decisions.export import ExportApi, ExportEvent
from decisions.hostile_json import check_depth
from settings.elastic import ElasticsearchSettings, elasticsearch
from tasks.elastic.client import Pages, Unanswered, connected

BEFORE, AFTER = timedelta(minutes=15), timedelta(minutes=10)
"""How far from a message's arrival the alerts lie that it may have been about: refresh, and retries of the sender."""
MOST = 1000
"""Events behind one alert, or alerts behind one message, that are read."""
ACTIONS = [api.value for api in ExportApi]
BLOCK = "kibana.alert.building_block_type"
LAST_DETECTED = "kibana.alert.last_detected"
Hit = Mapping[str, Any]


@dataclass(frozen=True)
class Resolved:
    """What asking about an alert again found."""

    events: tuple[ExportEvent, ...]
    problems: tuple[str, ...]
    """A sentence for each thing that was not found or could not be read."""
    alerts: tuple[Hint, ...]
    """The alerts that were read, by id and rule."""
    complete: bool
    """Nothing is missing any more: asking later would find no more."""


@dataclass(frozen=True)
class Truth:
    """An export as the alert tells it that it came from; `event` None: `why` not, and whether Elasticsearch `answered`."""

    event: ExportEvent | None
    why: str | None = None
    answered: bool = True


@dataclass
class _Found:
    """What one question came to so far."""

    events: dict[str, ExportEvent] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    complete: bool = True

    def missing(self, problem: str) -> None:
        self.problems.append(problem)
        self.complete = False


def read_again(es: Elasticsearch, alert_id: str, space: str | None = None) -> dict[str, Any] | None:
    """The alert of this id, or None. `space`: asked alone if it is one of the settings'. Raises Unanswered."""
    own = elasticsearch()
    pages = Pages(es, _aliases(own, space), {"ids": {"values": [alert_id]}})
    hits = list(pages)
    if not hits and pages.gaps:
        raise Unanswered(" ".join(pages.gaps))
    return hits[0] if hits else None


def resolve(es: Elasticsearch, hint: Hint, at: datetime) -> Resolved:
    """All the exports that the alert of a hint stands for. `at`: when the message came. Raises Unanswered.

    A hint without an alert's id is a message about alerts of its rule (of our rules, where it names none): those that were
    made in the time that it names, else around `at`.
    """
    found = _Found()
    hits = _alerts(es, hint, at, found)
    for hit in hits:
        _read_alert(es, hit, found)
    alerts = tuple(
        Hint(alert_id=str(hit["_id"]), rule_id=_text(hit["_source"], "kibana.alert.rule.rule_id")) for hit in hits
    )
    return Resolved(
        tuple(found.events.values()), tuple(dict.fromkeys(found.problems)), alerts, found.complete and bool(hits)
    )


def truth_of(event: ExportEvent) -> Truth:
    """The export read again from the alert that told of it; raises nothing that Elasticsearch or the alert causes."""
    if event.alert_id is None:
        return Truth(None, "no alert told of this export")
    try:
        with connected() as es:
            hit = read_again(es, event.alert_id)
            if hit is None:
                return Truth(None, f"the spaces {', '.join(elasticsearch().spaces)} hold no alert of this id")
            found = _Found()
            _read_alert(es, hit, found)
    except Unanswered as why:
        return Truth(None, str(why), answered=False)
    if event.event_id in found.events:
        return Truth(found.events[event.event_id])
    if len(found.events) == 1 and not found.problems:
        # A body that gave another event id to the one export of its alert.
        return Truth(next(iter(found.events.values())))
    why = "; ".join(found.problems) or "it stands for other exports"
    return Truth(None, f"the alert does not tell of this export: {why}", answered=found.complete)


def poll(es: Elasticsearch, space: str, since: datetime) -> Iterator[dict[str, Any]]:
    """Open alerts of our rules in a space, made or counted up at or after `since`, the oldest first; no building blocks.

    Raises Unanswered, also at the end if a part was not searched.
    """
    own = elasticsearch()
    query = {
        "bool": {
            "filter": [
                {"terms": {"kibana.alert.rule.rule_id": list(own.rule_ids)}},
                {"term": {"kibana.alert.workflow_status": "open"}},
            ],
            # A suppressed alert keeps its time while its rule counts further events into it.
            "should": [{"range": {name: {"gte": since.isoformat()}}} for name in ("@timestamp", LAST_DETECTED)],
            "minimum_should_match": 1,
            "must_not": [{"exists": {"field": BLOCK}}],
        }
    }
    return _whole(Pages(es, [own.alerts_index(space)], query))


def poll_connector(es: Elasticsearch, index: str, since: datetime) -> Iterator[dict[str, Any]]:
    """What rules' index connectors wrote at or after `since`, the oldest first. Raises Unanswered as `poll` does."""
    return _whole(Pages(es, [index], {"range": {"@timestamp": {"gte": since.isoformat()}}}))


def _whole(pages: Pages) -> Iterator[dict[str, Any]]:
    yield from pages
    if pages.gaps:
        raise Unanswered(" ".join(pages.gaps))


def _alerts(es: Elasticsearch, hint: Hint, at: datetime, found: _Found) -> Sequence[Hit]:
    own = elasticsearch()
    if hint.alert_id is not None:
        hit = read_again(es, hint.alert_id)
        if hit is None:
            found.missing(f"the spaces {', '.join(own.spaces)} hold no alert of the id that it names")
        return [hit] if hit else []
    rule = {"terms": {"kibana.alert.rule.rule_id": [hint.rule_id] if hint.rule_id else list(own.rule_ids)}}
    if hint.rule_uuid and not hint.rule_id:
        rule = {"term": {"kibana.alert.rule.uuid": hint.rule_uuid}}
    since, until = hint.since or at - BEFORE, hint.until or at + AFTER
    query = {
        "bool": {
            "filter": [rule, {"range": {"@timestamp": {"gte": since.isoformat(), "lte": until.isoformat()}}}],
            "must_not": [{"exists": {"field": BLOCK}}],
        }
    }
    hits = _some(Pages(es, _aliases(own, None), query), found)
    if not hits:
        found.missing("its rule made no alert around the time at which it came")
    return hits


def _read_alert(es: Elasticsearch, hit: Hit, found: _Found) -> None:
    """The export that the alert itself tells, and those of the events that it stands for."""
    source = hit["_source"]
    what = behind(source)
    if what is None:
        _read(source, hit, found)
        return
    before = len(found.events)
    if _exports(source) and not what.group_id:
        # A suppressed alert tells its first event; a problem of that is told by the others.
        _read(source, hit, _Found(found.events))
    documents = list(_documents(es, what, found))
    for document in documents:
        if _exports(document):
            _read(_without_block(document), hit, found)
    if len(found.events) == before and found.complete:
        found.problems.append(f"{what.reason} None of the {len(documents)} events behind it is an export.")


def _documents(es: Elasticsearch, what: Behind, found: _Found) -> Iterator[Hit]:
    own = elasticsearch()
    blocks = _blocks(es, own, what.group_id, found) if what.group_id else []
    yield from blocks
    ids = set(what.ids)
    if ids and len(blocks) < len(ids):  # building blocks carry the same events
        hits = _some(Pages(es, own.cloudtrail_indices, {"ids": {"values": sorted(ids)}}), found)
        if absent := len(ids - {str(hit["_id"]) for hit in hits}):
            found.missing(f"{what.reason} {absent} of the {len(ids)} events behind it are not in {_named(own)}.")
        yield from (hit["_source"] for hit in hits)
    elif what.group_id and not blocks:
        found.missing(f"{what.reason} Its building blocks are not in the spaces {', '.join(own.spaces)}.")
    if what.terms or not (ids or what.group_id):
        yield from _in_window(es, own, what, found)


def _blocks(es: Elasticsearch, own: ElasticsearchSettings, group_id: str, found: _Found) -> list[Hit]:
    query = {"bool": {"filter": [{"term": {"kibana.alert.group.id": group_id}}, {"exists": {"field": BLOCK}}]}}
    return [hit["_source"] for hit in _some(Pages(es, _aliases(own, None), query), found)]


def _in_window(es: Elasticsearch, own: ElasticsearchSettings, what: Behind, found: _Found) -> Iterator[Hit]:
    """Exports that match all terms; without terms, all within the window."""
    if what.since is None or what.until is None:
        found.problems.append(f"{what.reason} It does not tell when, so nothing can be asked.")
        return
    times = {"range": {"@timestamp": {"gte": what.since.isoformat(), "lte": what.until.isoformat()}}}
    terms = [{"term": {name: value}} for name, value in what.terms]
    query = {"bool": {"filter": [*terms, times, {"terms": {"event.action": ACTIONS}}]}}
    hits = _some(Pages(es, own.cloudtrail_indices, query), found)
    if not hits:
        found.missing(f"{what.reason} {_named(own)} hold no export that fits it.")
    yield from (hit["_source"] for hit in hits)


def _some(pages: Pages, found: _Found) -> list[dict[str, Any]]:
    """At most a thousand hits; whatever else there may be is told."""
    hits: list[dict[str, Any]] = []
    for hit in pages:
        if len(hits) == MOST:
            found.problems.append(f"more than {MOST} documents fit; the others were not read")
            break
        hits.append(hit)
    for gap in pages.gaps:
        found.missing(gap)
    return hits


def _read(document: Hit, alert: Hit, found: _Found) -> None:
    """The export of a document that the alert stands for, told by the alert."""
    source = alert["_source"]
    try:
        check_depth(dict(document))
        event = export_of(document, str(alert["_id"]))
        told = {"alert_id": str(alert["_id"])}
        if document is not source:
            created, rule = _text(source, "@timestamp"), _text(source, "kibana.alert.rule.name")
            told |= {name: value for name, value in (("alert_created", created), ("alert_rule", rule)) if value}
        event = ExportEvent.model_validate(event.model_dump() | told)
    except ValueError as why:  # Incomplete, NotJson, and what the model refuses
        found.problems.append(f"alert {ascii(str(alert['_id'])[:80])[1:-1]}: {_sentence(why)}")
        return
    found.events.setdefault(event.event_id, event)


def _exports(document: Hit) -> bool:
    action, provider = (
        first(document, (f"event.{n}", f"kibana.alert.original_event.{n}")) for n in ("action", "provider")
    )
    return bool(action) and export_api(str(action[0]), str(provider[0]) if provider else None) is not None


def _without_block(document: Hit) -> dict[str, Any]:
    """A building block as the alert on its event that it is, whichever way it is keyed."""

    def without(value: Mapping[str, Any], parts: Sequence[str]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, inner in value.items():
            below = parts[len(name.split(".")) :]
            if name.split(".") != list(parts[: len(name.split("."))]):
                kept[name] = inner
            elif below and isinstance(inner, Mapping):
                kept[name] = without(inner, below)
        return kept

    return without(document, BLOCK.split("."))


def _aliases(own: ElasticsearchSettings, space: str | None) -> list[str]:
    spaces: Iterable[str] = (space,) if space in own.spaces and space is not None else own.spaces
    return [own.alerts_index(one) for one in spaces]


def _named(own: ElasticsearchSettings) -> str:
    return ", ".join(own.cloudtrail_indices)


def _text(document: Hit, path: str) -> str | None:
    values = first(document, (path,))
    return values[0] if values and isinstance(values[0], str) else None


def _sentence(why: ValueError) -> str:
    return next(iter(str(why).splitlines()), type(why).__name__)[:500]
