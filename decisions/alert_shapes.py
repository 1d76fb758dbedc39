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
from decisions.hostile_json import NotJson, check_depth
from decisions.hunt_alert import is_finding, read_finding

Json = dict[str, Any]


@dataclass(frozen=True)
class Envelope:
    """A shape that carries documents: `fits` recognises it, `open` gives what is inside."""

    name: str
    fits: Callable[[Json], bool]
    open: Callable[[Json], Any]
    looks_inside: bool = False
    """Its `fits` reads what is inside, and so must not see what is nested without end."""


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


def _text(name: str) -> Callable[[Json], bool]:
    return lambda document: isinstance(document.get(name), str) and bool(document[name].strip())


def _inside(outer: str, name: str) -> Callable[[Json], bool]:
    return lambda document: isinstance(_map(document, outer).get(name), (list, dict, str))


def _listed(text: str) -> str:
    """Alerts that a template joined by commas, as the list that they are."""
    return f"[{text.strip().rstrip(',')}]"


def _alert_inside(document: Json) -> bool:
    inner = _map(document, "alert")
    return any(shape.fits(inner) for shape in DOCUMENTS)


def _one_alert(document: Json) -> bool:
    text = document.get("alert")
    return isinstance(text, str) and text.lstrip().startswith(("{", "["))


def _opened(value: Any) -> Any:
    return _listed(value) if isinstance(value, str) else value


def _indexed(document: Json) -> bool:
    """Whether it is a hit of what a rule's index connector wrote."""
    inner = _hit(document)
    return bool(inner) and not is_document(inner) and any(envelope.fits(inner) for envelope in ENVELOPES[1:])


def _new(document: Json) -> bool:
    return isinstance(_map(_map(document, "alerts"), "new").get("data"), (list, str))


ENVELOPES = (
    Envelope("document of an index connector", _indexed, _hit, looks_inside=True),
    Envelope("search answer", lambda d: isinstance(_map(d, "hits").get("hits"), list), lambda d: d["hits"]["hits"]),
    Envelope("summary of a rule action", _new, lambda d: _opened(d["alerts"]["new"]["data"])),
    Envelope("rule action", _holds((list, dict), "alerts"), lambda d: d["alerts"]),
    Envelope("rule action, rendered as text", _text("alerts"), lambda d: _listed(d["alerts"])),
    Envelope("rule action with one alert", _alert_inside, lambda d: d["alert"], looks_inside=True),
    Envelope("rule action with one alert, rendered as text", _one_alert, lambda d: d["alert"]),
    Envelope("context of a rule action", _inside("context", "alerts"), lambda d: _opened(d["context"]["alerts"])),
    Envelope("event of an Elastic workflow", _inside("event", "alerts"), lambda d: _opened(d["event"]["alerts"])),
    Envelope("CloudTrail log file", _holds(list, "Records"), lambda d: d["Records"]),
    Envelope("LookupEvents answer", _holds(list, "Events"), lambda d: d["Events"]),
    Envelope("LookupEvents event", _holds(str, "CloudTrailEvent"), lambda d: d["CloudTrailEvent"]),
    Envelope("EventBridge event", lambda d: "detail-type" in d and _holds(dict, "detail")(d), lambda d: d["detail"]),
    Envelope("SQS answer", _holds(list, "Messages"), lambda d: d["Messages"]),
    Envelope("SQS message", lambda d: "MessageId" in d and _text("Body")(d), lambda d: d["Body"]),
    Envelope("SQS message of a Lambda event", lambda d: "messageId" in d and _text("body")(d), lambda d: d["body"]),
)
DOCUMENTS = (
    Document(
        "search hit",
        lambda d: bool(_hit(d)) and not _indexed(d),
        _read_hit,
        lambda d: _hit(d) if is_alert(_hit(d)) else None,
    ),
    Document("CloudTrail record", lambda d: "eventName" in d and "eventSource" in d, _read_record, lambda d: None),
    Document("alert", is_document, export_of, lambda d: d if is_alert(d) else None),
    Document("finding of a hunt", is_finding, read_finding, lambda d: None),
)


def envelope_of(value: Json, deep: bool) -> Envelope | None:
    """The first envelope that fits; of a value that is nested too `deep`, only one that need not look inside."""
    return next((e for e in ENVELOPES if not (deep and e.looks_inside) and e.fits(value)), None)


def document_of(value: Json) -> Document | None:
    """The first document that fits; the value must not be nested without end."""
    return next((document for document in DOCUMENTS if document.fits(value)), None)


def is_known(value: Any) -> bool:
    """Whether it is an object of one of these shapes."""
    if not isinstance(value, dict):
        return False
    tree = cast("Json", value)
    try:
        check_depth(tree)
    except NotJson:
        return envelope_of(tree, deep=True) is not None
    return envelope_of(tree, deep=False) is not None or document_of(tree) is not None


def is_sns(value: Json) -> bool:
    """Whether it is what SNS sends: its signature has to be checked before anything in it is believed."""
    return isinstance(value.get("Message"), str) and (
        "TopicArn" in value or "SigningCertURL" in value or "Signature" in value
    )


def _map(tree: Json, name: str) -> Json:
    value = tree.get(name)
    return cast("Json", value) if isinstance(value, dict) else {}
