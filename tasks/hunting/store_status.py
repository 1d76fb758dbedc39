"""What a store holds, and whether its folder is as its manifest says."""

from __future__ import annotations

from datetime import datetime

from decisions.evidence import Frozen, utc
from decisions.hunt import named, size_words
from records import hunts, store_parts
from records.database import transaction
from records.manifest import Part
from tasks.hunting.store import TABLES, Store
from tasks.hunting.store_folder import identity


class TableStatus(Frozen):
    """One table of a store."""

    table: str
    rows: int
    bytes: int
    parts: int
    days: int
    first: str | None
    last: str | None


class StoreStatus(Frozen):
    """A store at one moment."""

    folder: str
    tables: tuple[TableStatus, ...]
    files: int
    packed_bytes: int
    last_read: datetime | None
    not_whole: tuple[tuple[str, str, str], ...]
    """Files read in part or not at all: name, state, reasons."""
    pending: int
    """Parts of an ingest or a compaction that was stopped; the next one goes on with them."""
    findings_waiting: int
    problems: tuple[str, ...]

    def sentences(self) -> tuple[str, ...]:
        """For people."""
        last = f", the last on {utc(self.last_read)}" if self.last_read else ""
        told = [f"{self.files:,} files were read ({size_words(self.packed_bytes)} packed){last}."]
        for table in self.tables:
            days = f"{table.first} to {table.last}" if table.first else "no day"
            told.append(
                f"{table.table}: {table.rows:,} rows, {size_words(table.bytes)} in {table.parts:,} parts, {table.days:,} days, {days}."
            )
        lines = [f"{name}: {state}: {why}" for name, state, why in self.not_whole]
        told += named("could not be read, or only in part", lines)
        if self.pending:
            told.append(
                f"{self.pending:,} part(s) are left of a run that was stopped: the next ingest goes on with them."
            )
        if self.findings_waiting:
            told.append(f"{self.findings_waiting:,} finding(s) wait for the inbox.")
        return (*told, *self.problems)


def status(store: Store) -> StoreStatus:
    """Raises StoreUnusable where there is no store."""
    store_id = identity(store)
    with transaction() as connection:
        parts = store_parts.parts(connection, store_id)
        totals = store_parts.totals(connection, store_id)
        waiting = hunts.waiting(connection)
    not_whole = hunts.files_not_whole(store_id)
    return StoreStatus(
        folder=str(store.root),
        tables=tuple(_table(name, [part for part in parts if part.table == name]) for name in TABLES),
        files=totals.files,
        packed_bytes=totals.packed_bytes,
        last_read=totals.last_read,
        not_whole=tuple((file.key, file.state, "; ".join(file.problems)) for file in not_whole),
        pending=sum(part.pending for part in parts),
        findings_waiting=waiting,
        problems=tuple(_problems(store, parts)),
    )


def _table(name: str, parts: list[Part]) -> TableStatus:
    seen = [part for part in parts if not part.pending]
    days = sorted({part.day for part in seen})
    return TableStatus(
        table=name,
        rows=sum(part.rows for part in seen),
        bytes=sum(part.bytes for part in seen),
        parts=len(seen),
        days=len(days),
        first=days[0] if days else None,
        last=days[-1] if days else None,
    )


def _problems(store: Store, parts: list[Part]) -> list[str]:
    """Where folder and manifest disagree, apart from what is pending."""
    told: list[str] = []
    for table in TABLES:
        there = {f"{path.parent.name}/{path.name}": path for path in store.parts(table)}
        mine = {f"dt={part.day}/{part.name}": part for part in parts if part.table == table}
        for name, part in mine.items():
            if not part.pending and name not in there:
                told.append(f"{table}/{name} is missing: {part.rows:,} rows are lost.")
            elif not part.pending and there[name].stat().st_size != part.bytes:
                told.append(f"{table}/{name} is not of the size that was written: it was changed or damaged.")
        told += [
            f"{table}/{name} is not of this store: hunts read it all the same." for name in there if name not in mine
        ]
    return told
