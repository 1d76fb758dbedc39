"""The table that CloudTrail records are kept in: Parquet with ordinary columns, for DuckDB, Trino, Athena and Spark.

Fields that are always one word are columns; the nested parts stay JSON text, compact and with sorted names, so that a text
search means the same on every engine; the rest of a record is JSON text too, and holds again
what a column cannot give back as it was (a number), so that `record` is the inverse of `row`. A record of another shape than AWS writes (a list
where a word belongs) is `irregular`: it stands whole in `rest`, and rules are asked of it there. So columns may be trusted,
and pruned by, and nothing that a hostile record holds is lost. One text is not kept: a session token (docs/adr/0007-the-store-keeps-no-session-tokens.md).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, cast

from decisions.partition import UNKNOWN_DAY
from decisions.plain import utf8
from decisions.sigma_values import Path, text

TEXT_COLUMNS = (
    "eventID", "eventTime", "eventName", "eventSource", "awsRegion", "recipientAccountId", "sourceIPAddress", "userAgent",
    "errorCode", "errorMessage", "eventType", "eventCategory", "eventVersion", "apiVersion", "readOnly", "managementEvent",
    "requestID", "sharedEventID", "vpcEndpointId", "vpcEndpointAccountId",
)  # fmt: skip
"""Top-level fields that are one word: varchar, the text of a truth value or number included. eventID is no UUID column: one
that is declared varchar reads as garbage in Trino."""

IDENTITY_COLUMNS: Mapping[str, Path] = {
    "identityType": ("userIdentity", "type"),
    "identityArn": ("userIdentity", "arn"),
    "identityPrincipalId": ("userIdentity", "principalId"),
    "identityAccountId": ("userIdentity", "accountId"),
    "accessKeyId": ("userIdentity", "accessKeyId"),
    "invokedBy": ("userIdentity", "invokedBy"),
    "issuerArn": ("userIdentity", "sessionContext", "sessionIssuer", "arn"),
    "issuerType": ("userIdentity", "sessionContext", "sessionIssuer", "type"),
}
"""Words of the identity, which hunts ask for most; the identity itself is kept whole in `userIdentity`."""

PIVOT_COLUMNS: Mapping[str, Path] = {
    "bucketName": ("requestParameters", "bucketName"),
    "objectKey": ("requestParameters", "key"),
    "issuedKey": ("responseElements", "credentials", "accessKeyId"),
}
"""For joins: the value when it is one text, else null. Rules are not asked of them, for they may be lists elsewhere."""

MENTIONS = "mentions"
"""Access keys (but `accessKeyId` and `issuedKey`) and names of export tasks and stored images that stand anywhere in the record,
by blanks; mostly null. So what belongs to an export is found without reading the JSON of every row."""

JSON_COLUMNS = (
    "userIdentity", "requestParameters", "responseElements", "additionalEventData", "resources", "serviceEventDetails",
    "tlsDetails",
)  # fmt: skip
TRUTHS = frozenset({"readOnly", "managementEvent"})
"""Columns whose texts are truth values."""
REST = "rest"
IRREGULAR = "irregular"

COLUMNS: tuple[tuple[str, str], ...] = (
    *((name, "varchar") for name in TEXT_COLUMNS),
    *((name, "varchar") for name in (*IDENTITY_COLUMNS, *PIVOT_COLUMNS, MENTIONS)),
    *((name, "varchar") for name in (*JSON_COLUMNS, REST)),
    (IRREGULAR, "boolean"),
)
"""Name and SQL type of each column but the partition, in their order."""

TOKEN: Path = ("responseElements", "credentials", "sessionToken")
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
"""AWS's own word for what CloudTrail does not tell; it stands for a text at TOKEN."""

Row = dict[str, str | bool | None]
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T\d\d:\d\d:\d\d(?:\.\d+)?Z", re.ASCII)
_NAMED = frozenset({*TEXT_COLUMNS, *JSON_COLUMNS})
_SEARCHED = (*TEXT_COLUMNS, *JSON_COLUMNS, REST)
_KEY = r"A[KS]IA[A-Z0-9]{16}"
_OBJECT = r"export-(?:i|ami)-[0-9a-z]+|ami-[0-9a-f]+\.bin"
_AT_KEY = re.compile(_KEY)
_OBJECTS = re.compile(f"(?=({_OBJECT}))")
"""Looked for at every place: a name may begin within what looks like another."""


def row(record: Mapping[str, Any]) -> Row:
    """A record as a row of the table, a session token hidden. Halves of surrogate pairs, which no UTF-8 can hold, become U+FFFD."""
    record = _without_token(record)
    cells: Row = dict.fromkeys(name for name, _ in COLUMNS)
    cells[IRREGULAR] = not _regular(record)
    if cells[IRREGULAR]:
        cells[REST] = _json(dict(record))
        cells[MENTIONS] = mentions(cells)
        return cells
    for name in TEXT_COLUMNS:
        if record.get(name) is not None:
            cells[name] = utf8(text(record[name]))
    for name, path in IDENTITY_COLUMNS.items():
        value = _at(record, path)
        cells[name] = None if value is None else utf8(text(value))
    for name, path in PIVOT_COLUMNS.items():
        value = _at(record, path)
        cells[name] = utf8(value) if isinstance(value, str) else None
    for name in JSON_COLUMNS:
        cells[name] = None if record.get(name) is None else _json(record[name])
    rest = _beside(record)
    cells[REST] = _json(rest) if rest else None
    cells[MENTIONS] = mentions(cells)
    return cells


