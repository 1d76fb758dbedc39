"""Adds up what a pass over files covered, and compares it with what a trail should have delivered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from decisions.evidence import utc
from decisions.hunt import FileProblem, HuntCoverage, day_gaps
from decisions.reading import moment
from tasks.hunting.batch import Batch
from tasks.hunting.layout import ACCESS, CLOUDTRAIL, Listing, LogFile
from tasks.logs.access_logs import BEST_EFFORT

LATE = {CLOUDTRAIL: timedelta(days=1), ACCESS: timedelta(days=3)}
"""Files delivered so long after the period are searched as well; what comes later still is not seen."""
NO_ACCESS_LOGS = (
    "There are no S3 access logs here: a download is seen only where CloudTrail records data events of the bucket."
)


@dataclass(frozen=True)
class Period:
    """From when to when; None is open."""

    since: datetime | None = None
    until: datetime | None = None

    def delivers(self, file: LogFile) -> bool:
        """Whether a file may hold what happened in the period."""
        if not file.day:
            return True
        day = _date(file.day)
        if day is None:
            return True
        late = self.until is not None and day > (self.until.astimezone(UTC) + LATE[file.kind]).date()
        early = self.since is not None and day < self.since.astimezone(UTC).date()
        return not late and not early

    def holds(self, moment: datetime) -> bool:
        """Whether a moment is within it, to the second, as logs tell it."""
        since, until = self.bounds
        return since <= utc(moment)[:19] <= until

    @property
    def bounds(self) -> tuple[str, str]:
        """As the scanner compares it with eventTime."""
        return _stamp(self.since) or "", _stamp(self.until) or "~"


@dataclass
class Covered:
    """The sum of batches."""

    batches: Batch = field(default_factory=Batch)

    def add(self, batch: Batch) -> None:
        """Everything but the hits, which are not kept here."""
        mine = self.batches
        mine.files += batch.files
        mine.packed_bytes += batch.packed_bytes
        mine.grow(batch)
        mine.unread += batch.unread
        mine.damaged += batch.damaged

    def read_again(self, batch: Batch) -> None:
        """What another pass could not read of files that are counted already."""
        mine = self.batches
        mine.unread = list(dict.fromkeys((*mine.unread, *batch.unread)))
        mine.damaged = list(dict.fromkeys((*mine.damaged, *batch.damaged)))

    def coverage(
        self, found: Listing, searched: Iterable[LogFile], period: Period, extra: Iterable[str]
    ) -> HuntCoverage:
        """What a hunt's answer says about itself."""
        mine, files = self.batches, list(searched)
        unread = [FileProblem(path=path, why=why) for path, why in (*found.unreadable, *mine.unread)]
        damaged = [FileProblem(path=path, why=why) for path, why in mine.damaged]
        gaps = [*day_gaps(_days(files)), *_edges(files, period), *extra]
        access = any(file.kind == ACCESS for file in files)
        return HuntCoverage(
            files_found=len(found.files) + len(found.unreadable),
            files_searched=mine.files - len({path for path, _ in mine.unread}),
            files_outside=len(found.files) - len(files),
            packed_bytes=mine.packed_bytes,
            raw_bytes=mine.raw_bytes,
            events=mine.records,
            first=moment(mine.first) if mine.first else None,
            last=moment(mine.last) if mine.last else None,
            accounts=_accounts(files),
            skipped=dict(Counter(found.skipped)),
            quarantined=tuple(dict.fromkeys(unread)),
            damaged=tuple(dict.fromkeys(damaged)),
            gaps=tuple(gaps),
            notes=(BEST_EFFORT if access else NO_ACCESS_LOGS, *found.notes),
        )


def _accounts(files: Iterable[LogFile]) -> tuple[str, ...] | None:
    named = {file.account for file in files if file.kind == CLOUDTRAIL}
    return None if "" in named else tuple(sorted(named))


def _days(files: Iterable[LogFile]) -> dict[tuple[str, str], set[date]]:
    days: dict[tuple[str, str], set[date]] = {}
    for file in files:
        if file.account and (day := _date(file.day)):
            days.setdefault((file.account, file.region), set()).add(day)
    return days


def _edges(files: Iterable[LogFile], period: Period) -> Iterable[str]:
    """Where the files of a place begin after the period does, or end before it."""
    for (account, region), there in sorted(_days(files).items()):
        first, last = min(there), max(there)
        if period.since and first > period.since.astimezone(UTC).date():
            yield f"The CloudTrail files of account {account} in {region} begin on {first}, after the period does."
        if period.until and last < period.until.astimezone(UTC).date():
            yield f"The CloudTrail files of account {account} in {region} end on {last}, before the period does."


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _stamp(when: datetime | None) -> str | None:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S") if when else None
