"""The parts of Parquet stores. What is to happen to their files is decided here, in one transaction, and done afterwards.

A part is `staged` (whole, still to be moved in), `fresh` (moved in, and not compared with the others of its day yet), `live`, or
`leaving` (its file is still to be taken away). Whoever is killed
between decision and deed leaves rows that tell the next one what is still to be done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from records import hunt_lock
from records.manifest import Part, by_day
from records.tables import log_file, store_part


class Busy(RuntimeError):
    """Somebody else is writing into this store."""


@dataclass(frozen=True)
class Totals:
    """What the manifest says of a store."""

    files: int
    packed_bytes: int
    events: int
    """Records read, redelivered ones counted each time."""
    damaged: int
    quarantined: int
    last_read: datetime | None


@contextmanager
def writing(store: str) -> Iterator[Connection]:
    """The connection of the one writer of a store: its lock ends with it. Raises Busy.

    All that the writer decides goes through this connection, so whoever has lost the lock cannot decide any more.
    """
    with hunt_lock.alone(f"store {store}") as connection:
        if connection is None:
            raise Busy("another process is writing into this store")
        yield connection


def decide_within(connection: Connection, store: str, added: Iterable[Part], leaving: Iterable[Part] = ()) -> None:
    """Parts that are whole and are to be moved in, and parts whose files go with the same step."""
    now = datetime.now(UTC)
    gone = list(leaving)
    if gone:
        connection.execute(store_part.update().where(_these(store, gone)).values(state="leaving"))
    rows = [
        {"store": store, "table_name": part.table, "dt": part.day, "name": part.name, "state": "staged"}
        | {"rows": part.rows, "bytes": part.bytes, "made_at": now}
        for part in added
    ]
    if rows:
        connection.execute(store_part.insert(), rows)


def done_within(connection: Connection, store: str, parts: Sequence[Part]) -> None:
    """The files are as was decided: what was staged is fresh, what was leaving is gone."""
    if parts:
        mine = _these(store, parts)
        connection.execute(store_part.delete().where(mine, store_part.c.state == "leaving"))
        connection.execute(store_part.update().where(mine, store_part.c.state == "staged").values(state="fresh"))


def compared_within(connection: Connection, store: str, table: str, day: str) -> None:
    """No event of a day stands in two of its parts."""
    fresh = and_(store_part.c.store == store, store_part.c.table_name == table, store_part.c.dt == day)
    connection.execute(store_part.update().where(fresh, store_part.c.state == "fresh").values(state="live"))


def parts(connection: Connection, store: str) -> list[Part]:
    """Every part that the store has or is about to have, by table, day and name."""
    columns = [store_part.c[name] for name in ("table_name", "dt", "name", "rows", "bytes", "state")]
    query = select(*columns).where(store_part.c.store == store)
    ordered = query.order_by(store_part.c.table_name, store_part.c.dt, store_part.c.name)
    return [Part(*row) for row in connection.execute(ordered)]


def totals(connection: Connection, store: str) -> Totals:
    """Of the files that were read into a store."""
    count = func.count().filter
    query = select(
        func.count(),
        func.coalesce(func.sum(log_file.c.size), 0),
        func.coalesce(func.sum(log_file.c.events), 0),
        count(log_file.c.state == "damaged"),
        count(log_file.c.state == "quarantined"),
        func.max(log_file.c.read_at),
    ).where(log_file.c.reader == store)
    files, size, events, damaged, quarantined, last = connection.execute(query).one()
    return Totals(files, int(size), int(events), damaged, quarantined, last)


def _these(store: str, chosen: Iterable[Part]) -> ColumnElement[bool]:
    places = [
        and_(store_part.c.table_name == table, store_part.c.dt == day, store_part.c.name.in_([p.name for p in parts]))
        for (table, day), parts in by_day(chosen).items()
    ]
    return and_(store_part.c.store == store, or_(*places))
