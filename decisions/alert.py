"""From the bytes that somebody sent to the exports that they tell of, whatever shape the sender chose.

An alert is a hint: whoever wrote the template, the user agent or a description had a hand in it. What cannot be read is
said in a sentence and never raised; what is read is checked; what is ambiguous is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from decisions.alert_shapes import DOCUMENTS, ENVELOPES, Document, Json
from decisions.ecs import first
from decisions.evidence import Frozen
from decisions.export import ExportEvent
from decisions.hostile_json import NotJson, check_depth, read_json, read_text
from decisions.reading import clean

MAX_BYTES = 64 * 1024 * 1024
MAX_PROBLEMS = 50
MAX_ENVELOPES = 8


class Hint(Frozen):
    """Where an alert can be read again; it is the alert's own word, so ask with it and believe only the answer."""

    alert_id: str | None = None
    index: str | None = None
    space: str | None = None
    rule_id: str | None = None
    """Stable id of the rule (`kibana.alert.rule.rule_id`)."""
    ask: str | None = None
    """Why this alert must be asked about again before all its exports are known; None: it told its export."""


class Decoded(Frozen):
    """What a body told."""

    events: tuple[ExportEvent, ...] = ()
    problems: tuple[str, ...] = ()
    """A sentence for each thing in it that could not be decoded, with where it stands."""
    hints: tuple[Hint, ...] = ()
    """One for each alert, decoded or not."""


def decode(body: bytes) -> Decoded:
    """Every export that a body tells of, and a sentence for whatever in it could not be read. Raises nothing."""
    if len(body) > MAX_BYTES:
        return Decoded(problems=(f"the body has {len(body)} bytes, more than the {MAX_BYTES} that are read at once",))
    text, notes = read_text(body)
    decoding = _Decoding(problems=list(notes))
    for where, value in decoding.values(text):
        decoding.open(value, where)
    return decoding.result()


_UNREAD = object()


@dataclass
class _Decoding:
    """One call of decode: what was found so far."""

    problems: list[str] = field(default_factory=list)
    events: list[ExportEvent] = field(default_factory=list)
    hints: list[Hint] = field(default_factory=list)
    other_calls: int = 0
    more: int = 0

    def values(self, text: str) -> list[tuple[str, Any]]:
        """The one JSON value, or those of a text with one in each line, each with where it stands."""
        whole = self.parse(text, "")
        if whole is not _UNREAD:
            return [("", whole)]
        by_line = _Decoding()
        read: list[tuple[str, Any]] = []
        for n, line in enumerate(text.splitlines(), 1):
            if line.strip() and (value := by_line.parse(line, f"line {n}: ")) is not _UNREAD:
                read.append((f"line {n}: ", value))
            if not read and by_line.more:
                return []
        if not any(isinstance(value, dict) for _, value in read):
            return []
        self.problems, self.more = by_line.problems, by_line.more
        return read

    def parse(self, text: str, where: str) -> Any:
        try:
            value, notes = read_json(text)
        except NotJson as why:
            self.say(where, _why(text, why))
            return _UNREAD
        for note in notes:
            self.say(where, note)
        return value

    def say(self, where: str, problem: str) -> None:
        """Note a problem; beyond the first fifty they are only counted."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(f"{where}{problem}")
        else:
            self.more += 1

    def open(self, value: Any, where: str, depth: int = 0) -> None:
        """Take in a value: lists and envelopes are opened, documents read."""
        if depth > MAX_ENVELOPES:
            self.say(where, f"it is wrapped more than {MAX_ENVELOPES} times")
        elif isinstance(value, str) and value.lstrip().startswith(("{", "[")):
            inner = self.parse(value, where)
            if inner is not _UNREAD:
                self.open(inner, where, depth + 1)
        elif isinstance(value, list):
            for n, item in enumerate(cast("list[Any]", value), 1):
                self.open(item, f"{where}item {n}: ", depth + 1)
        elif isinstance(value, dict):
            self._open_object(cast("Json", value), where, depth)
        else:
            self.say(where, f"it is {'null' if value is None else type(value).__name__}, not an alert")

    def _open_object(self, value: Json, where: str, depth: int) -> None:
        envelope = next((e for e in ENVELOPES if e.fits(value)), None)
        if envelope is not None:
            self.open(envelope.open(value), where, depth + 1)
            return
        try:
            check_depth(value)
        except NotJson as why:
            self.say(where, str(why))
            return
        document = next((d for d in DOCUMENTS if d.fits(value)), None)
        if document is None:
            names = ", ".join(ascii(name[:40]) for name in list(value)[:8]) or "none"
            self.say(where, f"it is neither an alert nor a CloudTrail record (names in it: {names})")
            return
        self._read(document, value, where)

    def _read(self, document: Document, value: Json, where: str) -> None:
        alert = document.alert(value)
        if alert is not None:
            self.hints.append(_hint(alert, value))
        try:
            event = document.read(value)
        except ValueError as why:
            self.say(where, f"{_named(document, value)}: {why}")
            return
        if event is None:
            self.other_calls += 1
        else:
            self.events.append(event)

    def result(self) -> Decoded:
        """What was found; a body that told of nothing says so."""
        problems = list(self.problems)
        if not self.events and self.other_calls:
            problems.append(f"it holds {self.other_calls} CloudTrail records, none of them of an export")
        elif not self.events and not problems:
            problems.append("it is empty: there is no alert in it")
        if self.more:
            problems.append(f"and {self.more} more of such")
        return Decoded(events=tuple(self.events), problems=tuple(problems), hints=tuple(self.hints))


def _why(text: str, why: NotJson) -> str:
    if not text.strip():
        return "it is empty: there is no alert in it"
    if text.lstrip().startswith("error rendering mustache template"):
        return "Kibana could not render the rule action's template; correct the template"
    return str(why)


def _hint(alert: Json, hit: Json) -> Hint:
    def one(paths: tuple[str, ...], *fallback: Any) -> str | None:
        return next((clean(v) for v in (*first(alert, paths), *fallback) if isinstance(v, str)), None)

    return Hint(
        alert_id=one(("kibana.alert.uuid",), hit.get("_id")),
        index=one((), hit.get("_index")),
        space=one(("kibana.space_ids",)),
        rule_id=one(("kibana.alert.rule.rule_id", "signal.rule.rule_id")),
    )


def _named(document: Document, value: Json) -> str:
    names = [value.get("_id"), *first(value, ("kibana.alert.uuid", "eventID", "event.id"))]
    name = next((n for n in names if isinstance(n, str)), None)
    return f"{document.name} {ascii(name[:80])[1:-1]}" if name else document.name
