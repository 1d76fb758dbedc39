"""From the bytes that somebody sent to the exports that they tell of, whatever shape the sender chose.

An alert is a hint: whoever wrote the template, the user agent or a description had a hand in it. What cannot be read is
said in a sentence and never raised; what is read is checked; what is ambiguous is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, cast

from decisions.alert_document import OtherCall
from decisions.alert_hint import Hint, hint_of, message_hint
from decisions.alert_shapes import Document, Envelope, Json, document_of, envelope_of, is_known, is_sns
from decisions.alert_text import MUSTACHE_ERROR, read_values
from decisions.ecs import first
from decisions.evidence import Frozen
from decisions.export import ExportEvent
from decisions.hostile_json import NotJson, check_depth, read_text

MAX_BYTES = 64 * 1024 * 1024
MAX_PROBLEMS = 50
MAX_ENVELOPES = 8
SNS = (
    "it is a message of SNS whose signature nobody has checked, so that nothing in it is believed: let SNS deliver it to the "
    "receiver's /alerts/cloudtrail, or hand in its Message alone if you know where it comes from"
)
DAMAGED = "The body is damaged where this alert stands."
NOT_RENDERED = "Kibana could not render the rule action's template: that its rule has fired is all that is known."


class Decoded(Frozen):
    """What a body told."""

    events: tuple[ExportEvent, ...] = ()
    problems: tuple[str, ...] = ()
    """A sentence for each thing in it that could not be decoded, with where it stands."""
    hints: tuple[Hint, ...] = ()
    """One for each alert, decoded or not, and for a message that only names an alert or a rule."""


def decode(body: bytes) -> Decoded:
    """Every export that a body tells of, and a sentence for whatever in it could not be read. Raises nothing."""
    if len(body) > MAX_BYTES:
        return Decoded(problems=(f"the body has {len(body)} bytes, more than the {MAX_BYTES} that are read at once",))
    text, notes = read_text(body)
    decoding = _Decoding(problems=list(notes))
    decoding.read(text, "", 0)
    return decoding.result()


@dataclass
class _Decoding:
    """One call of decode: what was found so far."""

    problems: list[str] = field(default_factory=list[str])
    events: list[ExportEvent] = field(default_factory=list[ExportEvent])
    hints: list[Hint] = field(default_factory=list[Hint])
    other_calls: int = 0
    more: int = 0

    def say(self, where: str, problem: str) -> None:
        """Note a problem; beyond the first fifty they are only counted."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(f"{where}{problem}")
        else:
            self.more += 1

    def read(self, text: str, where: str, depth: int) -> None:
        """Take in a text: the body, or one that stands in it."""
        found = read_values(text, is_known)
        for at, problem in found.problems:
            self.say(f"{where}{at}", problem)
        for at, value in found.values:
            self.open(value, f"{where}{at}", depth)
        self.hints += [Hint(alert_id=name, ask=DAMAGED) for name in found.lost]
        if not found.values and not found.lost:
            rendered = not text.lstrip().startswith(MUSTACHE_ERROR)
            hint = message_hint(text) if rendered else message_hint(text, NOT_RENDERED) or Hint(ask=NOT_RENDERED)
            self.hints += [hint] if hint else []

    def open(self, value: Any, where: str, depth: int = 0) -> None:
        """Take in a value: lists and envelopes are opened, documents read."""
        if depth > MAX_ENVELOPES:
            self.say(where, f"it is wrapped more than {MAX_ENVELOPES} times")
        elif isinstance(value, str) and value.lstrip().startswith(("{", "[", '"{', '"[')):
            self.read(value, where, depth + 1)
        elif isinstance(value, list):
            for n, item in enumerate(cast("list[Any]", value), 1):
                self.open(item, f"{where}item {n}: ", depth + 1)
        elif isinstance(value, dict):
            self._open_object(cast("Json", value), where, depth)
        else:
            self.say(where, f"it is {'null' if value is None else type(value).__name__}, not an alert")

    def _open_object(self, value: Json, where: str, depth: int) -> None:
        """A document is read though it also looks like an envelope: whoever adds a name to an alert hides nothing."""
        deep = None
        try:
            check_depth(value)
        except NotJson as why:
            deep = str(why)
        envelope = envelope_of(value, deep is not None)
        document = document_of(value) if deep is None else None
        if document is not None:
            self._read_document(document, value, where)
        if envelope is not None:
            self._open_envelope(envelope, value, where, depth, of_alert=document is not None)
        elif document is None:
            self._refuse(value, where, deep)

    def _open_envelope(self, envelope: Envelope, value: Json, where: str, depth: int, *, of_alert: bool) -> None:
        before = len(self.hints), len(self.events)
        self.open(envelope.open(value), where, depth + 1)
        if of_alert:
            return
        alerts, told = len(self.hints) - before[0], _count(value)
        nothing = not alerts and len(self.events) == before[1]
        if nothing or (told is not None and told > alerts > 0):
            without = {name: inner for name, inner in value.items() if name not in {"alerts", "alert"}}
            ask = None if nothing else f"It tells of {told} alerts and holds {alerts}."
            hint = message_hint(without, ask) if ask else message_hint(without)
            self.hints += [hint] if hint else []

    def _refuse(self, value: Json, where: str, deep: str | None) -> None:
        hint = message_hint(value) if not is_sns(value) else None
        if hint is not None:
            self.hints.append(hint)
            self.say(where, f"{hint.ask} What it names is read where it comes from.")
        elif is_sns(value) or isinstance(value.get("Sns"), dict):
            self.say(where, SNS)
        else:
            names = ", ".join(ascii(name[:40]) for name in list(value)[:8]) or "none"
            self.say(where, deep or f"it is neither an alert nor a CloudTrail record (names in it: {names})")

    def _read_document(self, document: Document, value: Json, where: str) -> None:
        refused: str | None = None
        try:
            event = document.read(value)
            self.events += [event] if event is not None else []
            self.other_calls += event is None
        except ValueError as why:
            refused = None if isinstance(why, OtherCall) else f"It could not be decoded as it came: {why}."
            self.say(where, f"{_named(document, value)}: {why}")
        alert = document.alert(value)
        if alert is not None:
            self.hints.append(hint_of(alert, value, refused))

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


def _count(message: Json) -> int | None:
    """How many alerts a rule action says that its rule made."""
    told = message.get("count")
    return (
        int(told)
        if isinstance(told, str | int) and not isinstance(told, bool) and re.fullmatch(r"[0-9]{1,4}", str(told))
        else None
    )


def _named(document: Document, value: Json) -> str:
    names = [value.get("_id"), *first(value, ("kibana.alert.uuid", "eventID", "event.id"))]
    name = next((n for n in names if isinstance(n, str)), None)
    return f"{document.name} {ascii(name[:80])[1:-1]}" if name else document.name
