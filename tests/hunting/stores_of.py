"""Small Parquet stores for the tests of hunting: rows as the ingest writes them, without its database."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import deflate
import orjson

from decisions import access_log_schema, store_schema
from decisions.sigma_sql import quoted, quoted_name
from tasks.hunting import duckdb_engine
from tasks.hunting.layout import ACCESS, listing
from tasks.hunting.line_scanner import fields_of
from tasks.hunting.store import ACCESS_LOG, CLOUDTRAIL, Store

COLUMNS = {CLOUDTRAIL: store_schema.COLUMNS, ACCESS_LOG: access_log_schema.COLUMNS}
SORTED_BY = {CLOUDTRAIL: ("eventSource", "eventName", "eventTime"), ACCESS_LOG: ("bucket", "operation", "time")}


def store_of(root: Path, records: Iterable[Mapping[str, Any]], lines: Iterable[str] = ()) -> Store:
    """A store of records and of lines of access logs; in an existing one, one more part of each day."""
    days: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        days[CLOUDTRAIL, store_schema.day(record)].append(store_schema.row(record))
    for line in lines:
        cells = fields_of(line)
        days[ACCESS_LOG, access_log_schema.day(cells)].append(cells)
    with duckdb_engine.connect() as connection:
        for (table, day), rows in days.items():
            _part(connection, root / table / f"dt={day}", table, rows)
    return Store(root)


def stored(logs: Path, root: Path) -> Store:
    """A store of everything in a folder of logs as CloudTrail and S3 write them."""
    records: list[Mapping[str, Any]] = []
    lines: list[str] = []
    for file in listing(logs).files:
        content = Path(file.path).read_bytes()
        if file.kind == ACCESS:
            lines += content.decode().splitlines()
        else:
            records += orjson.loads(deflate.gzip_decompress(content))["Records"]
    return store_of(root, records, lines)


def _part(connection: Any, folder: Path, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    handed = folder / "_handed.ndjson"
    handed.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    columns = ", ".join(f"{quoted(name)}: {quoted(kind)}" for name, kind in COLUMNS[table])
    source = f"read_json({quoted(str(handed))}, format = 'newline_delimited', columns = {{{columns}}})"
    order = ", ".join(map(quoted_name, SORTED_BY[table]))
    part = folder / f"part-{len(list(folder.glob('*.parquet')))}.parquet"
    connection.execute(f"COPY (SELECT * FROM {source} ORDER BY {order}) TO {quoted(str(part))} (FORMAT parquet, COMPRESSION zstd)")  # fmt: skip
    handed.unlink()
