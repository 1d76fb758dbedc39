"""The table that CloudTrail records are kept in: Parquet with ordinary columns, for DuckDB, Trino, Athena and Spark.

Fields that are always one word are columns; the nested parts stay JSON text, compact and with sorted names, so that a text
search means the same on every engine; the rest of a record is JSON text too. A record of another shape than AWS writes (a list
where a word belongs) is `irregular`: it stands whole in `rest`, and rules are asked of it there. So columns may be trusted,
and pruned by, and nothing that a hostile record holds is lost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

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

JSON_COLUMNS = (
    "userIdentity", "requestParameters", "responseElements", "additionalEventData", "resources", "serviceEventDetails",
    "tlsDetails",
)  # fmt: skip
REST = "rest"
IRREGULAR = "irregular"
DAY = "dt"
"""The day of eventTime, UTC: the Hive partition `dt=2026-03-02`."""

COLUMNS: tuple[tuple[str, str], ...] = (
    *((name, "varchar") for name in TEXT_COLUMNS),
    *((name, "varchar") for name in (*IDENTITY_COLUMNS, *PIVOT_COLUMNS)),
    *((name, "varchar") for name in (*JSON_COLUMNS, REST)),
    (IRREGULAR, "boolean"),
)
"""Name and SQL type of each column but the partition, in their order."""

Row = dict[str, str | bool | None]


def row(record: Mapping[str, Any]) -> Row:
    """A record as a row of the table. Halves of surrogate pairs, which no UTF-8 can hold, become U+FFFD."""
    cells: Row = dict.fromkeys(name for name, _ in COLUMNS)
    cells[IRREGULAR] = not _regular(record)
    if cells[IRREGULAR]:
        cells[REST] = _json(dict(record))
        return cells
    for name in TEXT_COLUMNS:
        if record.get(name) is not None:
            cells[name] = _utf8(text(record[name]))
    for name, path in IDENTITY_COLUMNS.items():
        value = _at(record, path)
        cells[name] = None if value is None else _utf8(text(value))
    for name, path in PIVOT_COLUMNS.items():
        value = _at(record, path)
        cells[name] = _utf8(value) if isinstance(value, str) else None
    for name in JSON_COLUMNS:
        cells[name] = None if record.get(name) is None else _json(record[name])
    named = {*TEXT_COLUMNS, *JSON_COLUMNS}
    rest = {name: value for name, value in record.items() if name not in named}
    cells[REST] = _json(rest) if rest else None
    return cells


def day(record: Mapping[str, Any]) -> str:
    """The partition that a record belongs to; `unknown` when its eventTime is no time of AWS."""
    time = record.get("eventTime")
    plain = isinstance(time, str) and len(time) >= 10 and time[4] == time[7] == "-"
    return cast("str", time)[:10] if plain and cast("str", time)[:10].replace("-", "").isdigit() else "unknown"


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
    return _utf8(json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")))


def _utf8(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value
