"""A search hit as what a hunt is told: the record as CloudTrail writes it, or the line of an access log.

From `event.original` where it was kept, which is the record itself; else put together from the fields. Session tokens are
left out: what is found is kept in a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from decisions import ecs
from decisions.activity import LogRecord
from decisions.cloudtrail import parse_record
from decisions.ecs_record import SOURCE as FIELDS
from decisions.ecs_record import read_hit
from decisions.evidence import utc
from decisions.sigma_ecs import record_of
from tasks.elastic.hunt_queries import TEXTS
from tasks.hunting.source import Found
from tasks.logs.access_logs import NotALine, parse_line, to_record
from tasks.logs.elasticsearch_access import SOURCE as ACCESS_FIELDS
from tasks.logs.elasticsearch_access import told_by
from tasks.logs.text import mended, parse

SOURCE = (*FIELDS, "message")
_PARTS = {
    "requestParameters": "request_parameters",
    "responseElements": "response_elements",
    "additionalEventData": "additional",
}
TOKEN = "sessionToken"  # noqa: S105 - the name of the field that is left out

__all__ = ["ACCESS_FIELDS", "SOURCE", "Unreadable", "event", "line", "restored", "unparsed"]


class Unreadable(ValueError):
    """The document holds nothing that can be read as an event, or a line."""


@dataclass(frozen=True)
class Event:
    """One event of a document."""

    raw: Mapping[str, Any]
    record: LogRecord
    uncertain: bool = False
    """Whether a text of parameters has no certain reading; it stands in `raw` as it is."""

    def found(self, searches: tuple[str, ...]) -> Found:
        """As what answers these searches."""
        return Found(searches, self.record, json.dumps(self.raw, ensure_ascii=False), self.raw)


def event(hit: Mapping[str, Any]) -> Event:
    """The event of a document that the pipeline has parsed. Raises Unreadable."""
    source, origin = hit["_source"], _origin(hit)
    event_id = ecs.scalars(source, "event.id")
    for text in ecs.scalars(source, "event.original"):
        whole = _original(text, origin)
        if whole is not None and event_id in ([], [whole.record.event_id]):
            return whole
    return _of_fields(hit, origin)


def unparsed(hit: Mapping[str, Any]) -> Event:
    """The event in the raw text of a document that the pipeline could not parse. Raises Unreadable."""
    source = hit["_source"]
    for text in (*ecs.scalars(source, "event.original"), *ecs.scalars(source, "message")):
        if (whole := _original(text, _origin(hit))) is not None:
            return whole
    raise Unreadable("no raw text of an event is there")


def line(hit: Mapping[str, Any]) -> tuple[LogRecord, str]:
    """The access log line of a document, and all that it says. Raises Unreadable."""
    source, origin = hit["_source"], _origin(hit)
    for text in (*ecs.scalars(source, "event.original"), *ecs.scalars(source, "message")):
        if isinstance(text, str):
            try:
                return to_record(parse_line(text), origin), text
            except NotALine:
                continue
    try:
        record = told_by(hit)
    except NotALine as error:
        raise Unreadable(str(error)) from error
    return record, json.dumps(record.additional, ensure_ascii=False)


def restored(told: Mapping[str, Any]) -> Found:
    """What `kept` made JSON of."""
    raw, record = told["raw"], LogRecord.model_validate(told["record"])
    text = json.dumps(raw, ensure_ascii=False) if raw is not None else told["text"]
    return Found(tuple(told["searches"]), record, text, raw)


def kept(found: Found) -> dict[str, Any]:
    """JSON of what was found."""
    own = {"searches": list(found.searches), "record": found.record.model_dump(mode="json"), "raw": found.raw}
    return own if found.raw is not None else own | {"text": found.text}


def _original(text: Any, origin: str) -> Event | None:
    if not isinstance(text, str):
        return None
    try:
        raw = parse(text)
        return Event(_without_tokens(raw), parse_record(raw, origin)) if isinstance(raw, dict) else None
    except (ValueError, RecursionError):
        return None


def _of_fields(hit: Mapping[str, Any], origin: str) -> Event:
    """Put together in CloudTrail's shape, from what two readers make of the fields."""
    source = {name: value for name, value in hit["_source"].items() if name != "event.original"}
    if isinstance(source.get("event"), dict):
        source["event"] = {name: value for name, value in source["event"].items() if name != "original"}
    try:
        record, left_out = read_hit({**hit, "_source": source})
        told, texts = record_of(source)
        raw: dict[str, Any] = mended(told)
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from error
    for name, attribute in _PARTS.items():
        if name in left_out:
            raw[name] = " ".join(map(str, ecs.scalars(source, TEXTS[[*_PARTS].index(name)])))
        elif part := getattr(record, attribute):
            raw[name] = part
    if "serviceEventDetails" in texts:
        raw["serviceEventDetails"] = " ".join(map(str, ecs.scalars(source, TEXTS[3])))
    raw |= {"eventID": record.event_id, "eventTime": utc(record.time)}
    raw["resources"] = [{"ARN": arn} for arn in record.resources]
    who = {"principalId": record.principal_id, "accountId": record.caller_account, "userName": record.user_name}
    raw["userIdentity"] = {n: v for n, v in who.items() if v is not None} | raw.get("userIdentity", {})
    return Event(_without_tokens(raw), record.model_copy(update={"origin": origin}), bool(left_out))


def _without_tokens(value: Any) -> Any:
    """Session tokens in clear help nobody, and whoever reads the file."""
    if isinstance(value, dict):
        return {name: _without_tokens(inner) for name, inner in value.items() if name != TOKEN}
    return [_without_tokens(inner) for inner in value] if isinstance(value, list) else value


def _origin(hit: Mapping[str, Any]) -> str:
    return f"{hit['_index']}/{hit['_id']}"
