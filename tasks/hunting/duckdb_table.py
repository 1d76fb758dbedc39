"""DuckDB over the Parquet store, where it lies: nothing is written to it, nothing is fetched, memory is bounded."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from decisions import access_log_schema, store_schema
from decisions.hunt import FileProblem
from decisions.partition import DAY, UNKNOWN_DAY
from decisions.plain import one_line
from decisions.sigma_sql import quoted, quoted_name
from decisions.sigma_sql_duckdb import DuckDb
from tasks.hunting.duckdb_engine import connect
from tasks.hunting.store import ACCESS_LOG, CLOUDTRAIL, Store
from tasks.hunting.table import Days, Parts, TableUnanswered

COLUMNS = {CLOUDTRAIL: store_schema.COLUMNS, ACCESS_LOG: access_log_schema.COLUMNS}
TRIES = 5
"""How often a question is asked again without the parts that could not be read."""


class DuckDbTable:
    """Use as a context: what spilled to the disk is removed at the end."""

    def __init__(self, store: Store, memory_bytes: int = 2_000_000_000, threads: int | None = None) -> None:
        self.name = f"the Parquet store {store.root}"
        self.dialect = DuckDb()
        self.statement_bytes = None
        self._store = store
        self._spill = tempfile.TemporaryDirectory(prefix="vmexport-hunt-")
        self._connection = connect()
        self._connection.execute(f"SET temp_directory = {quoted(self._spill.name)}")
        self._connection.execute(f"SET memory_limit = '{memory_bytes // 1_000_000}MB'")
        if threads is not None:
            self._connection.execute(f"SET threads = {threads}")
        self._connection.execute("SET parquet_metadata_cache = true")
        self._unread: dict[Path, str] = {}
        self._used: dict[str, list[Path]] = {table: [] for table in COLUMNS}
        for table in COLUMNS:
            self._look(table)

    def __enter__(self) -> DuckDbTable:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._spill.cleanup()

    def holds(self, table: str) -> bool:
        """Whether it has a part, be it one that cannot be read."""
        return bool(self._used[table]) or any(part.parent.parent.name == table for part in self._unread)

    def relation(self, table: str, days: Days | None) -> str:
        """A view of the parts that can be read; those of other days are not opened."""
        if days is None:
            return table
        day = quoted_name(DAY)
        within = f"{day} BETWEEN {quoted(days[0])} AND {quoted(days[1])} OR {day} = {quoted(UNKNOWN_DAY)}"
        return f"(SELECT * FROM {table} WHERE {within}) AS {table}"  # noqa: S608 - quoted literals

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """All rows, or none: a part that cannot be read is set aside and named, and the others are asked again."""
        for _ in range(TRIES):
            try:
                return iter(self._connection.execute(sql).fetchall())
            except duckdb.OutOfMemoryException as error:
                raise TableUnanswered(f"{self.name}: the memory does not suffice ({one_line(error)}).") from error
            except duckdb.Error as error:
                if not self._set_aside():
                    raise TableUnanswered(f"{self.name} does not answer: {one_line(error)}.") from error
        raise TableUnanswered(f"{self.name} changes too quickly to be read: ask again.")

    def parts(self, table: str, days: Days | None) -> Parts:
        """By the folder and by what could not be read."""
        there = self._used[table]
        inside = [part for part in there if _within(part, days)]
        lost = [part for part in self._unread if part.parent.parent.name == table and _within(part, days)]
        return Parts(
            found=len(there) + sum(part.parent.parent.name == table for part in self._unread),
            searched=len(inside),
            outside=len(there) - len(inside),
            packed_bytes=sum(part.stat().st_size for part in inside if part.exists()),
            quarantined=tuple(
                FileProblem(path=str(part.relative_to(self._store.root)), why=self._unread[part])
                for part in sorted(lost)
            ),
        )

    def _look(self, table: str) -> None:
        """Make the view of what is there now."""
        parts = [part for part in self._store.parts(table) if part not in self._unread]
        self._used[table] = parts
        if parts:
            listed = ", ".join(quoted(str(part)) for part in parts)
            source = f"read_parquet([{listed}], hive_partitioning = true, hive_types = {{'dt': VARCHAR}})"
        else:
            nulls = ", ".join(f"CAST(NULL AS {kind}) AS {quoted_name(name)}" for name, kind in COLUMNS[table])
            source = f"(SELECT {nulls}, CAST(NULL AS VARCHAR) AS dt LIMIT 0)"
        try:
            self._connection.execute(f"CREATE OR REPLACE VIEW {table} AS SELECT * FROM {source}")  # noqa: S608 - quoted literals
        except duckdb.Error as error:
            if not self._set_aside():
                raise TableUnanswered(f"{self.name} cannot be read: {one_line(error)}.") from error

    def _set_aside(self) -> bool:
        """Read every part by itself; whether any is gone or damaged, so that asking again is worth it."""
        before = dict(self._used)
        lost = False
        for table in COLUMNS:
            for part in self._used[table]:
                if why := self._damage(part):
                    lost = True
                    self._unread[part] = why
        for table in COLUMNS:
            self._look(table)
        return lost or before != self._used

    def _damage(self, part: Path) -> str | None:
        """Why a part cannot be read; None also of one that is gone, as a compacted part is."""
        names = [name for name, _ in COLUMNS[part.parent.parent.name]]
        try:
            self._connection.execute(_every_byte(part, names)).fetchall()
        except duckdb.Error as error:
            return one_line(error) if part.exists() else None
        return None


def _every_byte(part: Path, names: Sequence[str]) -> str:
    sums = ", ".join(f"sum(hash({quoted_name(name)}))" for name in names)
    return f"SELECT {sums} FROM read_parquet({quoted(str(part))}, hive_partitioning = false)"  # noqa: S608 - quoted literals


def _within(part: Path, days: Days | None) -> bool:
    day = part.parent.name.removeprefix("dt=")
    return days is None or day == UNKNOWN_DAY or days[0] <= day <= days[1]
