"""CloudTrail records as AWS writes them, straight into columns: about ten times quicker than decisions.store_schema.row.

A record that is in any way unlike the types here (an unknown name, a number where a word belongs, a fraction, depth, no
eventID) is not read here at all: the caller reads it exactly. Of the others every cell is what `row` says; a test holds both
side by side.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import UNSET

from decisions.store_schema import (
    COLUMNS,
    IRREGULAR,
    JSON_COLUMNS,
    MENTIONS,
    REST,
    TEXT_COLUMNS,
    TRUTHS,
    day,
    mentions,
)
from tasks.hunting.reading import too_deep
from tasks.hunting.record_types import File, Identity, Issuer, Raws, Record, Session

NESTED = 150
"""A cell with more brackets than this is looked at, whether it is deeper than is read."""
LONG = 2 * NESTED
TIMES = re.compile(r"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n)*", re.ASCII)
FRACTION = re.compile(r"-?(?:[1-9]\d*\.(?:0|\d*[1-9])|0\.[1-9](?:\d*[1-9])?)", re.ASCII)
DIGITS = 15
"""A fraction of so few digits is written again as it was read."""
LINE = len("2026-03-02T10:00:00Z\n")
LITERALS = ("AKIA", "ASIA", "export-", ".bin")
"""What stands in every record that `mentions` says something of."""
LITERAL = re.compile(b"|".join(re.escape(literal.encode()) for literal in LITERALS))
NULL = b"null"
"""An empty cell of JSON: there is none that says null."""


REST_NAMES = ("sessionCredentialFromConsole", "addendum", "edgeDeviceDetails")
NOBODY, NO_SESSION, NO_ISSUER = Identity(), Session(), Issuer()
NOTHING: dict[str, Any] = dict.fromkeys(name for name, _ in COLUMNS)
NO_PARAMETERS: dict[str, Any] = {}
TYPED = frozenset({"userIdentity", "resources", "tlsDetails"})
"""They are as deep as their types, and no deeper."""
Telling = dict[int, list[str]]
NO_REST = (UNSET, UNSET, UNSET)
OF_CALLERS = {
    "type": "identityType",
    "arn": "identityArn",
    "principalId": "identityPrincipalId",
    "accountId": "identityAccountId",
    "accessKeyId": "accessKeyId",
    "invokedBy": "invokedBy",
}
OF_ISSUERS = {"arn": "issuerArn", "type": "issuerType"}
FIELDS = Record.__struct_fields__
WORDS = tuple(name for name in TEXT_COLUMNS if name not in TRUTHS)
TRUTH = {None: None, True: "true", False: "false"}


def _fraction(text: str) -> float:
    if len(text) > DIGITS or not FRACTION.fullmatch(text):
        raise ValueError(f"{text} may be written in several ways")
    return float(text)


_encoder = msgspec.json.Encoder(order="sorted")
_files = msgspec.json.Decoder(File, float_hook=_fraction)
_raws = msgspec.json.Decoder(Raws)
_record = msgspec.json.Decoder(Record, float_hook=_fraction)


def records(text: bytes | bytearray) -> tuple[list[Record], list[bytes]]:
    """The records of a file that can be read here, and the others as they stand. Raises ValueError, RecursionError."""
    try:
        return _files.decode(text).Records, []
    except (ValueError, RecursionError):
        return _one_by_one(_raws.decode(text).Records)


def columns(found: Sequence[Record]) -> tuple[dict[str, Sequence[Any]], list[str]]:
    """Columns and days of records. Raises ValueError when a record is deeper than is read."""
    made: dict[str, Sequence[Any]] = dict(zip(FIELDS, zip(*map(attrgetter(*FIELDS), found), strict=True), strict=True))
    for name in TRUTHS:
        made[name] = list(map(TRUTH.__getitem__, made[name]))
    _identities(made)
    _pivots(made)
    telling = _telling(made)
    for name in JSON_COLUMNS:
        made[name] = _json(name, made[name], made, telling)
    rests = zip(*(made.pop(name) for name in REST_NAMES), strict=True)
    made[REST] = [NULL if rest == NO_REST else _rest(rest) for rest in rests]
    _tell(telling, (place for place, rest in enumerate(made[REST]) if rest is not NULL), REST)
    made[IRREGULAR] = [False] * len(found)
    made[MENTIONS] = _mentions(made, telling, len(found))
    return made, _days(made["eventTime"])


def _one_by_one(raws: Sequence[msgspec.Raw]) -> tuple[list[Record], list[bytes]]:
    read: list[Record] = []
    others: list[bytes] = []
    for raw in raws:
        try:
            read.append(_record.decode(raw))
        except (ValueError, RecursionError):
            others.append(bytes(raw))
    return read, others


def _identities(made: dict[str, Sequence[Any]]) -> None:
    callers = [one or NOBODY for one in made["userIdentity"]]
    sessions = [one.sessionContext or NO_SESSION for one in callers]
    issuers = [one.sessionIssuer or NO_ISSUER for one in sessions]
    for structs, names in ((callers, OF_CALLERS), (issuers, OF_ISSUERS)):
        words = zip(*map(attrgetter(*names), structs), strict=True)
        for column, cells in zip(names.values(), words, strict=True):
            made[column] = [None if word is UNSET else word for word in cells] if UNSET in cells else cells


def _pivots(made: dict[str, Sequence[Any]]) -> None:
    requests = [one if type(one) is dict else NO_PARAMETERS for one in made["requestParameters"]]
    for column, name in (("bucketName", "bucketName"), ("objectKey", "key")):
        made[column] = [word if type(word := one.get(name)) is str else None for one in requests]
    made["issuedKey"] = [_issued(one) if one else None for one in made["responseElements"]]


def _issued(answer: Any) -> str | None:
    credentials = answer.get("credentials") if type(answer) is dict else None
    key = credentials.get("accessKeyId") if type(credentials) is dict else None
    return key if type(key) is str else None


def _json(name: str, values: Sequence[Any], made: Mapping[str, Sequence[Any]], telling: Telling) -> Sequence[bytes]:
    """A column of JSON; in `telling` its rows of which `mentions` may have to tell something. Raises ValueError."""
    if values.count(None) == len(values):
        return [NULL] * len(values)
    text = _encoder.encode_lines(values)
    lines = text.split(b"\n")
    lines.pop()
    if name == "userIdentity":
        if _tells_of_others(text, made["accessKeyId"]):
            _tell(telling, range(len(lines)), name)
    elif LITERAL.search(text):
        _tell(telling, (place for place, line in enumerate(lines) if LITERAL.search(line)), name)
    if name not in TYPED:
        for place, size in enumerate(map(len, lines)):
            if size > LONG:
                _check_depth(lines[place], values[place])
    return lines


def _check_depth(line: bytes, value: Any) -> None:
    if line.count(b"{") + line.count(b"[") > NESTED and too_deep({"": value}):
        raise ValueError("it is deeper than is read")


def _tells_of_others(identities: bytes, own: Sequence[str | None]) -> bool:
    """An identity holds its own key, of which `mentions` does not tell; another may stand in one of them."""
    if b"export-" in identities or b".bin" in identities:
        return True
    keys = identities.count(b"ASIA") + identities.count(b"AKIA")
    return keys != sum(key is not None and key.startswith(("ASIA", "AKIA")) for key in own)


def _telling(made: Mapping[str, Sequence[Any]]) -> Telling:
    """Rows in which a word may be what `mentions` tells, with the columns."""
    telling: Telling = {}
    for name in WORDS:
        text = "\n".join(filter(None, made[name]))
        if any(map(text.__contains__, LITERALS)):
            words = enumerate(made[name])
            _tell(telling, (n for n, word in words if word and any(map(word.__contains__, LITERALS))), name)
    return telling


def _tell(telling: Telling, places: Iterable[int], name: str) -> None:
    for place in places:
        telling.setdefault(place, ["userIdentity", "accessKeyId", "issuedKey"]).append(name)


def _mentions(made: Mapping[str, Sequence[Any]], telling: Telling, length: int) -> list[str | None]:
    """What `mentions` says of the cells that it has something to say of."""
    told: list[str | None] = [None] * length
    for place, names in telling.items():
        cells = dict(NOTHING)
        for name in names:
            cell = made[name][place]
            cells[name] = cell.decode() if type(cell) is bytes else cell
        told[place] = mentions(cells)
    return told


def _rest(values: Sequence[Any]) -> bytes:
    rest = {name: value for name, value in zip(REST_NAMES, values, strict=True) if value is not UNSET}
    line = _encoder.encode(rest)
    _check_depth(line, rest)
    return line


def _days(times: Sequence[str | None]) -> list[str]:
    """The day of each time, looked at one by one only where some are not as they mostly are."""
    text = "" if None in times else "\n".join((*times, ""))
    if len(text) == LINE * len(times) and TIMES.fullmatch(text):
        days = [time[:10] for time in times]
        known = {one: day({"eventTime": f"{one}T00:00:00Z"}) for one in set(days)}
        return days if all(one == told for one, told in known.items()) else [known[one] for one in days]
    return [day({"eventTime": time}) for time in times]


def written(one: Record) -> bytes:
    """A record as JSON; nulls of its own that it need not have are left out."""
    fields = {name: value for name in one.__struct_fields__ if (value := getattr(one, name)) not in (None, UNSET)}
    return _encoder.encode(fields)
