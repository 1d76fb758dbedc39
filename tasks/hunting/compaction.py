"""Makes few large sorted parts of many small ones, removes what was delivered twice, and lets old days go."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from uuid import uuid4

import duckdb
from sqlalchemy import Connection

from decisions.partition import UNKNOWN_DAY
from decisions.sigma_sql import quoted, quoted_name
from records import store_parts
from records.manifest import Day, Part, by_day
from tasks.hunting.gathered import NAMED_BY
from tasks.hunting.parquet_parts import COLUMNS, SORTED_BY, connected, copied
from tasks.hunting.store import ACCESS_LOG, Store
from tasks.hunting.store_folder import settle, staging

SMALL = 64 * 1024 * 1024
"""Smaller parts are put together, until a part is of twice this size or so."""
MEMORY = "2GB"


@dataclass(frozen=True)
class Opened:
    """A store whose lock we hold, and in which nothing is pending."""

    connection: Connection
    store: Store
    id: str


@dataclass
class Compacted:
    """What became of some days."""

    days: int = 0
    """Days of which something was written anew."""
    parts_before: int = 0
    parts_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    twice: int = 0
    """Rows that were there before."""


class Compaction:
    """Use as a context, within the store's lock; what DuckDB puts on the disk is removed at the end."""

    def __init__(self, opened: Opened) -> None:
        self._opened, self._store = opened, opened.store
        self.done = Compacted()
        self._written: set[Day] = set()
        self._spill = staging(opened.store) / f"{uuid4()}"
        self._duckdb = connected(2, MEMORY)
        self._duckdb.execute(f"set temp_directory = {quoted(str(self._spill))}")

    def __enter__(self) -> Compaction:
        return self

    def __exit__(self, *_: object) -> None:
        self._duckdb.close()
        shutil.rmtree(self._spill, ignore_errors=True)

    def once(self, day: Day, parts: Sequence[Part]) -> list[Part]:
        """Remove rows of a day that stand in another part as well: parts that lose rows are written anew.

        Answers the parts that the day has then.
        """
        there = list(parts)
        if len(parts) > 1 and (losing := self._losing(day, parts)):
            leaving = [part for part in parts if part.name in losing]
            added = [self._without(part) for part in leaving if part.rows > losing[part.name]]
            self._replace(day, added, leaving)
            self.done.twice += sum(losing.values())
            there = [*(part for part in parts if part.name not in losing), *added]
        with self._opened.connection.begin():
            store_parts.compared_within(self._opened.connection, self._opened.id, *day)
        return there

    def together(self, day: Day, parts: Sequence[Part]) -> None:
        """Put small parts of a day together; what stood in two of them must be gone already."""
        for group in _groups(parts):
            table = day[0]
            order = ", ".join(map(quoted_name, SORTED_BY[table]))
            query = f"select {_names(table)} from {self._read(group)} order by {order}"  # noqa: S608 - names and paths of ours, quoted
            made = copied(self._duckdb, staging(self._store), *day, query, sum(part.rows for part in group))
            self._replace(day, [made], group)

    def _losing(self, day: Day, parts: Sequence[Part]) -> dict[str, int]:
        """Parts with the number of their rows that stand in an earlier part; the table `twice` has these events."""
        files, events = self._read(parts, named=True), []
        for event, where in _events(day[0]):
            # The first asks one column; the second all, so it is not asked for nothing.
            if events and not _count(self._duckdb, f"select count(*) from {files} where {where}"):  # noqa: S608 - likewise
                continue
            events.append(f"select {event} as event, part from {files} where {where}")  # noqa: S608 - likewise
        every = f"({' union all '.join(events)})"
        found = f"select event, min(part) as keeper from {every} group by event having count(*) > 1"  # noqa: S608 - likewise
        self._duckdb.execute(f"create or replace temp table twice as {found}")
        if not _count(self._duckdb, "select count(*) from twice"):
            return {}
        losing = f"select part, count(*) from {every} join twice using (event) where part <> keeper group by part"  # noqa: S608 - likewise
        return {str(name): int(count) for name, count in self._duckdb.execute(losing).fetchall()}

    def _without(self, part: Part) -> Part:
        kept: list[str] = []
        for event, where in _events(part.table):
            earlier = f"select event from twice where keeper <> {quoted(part.name)}"  # noqa: S608 - likewise
            kept.append(f"({where} and {event} not in ({earlier}))")
        query = f"select {_names(part.table)} from {self._read([part])} where {' or '.join(kept)}"  # noqa: S608 - likewise
        rows = _count(self._duckdb, f"select count(*) from ({query})")  # noqa: S608 - likewise
        return copied(self._duckdb, staging(self._store), part.table, part.day, query, rows)

    def _replace(self, day: Day, added: Sequence[Part], leaving: Sequence[Part]) -> None:
        """Decide, do, note that it is done."""
        replace(self._opened, added, leaving)
        told = self.done
        self._written.add(day)
        told.days = len(self._written)
        told.parts_before += len(leaving)
        told.parts_after += len(added)
        told.bytes_before += sum(part.bytes for part in leaving)
        told.bytes_after += sum(part.bytes for part in added)

    def _read(self, parts: Sequence[Part], named: bool = False) -> str:
        """The parts as a relation; `named`: with the column `part`."""
        paths = [quoted(str(self._store.folder(part.table, part.day) / part.name)) for part in parts]
        files = f"read_parquet([{', '.join(paths)}], hive_partitioning = false, filename = {str(named).lower()})"
        return f"(select *, parse_filename(filename) as part from {files})" if named else files  # noqa: S608 - likewise


