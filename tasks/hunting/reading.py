"""Reads the records of a log file of any shape that CloudTrail's events come in, as far as it can be read.

Shapes: the `Records` wrapper, a list, JSON lines, LookupEvents' answer (`Events` with `CloudTrailEvent` as text), EventBridge
envelopes (`detail`), pretty print, a BOM. One damaged record, or bytes that are no UTF-8, hide no other record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tasks.logs.text import mended

WRAPPER = re.compile(r'\s*\{\s*"(?:Records|Events)"\s*:\s*\[')
BLANK = re.compile(r"[\s,]*")
_NAMES = (
    "eventVersion|userIdentity|eventTime|eventSource|eventName|awsRegion|sourceIPAddress|userAgent|requestParameters|"
    "responseElements|requestID|eventID|readOnly|eventType|managementEvent|recipientAccountId|eventCategory|EventId"
)
RECORD = re.compile(rf'\{{\s*"(?:{_NAMES})"\s*:')
"""Where reading goes on after something that is no JSON."""
WASTE = 4
"""How many times a file's length may be read in vain, before the rest of a damaged file is given up."""
DEPTH = 200
_decoder = json.JSONDecoder()


@dataclass
class Read:
    """What a file holds: records, and sentences about what of it could not be read."""

    records: list[dict[str, Any]] = field(default_factory=list)
    damaged: int = 0
    foreign: int = 0
    """Values that are no CloudTrail records."""
    replaced: int = 0
    """Records with text that is no Unicode, which was replaced."""
    given_up: bool = False
    digest: bool = False

    def problems(self) -> list[str]:
        """What is missing, in words."""
        told: list[str] = []
        if self.digest:
            return ["it is a digest file, which holds no records"]
        if self.damaged:
            told.append(f"{self.damaged} damaged place(s) between {len(self.records)} readable records")
        if self.given_up:
            told.append("its rest is too damaged to be read")
        if not self.records and not told and self.foreign:
            told.append("it holds no CloudTrail records")
        elif self.foreign:
            told.append(f"{self.foreign} value(s) in it are no CloudTrail records")
        if not self.records and not told:
            told.append("it holds no records")
        return told


def read(text: bytes | bytearray) -> Read:
    """Every record that can be read, in order; nothing raises."""
    told = Read()
    # Bytes that are no UTF-8 become surrogates, one for one: mended() replaces them with those that JSON spelled out.
    whole = bytes(text).removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    if _utf16(text):
        whole = bytes(text).decode("utf-16", "replace")
    for value in _values(whole, told):
        _take(told, value)
    return told


def _utf16(text: bytes | bytearray) -> bool:
    return text[:2] in (b"\xff\xfe", b"\xfe\xff")


def _values(text: str, told: Read) -> Iterator[Any]:
    """The JSON values at the top of a file, or in its wrapper's list; damage is skipped to the next record."""
    start = WRAPPER.match(text)
    at = start.end() if start else 0
    if start is None and (opening := re.match(r"\s*\[", text)):
        at = opening.end()
    inside = at > 0
    left = WASTE * len(text) + 65536
    while True:
        blank = BLANK.match(text, at)
        at = blank.end() if blank else at
        if at >= len(text):
            if inside:
                told.damaged += 1  # the list has no end
            return
        if text[at] in "]}" and (inside or told.damaged):
            at += 1
            if text[at - 1] == "]" and _ended(text, at):
                return
            inside = False
            continue
        try:
            value, at = _decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            told.damaged += 1
            left -= (error.pos if isinstance(error, json.JSONDecodeError) else len(text)) - at
            if left < 0:
                told.given_up = True
                return
            at = _resumed(text, at)
            if at < 0:
                return
            inside = False  # whether the list goes on is no longer certain
            continue
        yield value


def _ended(text: str, at: int) -> bool:
    """Whether after the list only its wrapper's rest follows: other names with values, and a brace."""
    rest = text[at:].strip()
    if rest in {"", "}"}:
        return True
    if rest.startswith(",") and rest.endswith("}"):
        try:
            json.loads("{" + rest[1:])
        except (ValueError, RecursionError):
            return False
        return True
    return False


def _resumed(text: str, at: int) -> int:
    """The next place at which a record may begin; -1: there is none."""
    found = RECORD.search(text, at + 1)
    return found.start() if found else -1


def _take(told: Read, value: Any) -> None:
    """A record, or what holds records."""
    rest = [value]
    while rest:
        item = rest.pop()
        if isinstance(item, list):
            rest += reversed(item)
        elif not isinstance(item, dict):
            told.foreign += 1
        elif isinstance(item.get("eventName"), str) and "eventSource" in item:
            _keep(told, item)
        elif isinstance(item.get("Records") or item.get("Events"), list):
            rest += reversed(item.get("Records") or item["Events"])
        elif isinstance(item.get("detail"), dict) and "detail-type" in item:
            rest.append(item["detail"])
        elif isinstance(item.get("CloudTrailEvent"), str):
            _inner(told, item["CloudTrailEvent"], rest)
        elif "digestS3Object" in item:
            told.digest = True
        elif "Records" not in item and "Events" not in item:
            told.foreign += 1


def _inner(told: Read, text: str, rest: list[Any]) -> None:
    """LookupEvents' text of a record."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        told.damaged += 1
        return
    if isinstance(value, dict) and "CloudTrailEvent" in value:
        told.foreign += 1  # no answer of LookupEvents holds another
    else:
        rest.append(value)


def _keep(told: Read, record: dict[str, Any]) -> None:
    """A record with valid Unicode and of a depth that everybody can walk."""
    try:
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        told.replaced += 1
        record = mended(record)
    except (RecursionError, ValueError):
        told.damaged += 1
        return
    if too_deep(record):
        told.damaged += 1
        return
    told.records.append(record)


def too_deep(value: Any) -> bool:
    """Whether a value has more levels than are read."""
    level = [value]
    for _ in range(DEPTH):
        level = [c for v in level for c in (v.values() if isinstance(v, dict) else v) if isinstance(c, dict | list)]
        if not level:
            return False
    return True
