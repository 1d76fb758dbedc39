"""Fills a Parquet store from log files, each file once and each event once, however often it is stopped and begun again.

The watermark is the file, not the event's time: late events come in later files, and land in their own day. A batch counts
when one transaction says so: its files, its parts, the exports found in it. Only then are its parts moved in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import Connection

from decisions.cloudtrail import parse_record
from decisions.hunt import HuntFinding
from records import hunts, store_parts
from records.manifest import FileRead, by_day
from tasks.hunting import compaction
from tasks.hunting.hunt import export_findings
from tasks.hunting.ingest_batch import Ingest, Ingested
from tasks.hunting.layout import Listing, LogFile, in_batches, listing
from tasks.hunting.parquet_parts import NotWritten
from tasks.hunting.source import EXPORTS, Found, Progress
from tasks.hunting.store import TABLES, Store
from tasks.hunting.store_folder import StoreUnusable, clean, identity, opened, settle, staging
from tasks.hunting.workers import Workers
from tasks.logs.text import parse

BATCH_FILES, BATCH_BYTES = 4096, 6 * 1024 * 1024
ALONE = 4 * 1024 * 1024
"""So many packed bytes are ingested sooner than a process is started."""
MANY = 24
"""A day with more parts than this is compacted at the end."""


@dataclass(frozen=True)
class LogSource:
    """Where log files come from; the same name means the same files, in every run."""

    name: str
    found: Listing
    """Each file with its key below the source as `name`, and its `etag`."""
    fetched: Callable[[Iterable[LogFile]], Iterable[LogFile]] = iter
    """Gives files with a local `path`, one after the other, in any order."""
    done: Callable[[Sequence[LogFile]], None] = lambda _: None
    """Told of files that nobody will read again."""


@dataclass
class IngestResult:
    """What an ingest did."""

    files_found: int = 0
    files_known: int = 0
    files_read: int = 0
    packed_bytes: int = 0
    raw_bytes: int = 0
    events: int = 0
    """Records and lines read, redelivered ones counted each time."""
    twice: int = 0
    """Of them, those that the store had already."""
    parts: int = 0
    changed: list[str] = field(default_factory=list)
    """Files that were read before and are not as they were then: read again."""
    not_whole: list[FileRead] = field(default_factory=list)
    """Files read in part, or not at all."""
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    new_findings: list[HuntFinding] = field(default_factory=list)


def folder_source(root: Path) -> LogSource:
    """The log files below a local folder."""
    root = root.absolute()
    found = listing(root)
    return LogSource(str(root), replace(found, files=[_named(root, file) for file in found.files]))


def ingest(
    store: Store,
    source: LogSource,
    max_bytes: int,
    workers: int | None = None,
    progress: Progress = lambda *_: None,
    run: int | None = None,
) -> IngestResult:
    """Read what is new. Raises StoreUnusable, NotWritten (the disk is full), store_parts.Busy, NoDatabase.

    Whatever ends it, the store holds the batches that were told of, each wholly; the next call goes on from there.
    """
    with opened_for_work(store, new=True) as work:
        result = IngestResult(files_found=len(source.found.files), unreadable=source.found.unreadable)
        todo = _unread(work.connection, work.id, source, result)
        ingestion = _Ingestion(work, source, result, run)
        if todo:
            ingestion.go(todo, max_bytes, workers, progress)
        ingestion.each_once(progress)
    return result


@contextmanager
def opened_for_work(store: Store, new: bool = False) -> Iterator[compaction.Opened]:
    """A store whose lock we hold, and in which nothing is pending. Raises StoreUnusable, store_parts.Busy, NoDatabase.

    `new`: a folder that is no store becomes one.
    """
    store = Store(store.root.absolute())
    store_id = opened(store) if new else identity(store)
    with store_parts.writing(store_id) as connection:
        _recover(connection, store, store_id)
        yield compaction.Opened(connection, store, store_id)


def _recover(connection: Connection, store: Store, store_id: str) -> None:
    """Do what was decided before somebody was stopped, and forget what was not."""
    with connection.begin():
        parts = store_parts.parts(connection, store_id)
    if not parts and any(store.parts(table) for table in TABLES):
        raise StoreUnusable(
            f"{store.root} was filled with another case store, which knows what was read into it. Name that one by"
            " VMEXPORT_DATABASE_URL, or fill a new folder"
        )
    pending = [part for part in parts if part.pending]
    settle(store, pending)
    with connection.begin():
        store_parts.done_within(connection, store_id, pending)
    clean(store)


def _named(root: Path, file: LogFile) -> LogFile:
    key = os.path.relpath(file.path, root) if file.path != str(root) else root.name
    # A name that is no UTF-8 is kept as it can be.
    key = key.encode("utf-8", "backslashreplace").decode()
    try:
        etag = str(os.stat(file.path).st_mtime_ns)
    except OSError:
        etag = "gone"  # reading it will say so
    return replace(file, name=key, etag=etag)


def _unread(connection: Connection, store_id: str, source: LogSource, result: IngestResult) -> list[LogFile]:
    """The files that were not read yet, or are not as they were then."""
    with connection.begin():
        known = hunts.known_files(connection, store_id, source.name)
    todo: list[LogFile] = []
    for file in source.found.files:
        before = known.get(file.called)
        if before == (file.size, file.etag):
            result.files_known += 1
            continue
        if before is not None:
            result.changed.append(file.called)
        todo.append(file)
    return todo


class _Ingestion:
    """The part of an ingest that reads."""

    def __init__(self, opened: compaction.Opened, source: LogSource, result: IngestResult, run: int | None) -> None:
        self._opened, self._source, self._result, self._run = opened, source, result, run
        self._connection, self._store, self._id = opened.connection, opened.store, opened.id

    def go(self, todo: list[LogFile], max_bytes: int, workers: int | None, progress: Progress) -> None:
        """All of them, and then each event once."""
        total, size = sum(file.size for file in todo), 0
        progress("ingest", 0, len(todo), 0, total)
        work = Ingest(str(staging(self._store)), max_bytes)
        try:
            for told in _results(work, self._source, todo, total, workers):
                if told.failed:
                    raise NotWritten(told.failed)
                self._keep(told)
                size += sum(file.size for file in told.files)
                progress("ingest", self._result.files_read, len(todo), size, total)
        finally:
            clean(self._store)

    def _keep(self, told: Ingested) -> None:
        """The one transaction of a batch, and then its parts."""
        findings = list(self._findings(told))
        with self._connection.begin():
            hunts.files_done_within(self._connection, self._id, self._source.name, told.files)
            store_parts.decide_within(self._connection, self._id, told.parts)
            new = hunts.findings_within(self._connection, findings, self._run)
        settle(self._store, told.parts)
        with self._connection.begin():
            store_parts.done_within(self._connection, self._id, told.parts)
        result = self._result
        result.files_read += len(told.files)
        result.packed_bytes += sum(file.size for file in told.files)
        result.events += sum(file.events for file in told.files)
        result.raw_bytes += told.raw_bytes
        result.twice += told.twice
        result.parts += len(told.parts)
        result.not_whole += [file for file in told.files if file.state != "done"]
        result.new_findings += [finding for finding in findings if finding.id in new]

    def _findings(self, told: Ingested) -> Iterator[HuntFinding]:
        """Exports in a batch; one that cannot be read makes its file one that was read in part."""
        found: list[Found] = []
        for origin, text in told.exports:
            try:
                record = parse(text)
                found.append(Found((EXPORTS,), parse_record(record, origin), text.decode(), record))
            except (ValueError, TypeError, AttributeError) as error:
                why = f"an export in it cannot be read: {str(error)[:200]}"
                told.files = [_damaged(file, why) if file.key == origin else file for file in told.files]
        yield from export_findings(found)

    def each_once(self, progress: Progress) -> None:
        """What was delivered twice is stored once; a day of too many parts gets few."""
        days = by_day(compaction.seen(self._opened))
        # Those of an ingest that was stopped as well.
        touched = [day for day, parts in days.items() if any(part.state == "fresh" for part in parts)]
        if not touched:
            return
        with compaction.Compaction(self._opened) as work:
            for number, day in enumerate(touched):
                progress("each event once", number, len(touched), number, len(touched))
                parts = work.once(day, days[day])
                if len(days[day]) > MANY:
                    work.together(day, parts)
        progress("each event once", len(touched), len(touched), len(touched), len(touched))
        self._result.twice += work.done.twice
        self._result.parts += work.done.parts_after - work.done.parts_before


def _damaged(file: FileRead, why: str) -> FileRead:
    return replace(file, state="damaged", problems=(*file.problems, why))


def _results(
    work: Ingest, source: LogSource, todo: list[LogFile], total: int, workers: int | None
) -> Iterator[Ingested]:
    """Batch by batch; in this process where little is to be done."""
    count = workers or min(len(os.sched_getaffinity(0)), 8)
    batches = in_batches(source.fetched(todo), BATCH_FILES, BATCH_BYTES)
    if count == 1 or total < ALONE:
        run = work.prepared()
        for batch in batches:
            yield run(batch)
            source.done(batch)
        return
    with Workers(work, count, batches, source.done) as pool:
        yield from pool.run()
