"""The JSON values of a body that a template rendered: whole, comma-joined, line by line, or what is left of a damaged one.

Templates leave commas too many, join alerts by commas without brackets, and show text of callers unescaped
(notes/elastic.md 2.3). What is whole is read; what is not is said, with the ids of the alerts that stand in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from decisions.hostile_json import NotJson, read_json

MUSTACHE_ERROR = "error rendering mustache template"
MOST_IDS = 100
MOST_BROKEN_LINES = 50
MOST_TRIES = 2000
"""Places in a damaged text at which an object might begin and does not."""
_STRING_OR_COMMA = re.compile(r'"(?:[^"\\]|\\.)*+"?|,(?=\s*+(?:[\]}]|$))', re.DOTALL)
_ALERT_ID = re.compile(r'\\?"(?:kibana\.alert\.uuid|uuid|_id)\\?"\s*+:\s*+\[?\s*+\\?"([0-9a-f]{64})\\?"')
_ANY_NUMBER = json.JSONDecoder(parse_int=str, parse_float=str)
"""Finds where an object ends; digits without end stay text."""


@dataclass
class Texts:
    """What a text holds."""

    values: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    """Where each stands, and the value."""
    problems: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Where, and a sentence."""
    lost: tuple[str, ...] = ()
    """Ids of alerts that stand in it and could not be read."""


def read_values(text: str, is_known: Callable[[Any], bool]) -> Texts:
    """Every JSON value of the text. `is_known`: whether an object that stands in damaged text is worth reading."""
    whole = Texts()
    why = _try(whole, text, "")
    if why is None:
        return whole
    if text.lstrip()[:1] in {"{", "["}:
        mended = _STRING_OR_COMMA.sub(lambda found: found[0] if found[0] != "," else "", text)
        for rendered in (mended, f"[{mended}]"):
            if _try(found := Texts(), rendered, "") is None:
                return found
    lines = _by_line(text)
    return lines if lines.values else _what_is_left(text, why, is_known)


def _try(into: Texts, text: str, where: str) -> str | None:
    """Add the text's one value; or say why not."""
    try:
        value, notes = read_json(text)
    except NotJson as why:
        return _why(text, why)
    into.values.append((where, value))
    into.problems += [(where, note) for note in notes]
    return None


def _why(text: str, why: NotJson) -> str:
    if not text.strip():
        return "it is empty: there is no alert in it"
    if text.lstrip().startswith(MUSTACHE_ERROR):
        return "Kibana could not render the rule action's template; correct the template"
    return str(why)


def _by_line(text: str) -> Texts:
    """A value in each line, if every line begins like one and some are whole; else nothing."""
    found = Texts()
    broken: list[str] = []
    for n, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        if line.lstrip()[0] not in "{[" or (not found.values and len(broken) > MOST_BROKEN_LINES):
            return Texts()
        if why := _try(found, line, f"line {n}: "):
            found.problems.append((f"line {n}: ", why))
            broken.append(line)
    found.lost = _ids("\n".join(broken))
    return found if any(isinstance(value, dict) for _, value in found.values) else Texts()


def _what_is_left(text: str, why: str, is_known: Callable[[Any], bool]) -> Texts:
    """Whole objects of known shapes in a text that is none itself: it was cut off, or a value broke out of its quotes."""
    found = Texts()
    rest: list[str] = []
    at = kept = tries = 0
    work = 4 * len(text)  # so much is read at most, however the text is made
    while work > 0 and tries < MOST_TRIES and (start := text.find("{", at)) >= 0:
        end, cost = _end_of_object(text, start)
        work -= cost
        read = _known_object(text[start:end], is_known) if end else None
        if read is None:
            at, tries = start + 1, tries + 1
            continue
        where = f"object {len(found.values) + 1} of a damaged body: "
        found.values.append((where, read[0]))
        found.problems += [(where, note) for note in read[1]]
        rest.append(text[kept:start])
        at = kept = end
    found.lost = _ids("\n".join([*rest, text[kept:]]))
    found.problems.append(("", why))
    return found


def _end_of_object(text: str, start: int) -> tuple[int, int]:
    """Where the object that starts here ends, 0 if it does not; and how many characters were read to know it."""
    try:
        _, end = _ANY_NUMBER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        return 0, (len(text) if "Unterminated" in error.msg else error.pos) - start
    except RecursionError:
        return 0, len(text)
    return end, end - start


def _known_object(text: str, is_known: Callable[[Any], bool]) -> tuple[Any, tuple[str, ...]] | None:
    try:
        value, notes = read_json(text)
    except NotJson:
        return None
    return (value, notes) if is_known(value) else None


def _ids(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found[1] for found in _ALERT_ID.finditer(text)))[:MOST_IDS]
