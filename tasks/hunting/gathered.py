"""The rows of a batch until they are written: by day, each event once, in the order of the table.

They are handed to DuckDB as JSON lines, which it takes into columns faster than Python fills a list.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from decisions.sigma_sql import quoted, quoted_name
from decisions.store_schema import (
    IDENTITY_COLUMNS,
    IRREGULAR,
    JSON_COLUMNS,
    MENTIONS,
    PIVOT_COLUMNS,
    REST,
    TEXT_COLUMNS,
)
from records.manifest import Part
from tasks.hunting.parquet_parts import COLUMNS, SORTED_BY, copied
from tasks.hunting.record_types import REST_NAMES
from tasks.hunting.store import ACCESS_LOG, CLOUDTRAIL
from tasks.hunting.typed_records import Line

NAMED_BY = {CLOUDTRAIL: "eventID", ACCESS_LOG: "line"}
"""Two rows with the same are one event; where it is null or empty, the whole row counts."""
LARGEST = 32 * 1024 * 1024
"""Bytes of one record: CloudTrail's are at most a quarter of a megabyte."""


class Gathered:
    """Rows of one table. The same name on another day is another event, as in compaction: another partition's."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.bytes = 0
        """How many it holds."""
        self._lines: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        """By day and eventID: records as typed_records tells, which begin with what they are sorted by."""
        self._rows: defaultdict[str, dict[str, tuple[list[str], bytes]]] = defaultdict(dict)
        """By day and name: what a row is sorted by, and all its cells."""
        self._added = 0

    def add(self, row: Mapping[str, Any], day: str) -> bool:
        """One row of a day; False when it is too large to be kept."""
        line = json.dumps(row, ensure_ascii=False)
        content = line.encode()
        if len(content) > LARGEST:
            return False
        order = [row[name] or "" for name in SORTED_BY[self.table]]
        self._rows[day].setdefault(row[NAMED_BY[self.table]] or line, (order, content))
        self.bytes += len(content)
        self._added += 1
        return True

    def extend(self, lines: Sequence[Line]) -> int:
        """Regular records; how many of them are too large to be kept."""
        large = 0
        for day, name, line in lines:
            if len(line) > LARGEST:
                large += 1
            else:
                self._lines[day].setdefault(name, line)
                self.bytes += len(line)
        self._added += len(lines) - large
        return large

    def write(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> tuple[list[Part], int]:
        """A part for each day, and how many rows were there before; then it is empty. Raises NotWritten, OSError."""
        parts: list[Part] = []
        for day in sorted({*self._lines, *self._rows}):
            with self.relation(day) as (query, rows):
                parts.append(copied(connection, folder, self.table, day, query, rows))
        twice = self._added - sum(part.rows for part in parts)
        self._lines.clear()
        self._rows.clear()
        self.bytes = self._added = 0
        return parts, twice

    @contextmanager
    def relation(self, day: str) -> Iterator[tuple[str, int]]:
        """A query for the rows of a day, regular records first, each kind in its order; and how many rows these are."""
        lines = self._lines.get(day, {})
        rows = sorted(row for name, row in self._rows.get(day, {}).items() if name not in lines)
        names = ", ".join(quoted_name(name) for name, _ in COLUMNS[self.table])
        with _file(sorted(lines.values())) as regular, _file([content for _, content in rows]) as others:
            known = [f"({_of_lines(regular)})"] if lines else []
            exact = [_read(others, COLUMNS[self.table])] if rows else []
            query = " union all ".join(f"select {names} from {given}" for given in known + exact)  # noqa: S608 - names of ours, quoted
            yield query, len(lines) + len(rows)


@contextmanager
def _file(lines: Iterable[bytes]) -> Iterator[str]:
    """The path of a file in memory, which no kill leaves behind."""
    with open(os.memfd_create("lines"), "wb") as file:
        file.write(b"\n".join(lines))
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


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
    cells += [f"'{{' || nullif(concat_ws(',', {rest}), '') || '}}' as {REST}", f"false as {IRREGULAR}"]
    return f"select {', '.join(cells)} from (select {given} from {_read(file, kinds)})"  # noqa: S608 - names of ours, quoted


def _below(columns: Mapping[str, Sequence[str]]) -> dict[str, list[Sequence[str]]]:
    """Paths by the column in which they begin."""
    found: dict[str, list[Sequence[str]]] = {}
    for path in columns.values():
        found.setdefault(path[0], []).append(path)
    return found


def _paths(paths: Iterable[Sequence[str]]) -> str:
    return f"[{', '.join(quoted('.'.join(('$', *path[1:]))) for path in paths)}]"
