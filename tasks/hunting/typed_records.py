"""CloudTrail records as AWS writes them, as lines of JSON that DuckDB takes into columns: several times quicker than `row`.

A record that is in any way unlike the types here (an unknown name, a number where a word belongs, a fraction, depth, no
eventID), that is a request to export, or of which `mentions` has something to say, is not read here: the caller reads it exactly. Of the others every cell
is what decisions.store_schema.row says; a test holds both side by side.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import hyperscan
import msgspec

from decisions.store_schema import HIDDEN, TOKEN, day_of
from tasks.hunting.reading import too_deep
from tasks.hunting.record_types import REST_NAMES, File, Raws, Record
from tasks.hunting.searches import EXPORT_CALLS

NESTED = 150
"""A line with more brackets than this is looked at, whether it is deeper than is read."""
FRACTION = re.compile(r"-?(?:[1-9]\d*\.(?:0|\d*[1-9])|0\.[1-9](?:\d*[1-9])?)", re.ASCII)
DIGITS = 15
"""A fraction of so few digits is written again as it was read."""
NO_BRACKET = bytes(set(range(256)) - set(b"{[\n"))
KEYS = ("AKIA", "ASIA")
"""What every access key begins with that `mentions` may tell of."""
ODD = (r"export-", r"\.bin", r"\\u", *(f'"{name}":null' for name in REST_NAMES))
"""What stands in every record of which `mentions` names an object; and what DuckDB may write otherwise than it reads it: control
characters, a null that says something."""


Line = tuple[str, str, bytes]
"""Day, eventID, and a record as JSON: its nested names sorted, its own in the order of Record."""


@dataclass(frozen=True)
class Lines:
    """The records of a file."""

    quick: Sequence[Line]
    exact: Sequence[bytes]
    """Records that have to be read exactly, as JSON."""
    others: Sequence[bytes]
    """Likewise, as they stand in the file: they may be damaged."""


def _fraction(text: str) -> float:
    if len(text) > DIGITS or not FRACTION.fullmatch(text):
        raise ValueError(f"{text} may be written in several ways")
    return float(text)


_encoder = msgspec.json.Encoder(order="deterministic")
_files = msgspec.json.Decoder(File, float_hook=_fraction)
_raws = msgspec.json.Decoder(Raws)
_record = msgspec.json.Decoder(Record, float_hook=_fraction)
_patterns = hyperscan.Database()
_patterns.compile(expressions=[pattern.encode() for pattern in ("A[KS]IA", *ODD)], ids=list(range(1 + len(ODD))))


def lines(text: bytes | bytearray) -> Lines:
    """The records of a file, sorted out. Raises ValueError, RecursionError when it is not as CloudTrail writes it."""
    found, others = _records(text)
    for one in found:
        if one.responseElements:
            _hide_token(one.responseElements)
    whole = _encoder.encode_lines(found)
    written = whole.split(b"\n")
    written.pop()
    brackets = map(len, whole.translate(None, NO_BRACKET).split(b"\n"))
    # The text after the last line is none.
    nested = [line for line, count in zip(written, brackets, strict=False) if count > NESTED]
    if any(too_deep(msgspec.json.decode(line)) for line in nested):
        raise ValueError("it is deeper than is read")
    keys, odd = _looked_at(whole, written)
    quick: list[Line] = []
    exact: list[bytes] = []
    for place, (one, line) in enumerate(zip(found, written, strict=True)):
        if place in odd or (place in keys and keys[place] != _own_keys(one)) or one.eventName in EXPORT_CALLS:
            exact.append(line)
        else:
            quick.append((day_of(one.eventTime), one.eventID, line))
    return Lines(quick, exact, others)


def _looked_at(whole: bytes, written: Sequence[bytes]) -> tuple[Counter[int], set[int]]:
    """By line how often a key may stand in it, and the lines in which something else stands that is looked for."""
    ends = list(accumulate(len(line) + 1 for line in written))
    at: list[list[int]] = [[], []]
    # The first pattern is the keys'.
    _patterns.scan(whole, match_event_handler=lambda number, _, end, *__: at[number > 0].append(end))
    return Counter(bisect_left(ends, end) for end in at[0]), {bisect_left(ends, end) for end in at[1]}


def _hide_token(answer: Any) -> None:
    """As decisions.store_schema.row does."""
    credentials = _credentials(answer)
    if isinstance(credentials.get(TOKEN[-1]), str):
        credentials[TOKEN[-1]] = HIDDEN


def _records(text: bytes | bytearray) -> tuple[list[Record], list[bytes]]:
    try:
        return _files.decode(text).Records, []
    except (ValueError, RecursionError):
        return _one_by_one(_raws.decode(text).Records)


def _one_by_one(raws: Sequence[msgspec.Raw]) -> tuple[list[Record], list[bytes]]:
    read: list[Record] = []
    others: list[bytes] = []
    for raw in raws:
        try:
            read.append(_record.decode(raw))
        except (ValueError, RecursionError):
            others.append(bytes(raw))
    return read, others


def _own_keys(one: Record) -> int:
    """How many keys a record holds of which `mentions` does not tell: the caller's own, and the one handed out."""
    own = one.userIdentity.accessKeyId if one.userIdentity else None
    issued = _credentials(one.responseElements).get("accessKeyId")
    return sum(isinstance(key, str) and key.startswith(KEYS) for key in (own, issued))


def _credentials(answer: Any) -> Any:
    """Those that a call handed out, else an empty dictionary."""
    credentials = answer.get("credentials") if type(answer) is dict else None
    return credentials if type(credentials) is dict else {}
