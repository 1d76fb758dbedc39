"""The shapes in which alerts come: one row each, first fit wins. A new shape is one more row.

SNS envelopes are no row on purpose: their signature has to be checked before anything in them is believed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from decisions import cloudtrail
from decisions.alert_document import export_of, is_alert, is_document
from decisions.export import ExportEvent

Json = dict[str, Any]


@dataclass(frozen=True)
class Envelope:
    """A shape that carries documents: `fits` recognises it, `open` gives what is inside."""

    name: str
    fits: Callable[[Json], bool]
    open: Callable[[Json], Any]


@dataclass(frozen=True)
class Document:
    """A shape that tells of one call: `read` gives its export, None for another call, or raises ValueError."""

    name: str
    fits: Callable[[Json], bool]
    read: Callable[[Json], ExportEvent | None]
    alert: Callable[[Json], Json | None]
    """The alert itself, for its hint; None if it is none."""


def _hit(document: Json) -> Json:
    source = document.get("_source") or document.get("fields")
    return cast("Json", source) if isinstance(source, dict) else {}


def _read_hit(document: Json) -> ExportEvent:
    inner, name = _hit(document), document.get("_id")
    return export_of(inner, name if isinstance(name, str) and is_alert(inner) else None)


def _read_record(document: Json) -> ExportEvent | None:
    return cloudtrail.export_event(cloudtrail.parse_record(document, "alert"))


def _holds(kind: type | tuple[type, ...], name: str) -> Callable[[Json], bool]:
    return lambda document: isinstance(document.get(name), kind)


ENVELOPES = (
    Envelope("search answer", lambda d: isinstance(_map(d, "hits").get("hits"), list), lambda d: d["hits"]["hits"]),
    Envelope("rule action", _holds((list, dict), "alerts"), lambda d: d["alerts"]),
    Envelope("rule action, rendered as text", _holds(str, "alerts"), lambda d: f"[{d['alerts'].strip().rstrip(',')}]"),
    Envelope("CloudTrail log file", _holds(list, "Records"), lambda d: d["Records"]),
    Envelope("LookupEvents answer", _holds(list, "Events"), lambda d: d["Events"]),
    Envelope("LookupEvents event", _holds(str, "CloudTrailEvent"), lambda d: d["CloudTrailEvent"]),
    Envelope("EventBridge event", lambda d: "detail-type" in d and _holds(dict, "detail")(d), lambda d: d["detail"]),
)
DOCUMENTS = (
    Document("search hit", lambda d: bool(_hit(d)), _read_hit, lambda d: _hit(d) if is_alert(_hit(d)) else None),
    Document("CloudTrail record", lambda d: "eventName" in d and "eventSource" in d, _read_record, lambda d: None),
    Document("alert", is_document, export_of, lambda d: d if is_alert(d) else None),
)


def _map(tree: Json, name: str) -> Json:
    value = tree.get(name)
    return cast("Json", value) if isinstance(value, dict) else {}