def replace(opened: Opened, added: Sequence[Part], leaving: Sequence[Part]) -> None:
    """Some parts for others, in the manifest and in the folder."""
    connection = opened.connection
    with connection.begin():
        store_parts.decide_within(connection, opened.id, added, leaving)
    settle(opened.store, [*added, *(dataclasses.replace(part, state="leaving") for part in leaving)])
    with connection.begin():
        store_parts.done_within(connection, opened.id, [*added, *leaving])


def compacted(opened: Opened, progress: Callable[[str, int, int, int, int], None] = lambda *_: None) -> Compacted:
    """Every day. Raises NotWritten."""
    days = by_day(seen(opened))
    total, done = sum(part.bytes for parts in days.values() for part in parts), 0
    with Compaction(opened) as compaction:
        for number, (day, parts) in enumerate(days.items()):
            progress("compaction", number, len(days), done, total)
            done += sum(part.bytes for part in parts)
            compaction.together(day, compaction.once(day, parts))
    progress("compaction", len(days), len(days), total, total)
    return compaction.done


def expired(opened: Opened, before: str) -> list[Part]:
    """Take away the days before one (`2026-03-02`), and answer what went; what tells no day stays."""
    leaving = [part for part in seen(opened) if part.day != UNKNOWN_DAY and part.day < before]
    for parts in by_day(leaving).values():
        replace(opened, [], parts)
    return leaving


def seen(opened: Opened) -> list[Part]:
    """The parts that readers see."""
    with opened.connection.begin():
        return store_parts.parts(opened.connection, opened.id)


def _groups(parts: Sequence[Part]) -> Iterable[list[Part]]:
    """Small parts that become one part each: two or more, and not much more than twice SMALL together."""
    group: list[Part] = []
    for part in sorted((part for part in parts if part.bytes < SMALL), key=lambda part: part.bytes):
        group.append(part)
        if sum(one.bytes for one in group) >= 2 * SMALL:
            yield group
            group = []
    if len(group) > 1:
        yield group


def _events(table: str) -> list[tuple[str, str]]:
    """What names a row as an event, and of which rows; each question reads no more columns than it needs."""
    if table == ACCESS_LOG:
        return [("md5(line)", "true")]
    name = quoted_name(NAMED_BY[table])
    cells = ", ".join(f"{quoted_name(column)}::varchar" for column, _ in COLUMNS[table])
    return [(name, f"{name} <> ''"), (f"md5(to_json([{cells}])::varchar)", f"coalesce({name}, '') = ''")]


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None  # noqa: S101 - an aggregate gives one row
    return int(row[0])


def _names(table: str) -> str:
    return ", ".join(quoted_name(name) for name, _ in COLUMNS[table])
