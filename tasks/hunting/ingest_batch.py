"""What a worker does in an ingest: read a batch of log files, and write their rows as staged Parquet parts, one for each day."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from decisions import access_log_schema, store_schema
from records.manifest import FileRead, Part
from tasks.hunting import typed_records
from tasks.hunting.gathered import LARGEST, Gathered
from tasks.hunting.inflate import TooLarge, packed, unpacked
from tasks.hunting.layout import ACCESS, LogFile
from tasks.hunting.parquet_parts import NotWritten, connected
from tasks.hunting.reading import Read, read
from tasks.hunting.searches import IsExport
from tasks.hunting.store import ACCESS_LOG, CLOUDTRAIL
from tasks.logs.access_line import NotALine, parse_line

WRAPPER = b'{"Records":[%b]}'
HELD = 128 * 1024 * 1024
"""Bytes of rows after which parts are written, before the batch is read to its end."""
_is_export = IsExport()


@dataclass
class Ingested:
    """What came of a batch."""

    files: list[FileRead] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    exports: list[tuple[str, bytes]] = field(default_factory=list)
    """Requests to export: what their file is called, and the record as JSON."""
    raw_bytes: int = 0
    twice: int = 0
    """Rows of the batch that were there before in the same batch."""
    failed: str | None = None
    """Why its parts could not be written; then nothing of the batch counts."""


@dataclass(frozen=True)
class Ingest:
    """Work for the pool: where parts are staged, and how large a file may become."""

    folder: str
    max_bytes: int

    def prepared(self) -> Callable[[Sequence[LogFile]], Ingested]:
        """What ingests batches in this process."""
        return partial(ingested, connected(), Path(self.folder), self.max_bytes)

    def lost(self, file: LogFile, why: str) -> Ingested:
        """What is told of a file that ended the process that read it."""
        return Ingested(files=[file_read(file, "quarantined", 0, [why])])


def file_read(file: LogFile, state: Any, events: int, problems: Sequence[str]) -> FileRead:
    """What the manifest says of a file."""
    return FileRead(file.called, file.size, file.etag, state, events, tuple(problems), file.day or None)


def ingested(connection: Any, folder: Path, max_bytes: int, files: Sequence[LogFile]) -> Ingested:
    """A batch: everything that can be read of its files, staged."""
    # The collector would look through a hundred thousand records again and again, and they hold no cycles.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _ingested(connection, folder, max_bytes, files)
    finally:
        if collecting:
            gc.enable()


def _ingested(connection: Any, folder: Path, max_bytes: int, files: Sequence[LogFile]) -> Ingested:
    told = Ingested()
    try:
        rows = {table: Gathered(table) for table in (CLOUDTRAIL, ACCESS_LOG)}
        for file in files:
            _take(told, rows, file, max_bytes)
            # Files may unpack to a thousand times their size.
            if file is files[-1] or sum(gathered.bytes for gathered in rows.values()) > HELD:
                _write(told, rows, connection, folder)
    except (NotWritten, OSError) as error:
        for part in told.parts:
            (folder / part.name).unlink(missing_ok=True)
        why = f"a batch could not be gathered: {error.strerror}" if isinstance(error, OSError) else str(error)
        return Ingested(failed=why)
    return told


def _write(told: Ingested, rows: dict[str, Gathered], connection: Any, folder: Path) -> None:
    for gathered in rows.values():
        parts, twice = gathered.write(connection, folder)
        told.parts += parts
        told.twice += twice


def _take(told: Ingested, rows: dict[str, Gathered], file: LogFile, max_bytes: int) -> None:
    """One file's rows."""
    try:
        content = unpacked(packed(file.path, max_bytes), max_bytes)
    except (OSError, TooLarge) as error:
        why = error.strerror if isinstance(error, OSError) else error
        told.files.append(file_read(file, "quarantined", 0, [f"it cannot be read: {why}"]))
        return
    told.raw_bytes += len(content.text)
    problems = [content.damage] if content.damage else []
    if file.kind == ACCESS:
        count = _lines(rows[ACCESS_LOG], content.text, problems)
    else:
        count = _records(told, rows[CLOUDTRAIL], content.text, file, problems)
    state = "done" if not problems else "damaged" if count else "quarantined"
    told.files.append(file_read(file, state, count, problems))


def _records(told: Ingested, rows: Gathered, text: bytes | bytearray, file: LogFile, problems: list[str]) -> int:
    """The rows of a file: of what is as AWS writes it quickly, of the rest exactly."""
    try:
        lines = typed_records.lines(text)
        odd = read(WRAPPER % b",".join(lines.others)) if lines.others else Read()
    except (ValueError, RecursionError):
        return _exactly(told, rows, text, file, problems)
    count = len(lines.quick) + len(lines.exact)
    if not count or (lines.others and odd.problems()):
        return _exactly(told, rows, text, file, problems)
    _too_large(rows.extend(lines.quick), problems)
    _add(told, rows, [*map(json.loads, lines.exact), *odd.records], file, problems)
    return count + len(odd.records)


def _exactly(told: Ingested, rows: Gathered, text: bytes | bytearray, file: LogFile, problems: list[str]) -> int:
    content = read(text)
    problems += content.problems()
    _add(told, rows, content.records, file, problems)
    return len(content.records)


def _add(told: Ingested, rows: Gathered, records: Sequence[dict[str, Any]], file: LogFile, problems: list[str]) -> None:
    """Records, read exactly."""
    large = 0
    for record in records:
        large += not rows.add(store_schema.row(record), store_schema.day(record))
        if _is_export(record):
            told.exports.append((file.called, json.dumps(record, ensure_ascii=False).encode()))
    _too_large(large, problems)


def _too_large(count: int, problems: list[str]) -> None:
    if count:
        problems.append(f"{count} record(s) of it are larger than {LARGEST // 2**20} MB, and not kept")


def _lines(rows: Gathered, text: bytes | bytearray, problems: list[str]) -> int:
    count = broken = large = 0
    for line in bytes(text).decode("utf-8", "replace").split("\n"):
        if not (line := line.removesuffix("\r")):
            continue
        try:
            fields: dict[str, Any] | None = parse_line(line)
        except NotALine:
            fields = None
            broken += 1
        row = access_log_schema.row(line, fields)
        large += not rows.add(row, access_log_schema.day(row))
        count += 1
    _too_large(large, problems)
    if broken:
        problems.append(f"{broken} line(s) are no lines of an access log; they are kept, without fields")
    return count