def is_mentioned(text: str) -> bool:
    """Whether `mentions` (or accessKeyId, issuedKey) tells of every row that holds a text: of others all columns must be read."""
    return re.fullmatch(f"{_KEY}|{_OBJECT}", text) is not None


def record(cells: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a row: the inverse of `row`, but for session tokens, halves of surrogate pairs, NaN, and fields that are null.

    A null is kept where it has a meaning: in a record without eventID, which is named by the hash of its content. Raises
    ValueError when a JSON cell holds none: no row of ours.
    """
    rest: dict[str, Any] = json.loads(cells[REST]) if cells.get(REST) is not None else {}
    if cells.get(IRREGULAR):
        return rest
    found: dict[str, Any] = {}
    for name in TEXT_COLUMNS:
        if (word := cells.get(name)) is not None:
            found[name] = word == "true" if name in TRUTHS and word in {"true", "false"} else word
    for name in JSON_COLUMNS:
        if (written := cells.get(name)) is not None:
            found[name] = json.loads(written)
    return found | rest


def day(record: Mapping[str, Any]) -> str:
    """The partition that a record belongs to."""
    return day_of(record.get("eventTime"))


def day_of(time: Any) -> str:
    """The day of an eventTime; `unknown` when it is no time as AWS writes it, which is in UTC."""
    found = _TIME.fullmatch(time) if isinstance(time, str) else None
    try:
        return date.fromisoformat(found[1]).isoformat() if found else UNKNOWN_DAY
    except ValueError:
        return UNKNOWN_DAY


def mentions(cells: Row) -> str | None:
    """What the column `mentions` says of a row whose other columns are filled."""
    whole = "\n".join([cell for name in _SEARCHED if isinstance(cell := cells[name], str)])
    found: set[str | None] = set()
    own = {cells["accessKeyId"], cells["issuedKey"]}
    caller = cells["accessKeyId"]  # stands in userIdentity as well
    if whole.count("AKIA") + whole.count("ASIA") > (isinstance(caller, str) and caller.startswith(("AKIA", "ASIA"))):
        found.update(_keys(whole))
    if "export-" in whole or ".bin" in whole:
        found.update(_OBJECTS.findall(whole))
    return " ".join(sorted(one for one in found - own if one)) or None


def _keys(whole: str) -> Iterator[str]:
    for start in ("AKIA", "ASIA"):
        at = whole.find(start)
        while at >= 0:
            if key := _AT_KEY.match(whole, at):
                yield key[0]
            at = whole.find(start, at + 1)


def _without_token(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A nameless record keeps its token, for it is named by the hash of its content."""
    if not isinstance(_at(record, TOKEN), str) or _nameless(record):
        return record
    answer, credentials, token = TOKEN
    hidden = {**record[answer][credentials], token: HIDDEN}
    return {**record, answer: {**record[answer], credentials: hidden}}


def _nameless(record: Mapping[str, Any]) -> bool:
    return not isinstance(record.get("eventID"), str) or not record["eventID"]


def _beside(record: Mapping[str, Any]) -> dict[str, Any]:
    """What no column holds, and what a column does not hold as it was."""
    nameless = _nameless(record)
    found: dict[str, Any] = {}
    for name, value in record.items():
        if name not in _NAMED or (value is None and nameless) or not _kept(name, value):
            found[name] = value
    return found


def _kept(name: str, value: Any) -> bool:
    """Whether a column gives the value back."""
    if value is None or name in JSON_COLUMNS:
        return True
    if name in TRUTHS:
        return isinstance(value, bool) or (isinstance(value, str) and value not in {"true", "false"})
    return isinstance(value, str)


def _regular(record: Mapping[str, Any]) -> bool:
    if any(isinstance(record.get(name), (dict, list)) for name in TEXT_COLUMNS):
        return False
    return all(_words(record, path) for path in IDENTITY_COLUMNS.values())


def _words(record: Mapping[str, Any], path: Path) -> bool:
    node: Any = record
    for name in path[:-1]:
        if node is None:
            return True
        if not isinstance(node, Mapping):
            return not isinstance(node, list)
        node = cast("Mapping[str, Any]", node).get(name)
    if isinstance(node, list):
        return False
    return not isinstance(node, Mapping) or not isinstance(cast("Mapping[str, Any]", node).get(path[-1]), (dict, list))


def _at(record: Mapping[str, Any], path: Path) -> Any:
    node: Any = record
    for name in path:
        node = cast("Mapping[str, Any]", node).get(name) if isinstance(node, Mapping) else None
    return node


def _json(value: Any) -> str:
    try:
        return utf8(json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False))
    except ValueError:
        return _json(_finite(value))


def _finite(value: Any) -> Any:
    """Without NaN and Infinity, which are no JSON, and of which one would end an engine's query over all other rows."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in cast("Mapping[str, Any]", value).items()}
    return [_finite(inner) for inner in cast("list[Any]", value)] if isinstance(value, list) else value
