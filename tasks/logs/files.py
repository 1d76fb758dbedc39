"""CloudTrail's own files, searched where they lie, in AWS's layout `AWSLogs/[o-…/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/`.

Nothing is indexed or copied: of each day's files those are parsed that hold a text which every answer must hold. A file
that cannot be read, and a day without files, is a gap.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from decisions.activity import LogAnswer, LogRecord
from decisions.cloudtrail import parse_record
from tasks.logs.interface import Query, Scope, Searching, answer
from tasks.logs.text import parse

READERS = 4
PLAIN = re.compile(r"[\w.:/+=@,-]+", re.ASCII)
"""Texts that JSON writes as they are."""
UNREADABLE = (OSError, EOFError, zlib.error, ValueError, RecursionError)


class TooLarge(ValueError):
    """A file unpacks to more than we read."""


class CloudTrailFiles(Searching):
    """A folder that holds `AWSLogs`, at most two folders down."""

    def __init__(self, folder: Path, max_bytes: int, max_records: int) -> None:
        self._folder, self._max_bytes, self._max_records = folder, max_bytes, max_records

    def search(self, query: Query, scope: Scope) -> LogAnswer:
        """Records of the scope's accounts and Regions; a day is searched with the day after it, for late deliveries."""
        now = datetime.now(UTC)
        gaps: list[str] = []
        paths = list(self._files(scope, now, gaps))
        wanted = _literals(query)
        with ThreadPoolExecutor(READERS) as readers:
            answers = list(readers.map(lambda path: self._read(path, query, scope, wanted), paths))
        found = [record for records, _ in answers for record in records]
        gaps += [gap for _, gap in answers if gap]
        return answer(found, scope, gaps, now, self._max_records)

    def _files(self, scope: Scope, now: datetime, gaps: list[str]) -> Iterator[Path]:
        """Every file that may hold the period; days without one are written into `gaps`."""
        if not self._folder.is_dir():
            gaps.append(f"{self._folder} is not there: set VMEXPORT_CLOUDTRAIL_DIR to the folder that holds AWSLogs.")
            return
        homes = self._homes()
        last = min(scope.until, now).date()
        days = [scope.since.date() + timedelta(days=n) for n in range((last - scope.since.date()).days + 1)]
        for account in scope.accounts:
            for region in scope.regions:
                places = [home / "CloudTrail" / region for home in homes.get(account, [])]
                missing = []
                for day in days:
                    there = [p for place in places for p in _of_day(place, day)]
                    missing += [] if there else [day.isoformat()]
                    yield from there
                yield from (p for place in places for p in _of_day(place, days[-1] + timedelta(days=1)))
                if missing:
                    which = missing[0] if len(missing) == 1 else f"{missing[0]} to {missing[-1]} ({len(missing)} days)"
                    gaps.append(f"No CloudTrail files of account {account} in {region} for {which}.")

    def _homes(self) -> dict[str, list[Path]]:
        """Account -> its folders, of the organisation's trail and of its own."""
        roots = [self._folder] if self._folder.name == "AWSLogs" else []
        for depth in ("AWSLogs", "*/AWSLogs", "*/*/AWSLogs"):
            roots += self._folder.glob(depth)
        homes: dict[str, list[Path]] = {}
        for root in roots:
            for home in (*root.glob("[0-9]*"), *root.glob("o-*/[0-9]*")):
                homes.setdefault(home.name, []).append(home)
        return homes

    def _read(
        self, path: Path, query: Query, scope: Scope, wanted: list[list[bytes]]
    ) -> tuple[list[LogRecord], str | None]:
        try:
            text = unpacked(path, self._max_bytes)
            if not all(any(literal in text for literal in literals) for literals in wanted):
                return [], None
            records = parse(text)["Records"]
            return self._parse(records, str(path.relative_to(self._folder)), query, scope)
        except KeyError:
            return [], f"{path} holds no Records: it is no CloudTrail log file."
        except UNREADABLE as error:
            return [], f"{path} could not be read ({type(error).__name__}: {str(error)[:200]}): fetch it again."

    def _parse(self, records: list[Any], origin: str, query: Query, scope: Scope) -> tuple[list[LogRecord], str | None]:
        found: list[LogRecord] = []
        broken = 0
        for n, raw in enumerate(records):
            try:
                record = parse_record(raw, f"{origin}#{n}")
            except (ValueError, AttributeError, TypeError):
                broken += 1
                continue
            if scope.covers(record.time) and query.matches(record):
                found.append(record)
        return found, f"{broken} record(s) of {origin} could not be read." if broken else None


def unpacked(path: Path, max_bytes: int) -> bytes:
    """A file's content, unpacked if it is gzip. Raises TooLarge, OSError, EOFError, zlib.error."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as content:
        text = content.read(max_bytes + 1)
    if len(text) > max_bytes:
        raise TooLarge(f"it unpacks to more than {max_bytes} bytes")
    return text


def _of_day(place: Path, day: Any) -> list[Path]:
    folder = place / f"{day:%Y}" / f"{day:%m}" / f"{day:%d}"
    return sorted(p for p in folder.glob("*.json*") if not p.name.startswith("."))


def _literals(query: Query) -> list[list[bytes]]:
    """For each field of the query the texts of which one stands in every file that answers."""
    fields = [query.access_key_ids, query.event_names, query.mentions]
    if query.place:
        fields.append((query.place.bucket,))
    # A principal's name may stand escaped, or as a part of an ARN: it is found as it is, or the file is parsed.
    fields.append(query.principals)
    return [[v.encode() for v in values] for values in fields if values and all(PLAIN.fullmatch(v) for v in values)]
