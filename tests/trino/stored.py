"""A small store of the schema, written by DuckDB, and the statements that declare it run on a real Trino."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from trino.dbapi import connect

from decisions import access_log_schema, store_schema
from decisions.store_ddl import TABLES, ddl, statements
from settings.trino import TrinoSettings
from tasks.hunting.trino_table import TrinoTable
from tests.hunting.logs_of import event, export
from tests.trino.conftest import Place

Ask = Callable[[str], list[Any]]
HOSTILE = [
    'it\'s "quoted"; DROP TABLE x --',
    "ümlaut 日本 🙈",
    "\ud83d",
    "line\nbreak\ttab",
    "${dt}",
    "",
    "\\",
    "null",
    "a" * 70_000,
]
DAYS = ("2026-03-02", "2026-03-03", "2026-03-04")


def asking(place: Place, schema: str | None = None) -> Ask:
    """What gives the rows of a statement; with a schema, in it."""
    connection = connect(host=place.url, user="test", catalog="hive", schema=schema)
    return lambda sql: connection.cursor().execute(sql).fetchall()


def write(folder: Path, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Rows, each with its `dt`, as one part of each day."""
    root = folder / table
    root.mkdir(parents=True, exist_ok=True)
    file = folder / f"{table}.ndjson"
    with file.open("w", encoding="utf-8") as lines:
        for row in rows:
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in (*TABLES[table], ("dt", "varchar")))
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT * FROM read_json('{file}', format = 'newline_delimited', columns = {{{columns}}})) TO '{root}' "
            "(FORMAT parquet, COMPRESSION zstd, PARTITION_BY (dt), OVERWRITE_OR_IGNORE)"
        )
    file.unlink()


def cloudtrail(folder: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Records of CloudTrail."""
    write(folder, "cloudtrail", (store_schema.row(one) | {"dt": store_schema.day(one)} for one in records))


def access_log(folder: Path, rows: Iterable[access_log_schema.Row]) -> None:
    """Rows of access logs."""
    write(folder, "access_log", (row | {"dt": access_log_schema.day(row)} for row in rows))


def declare(ask: Ask, place: Place, folder: Path, schema: str) -> None:
    """A schema with the tables over a folder below the server's."""
    location = f"local:///{folder.relative_to(place.files)}"
    ask(f"CREATE SCHEMA hive.{schema}")
    names = {table: f"hive.{schema}.{table}" for table in TABLES}
    for statement in statements(ddl("trino", location, names)):
        ask(statement)


def declare_projected(ask: Ask, place: Place, folder: Path, schema: str) -> None:
    """The tables as Athena's statements have them: the same properties, in Trino's words, and a second table without days."""
    ask(f"CREATE SCHEMA hive.{schema}")
    for dated, undated in batched(statements(ddl("athena", "s3://example-hunts/store")), 2):
        name, path = re.findall(r"EXTERNAL TABLE `(\w+)`.*LOCATION 's3://example-hunts/store([^']*)'", dated, re.S)[0]
        asked = dict(re.findall(r"'projection\.dt\.([a-z.]+)' = '([^']*)'", dated))
        first, last = asked["range"].split(",")
        listed = ", ".join(f'"{column}" {kind}' for column, kind in TABLES[name])
        where = f"local:///{folder.relative_to(place.files)}"
        ask(
            f"CREATE TABLE hive.{schema}.{name} ({listed}, dt varchar WITH (partition_projection_type = '{asked['type']}', "
            f"partition_projection_format = '{asked['format']}', partition_projection_range = ARRAY['{first}', '{last}'], "
            f"partition_projection_interval = {asked['interval']}, "
            f"partition_projection_interval_unit = '{asked['interval.unit']}')) WITH (format = 'PARQUET', "
            f"external_location = '{where}{path.rstrip('/')}', partitioned_by = ARRAY['dt'], partition_projection_enabled = true)"
        )
        beside, path = re.findall(r"EXTERNAL TABLE `(\w+)`.*LOCATION 's3://example-hunts/store([^']*)'", undated, re.S)[
            0
        ]
        (folder / path.strip("/")).mkdir(parents=True, exist_ok=True)
        ask(
            f"CREATE TABLE hive.{schema}.{beside} ({listed}) WITH (format = 'PARQUET', external_location = '{where}{path.rstrip('/')}')"
        )


def batched(items: list[str], size: int) -> list[tuple[str, ...]]:
    """Lists of so many."""
    return [tuple(items[start : start + size]) for start in range(0, len(items), size)]


def records() -> list[dict[str, Any]]:
    """Three days, hostile texts, records without a day or of a strange shape."""
    made = [event(n, eventTime=f"{day}T10:00:{n:02}Z") for day in DAYS for n in range(20)]
    made += [export(100 + n, userAgent=text, requestParameters={"key": text}) for n, text in enumerate(HOSTILE)]
    made += [event(200, eventTime="never"), event(201, eventName=["a", "list"]), {"strange": [1, 2.5, None]}]
    return made


def lines() -> list[access_log_schema.Row]:
    """Access log rows, one of which is no line."""
    fields = {"time": None, "bucket": "exports", "key": "a%2Fb", "http_status": 200, "bytes_sent": 2**40}
    return [access_log_schema.row(text, fields) for text in HOSTILE[:2]] + [access_log_schema.row("no line", None)]


@pytest.fixture
def folder(trino: Place, schema: str) -> Path:
    """A store below Trino's folder."""
    made = trino.files / schema
    cloudtrail(made, records())
    access_log(made, lines())
    return made


def table_of(trino: Place, schema: str, **more: Any) -> TrinoTable:
    """The tables of a schema, as settings name them."""
    settings = TrinoSettings(url=trino.url, user="test", table=f"hive.{schema}.cloudtrail", **more)
    return TrinoTable(settings)
