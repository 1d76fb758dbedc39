"""The rows of a batch until they are written: each event once, in the order of the table.

They are handed to DuckDB as files of JSON lines, which it takes into columns faster than Python fills a list.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import duckdb

from decisions.sigma_sql import quoted, quoted_name
from decisions.store_schema import (
    DAY,
    IDENTITY_COLUMNS,
    IRREGULAR,
    JSON_COLUMNS,
    MENTIONS,
    PIVOT_COLUMNS,
    REST,
    TEXT_COLUMNS,
)
from records.manifest import Part
from tasks.hunting.parquet_parts import COLUMNS, SORTED_BY, NotWritten, copied
from tasks.hunting.record_types import REST_NAMES
from tasks.hunting.store import ACCESS_LOG, CLOUDTRAIL, UNKNOWN_DAY

NAMED_BY = {CLOUDTRAIL: "eventID", ACCESS_LOG: "line"}
"""Two rows with the same are one event; where it is null or empty, the whole row counts."""
LARGEST = 32 * 1024 * 1024
"""Bytes of one record: CloudTrail's are at most a quarter of a megabyte."""
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"


class Gathered:
    """Rows of one table, in files in a folder until this is closed."""

    def __init__(self, table: str, folder: Path) -> None:
        self.table = table
        # Whoever is killed leaves them in the staging folder, which the next ingest clears.
        self._lines, self._rows = (NamedTemporaryFile(dir=folder, suffix=".ndjson") for _ in range(2))  # noqa: SIM115 - closed in __exit__

    def __enter__(self) -> Gathered:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._rows.close()

    def add(self, row: Mapping[str, Any], day: str) -> bool:
        """One row of a day; False when it is too large to be kept."""
        line = json.dumps({**row, DAY: day}, ensure_ascii=False).encode()
        if len(line) <= LARGEST:
            self._rows.write(line + b"\n")
        return len(line) <= LARGEST

    def extend(self, lines: Sequence[bytes]) -> int:
        """Records as JSON, which are as typed_records tells; how many of them are too large to be kept."""
        kept = [line for line in lines if len(line) <= LARGEST]
        self._lines.write(b"".join(line + b"\n" for line in kept))
        return len(lines) - len(kept)

    def write(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> tuple[list[Part], int]:
        """A part for each day, and how many rows were there before. Raises NotWritten."""
        try:
            self.gather(connection)
            twice = self._each_once(connection)
            days = connection.execute("select dt, count(*) from batch group by dt order by dt").fetchall()
        except duckdb.Error as error:
            raise NotWritten(f"a batch could not be gathered: {str(error).splitlines()[0]}") from error
        order = ", ".join(map(quoted_name, SORTED_BY[self.table]))
        parts: list[Part] = []
        for day, rows in days:
            query = f"select * exclude (dt) from batch where dt = {quoted(day)} order by {order}"  # noqa: S608 - names of ours, quoted
            parts.append(copied(connection, folder, self.table, day, query, rows))
        return parts, twice

    def gather(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Every row that was added, as the table `batch`, those that are there twice included."""
        self._lines.flush()
        self._rows.flush()
        names = ", ".join(map(quoted_name, (*(name for name, _ in COLUMNS[self.table]), DAY)))
        rows = f"select {names} from {_read(self._rows.name, (*COLUMNS[self.table], (DAY, 'varchar')))}"  # noqa: S608 - likewise
        if self.table == CLOUDTRAIL:
            rows = f"select {names} from ({_of_lines(self._lines.name)}) union all {rows}"  # noqa: S608 - likewise
        connection.execute(f"create or replace temp table batch as {rows}")

    def _each_once(self, connection: duckdb.DuckDBPyConnection) -> int:
        name = quoted_name(NAMED_BY[self.table])
        before, named = connection.execute(
            f"select count(*), count(distinct {name}) filter ({name} <> '') from batch"  # noqa: S608 - likewise
        ).fetchall()[0]
        if named == before:
            return 0
        # The same name on another day is another partition's, as in compaction.
        every = ", ".join(map(quoted_name, (*(column for column, _ in COLUMNS[self.table]), DAY)))
        twice = " union all ".join(
            f"(select rowid from batch where {rows} qualify row_number() over (partition by {event} order by rowid) > 1)"  # noqa: S608 - likewise
            for rows, event in ((f"{name} <> ''", f"dt, {name}"), (f"{name} is null or {name} = ''", every))
        )
        return connection.execute(f"delete from batch where rowid in ({twice})").fetchall()[0][0]  # noqa: S608 - likewise


def _read(file: str, columns: Iterable[tuple[str, str]]) -> str:
    kinds = ", ".join(f"{quoted(name)}: {quoted(kind)}" for name, kind in columns)
    size = f"maximum_object_size = {LARGEST + 1024}"
    return f"read_json({quoted(file)}, format = 'newline_delimited', columns = {{{kinds}}}, {size})"


def _of_lines(file: str) -> str:
    """The rows of regular records, each cell as decisions.store_schema.row says it."""
    kinds = [(name, "varchar") for name in TEXT_COLUMNS] + [(name, "json") for name in (*JSON_COLUMNS, *REST_NAMES)]
    pivots = {name: _paths(paths) for name, paths in _below(PIVOT_COLUMNS).items()}
    given = ", ".join(
        [
            "*",
            f"json_extract_string(userIdentity, {_paths(list(IDENTITY_COLUMNS.values()))}) as caller",
            *(f"json_extract({name}, {paths}) as {name}_pivots" for name, paths in pivots.items()),
        ]
    )
    cells = [quoted_name(name) for name in TEXT_COLUMNS]
    cells += [f"caller[{number}] as {quoted_name(name)}" for number, name in enumerate(IDENTITY_COLUMNS, 1)]
    for name, path in PIVOT_COLUMNS.items():
        place = f"{path[0]}_pivots[{_below(PIVOT_COLUMNS)[path[0]].index(path) + 1}]"
        cells.append(f"case when starts_with({place}, '\"') then {place} ->> '$' end as {quoted_name(name)}")
    cells += [f"null::varchar as {quoted_name(MENTIONS)}", *(f"{name}::varchar as {name}" for name in JSON_COLUMNS)]
    rest = ", ".join(f"{quoted(json.dumps(name) + ':')} || {name}::varchar" for name in sorted(REST_NAMES))
    cells += [
        f"'{{' || nullif(concat_ws(',', {rest}), '') || '}}' as {REST}",
        f"false as {IRREGULAR}",
        f"{_day()} as {DAY}",
    ]
    return f"select {', '.join(cells)} from (select {given} from {_read(file, kinds)})"  # noqa: S608 - names of ours, quoted


def _below(columns: Mapping[str, Sequence[str]]) -> dict[str, list[Sequence[str]]]:
    """Paths by the column in which they begin."""
    found: dict[str, list[Sequence[str]]] = {}
    for path in columns.values():
        found.setdefault(path[0], []).append(path)
    return found


def _paths(paths: Iterable[Sequence[str]]) -> str:
    return f"[{', '.join(quoted('.'.join(('$', *path[1:]))) for path in paths)}]"


def _day() -> str:
    """As decisions.store_schema.day."""
    begin = "left(eventTime, 10)"
    valid = (
        f"regexp_full_match(eventTime, {quoted(TIME)}) and {begin} >= '0001' and try_cast({begin} as date) is not null"
    )
    return f"case when {valid} then {begin} else {quoted(UNKNOWN_DAY)} end"
