"""How much of a table a hunt covered: parts, rows, and days by account and Region that should be there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from decisions.hunt import FileProblem, HuntCoverage, day_gaps
from decisions.hunt_sql import by_place_and_day, edge
from decisions.partition import UNKNOWN_DAY
from decisions.reading import moment
from tasks.hunting.coverage import NO_ACCESS_LOGS, Period
from tasks.hunting.table import ACCESS_LOG, CLOUDTRAIL, Days, Parts, Table
from tasks.logs.access_logs import BEST_EFFORT

NOT_KNOWN_WHICH = "Which log files went into the store, and which could not be read, is not known here: the case store's database tells."
Present = dict[tuple[str, str], set[date]]


@dataclass(frozen=True)
class NotWhole:
    """Log files of which the table holds nothing, or not all."""

    quarantined: tuple[FileProblem, ...] = ()
    damaged: tuple[FileProblem, ...] = ()


@dataclass(frozen=True)
class TableCoverage:
    """What the table says of itself."""

    table: Table
    period: Period
    days: Days | None
    not_whole: NotWhole | None = None
    """None: not known."""

    def told(self, gaps: Sequence[str]) -> HuntCoverage:
        """Asked after all other questions, so that what could not be read is known."""
        events, present = 0, Present()
        first = last = None
        if self.table.holds(CLOUDTRAIL):
            relation = self.table.relation(CLOUDTRAIL, self.days)
            counted = list(self.table.rows(by_place_and_day(relation)))
            events = sum(count for *_, count in counted)
            present = _days((account, region, day) for account, region, day, _ in counted)
            told = sorted({day for _, _, day, _ in counted if day != UNKNOWN_DAY})
            first, last = (self._edge(relation, told[n], bool(n)) if told else None for n in (0, -1))
        parts = [self.table.parts(name, self.days) for name in (CLOUDTRAIL, ACCESS_LOG) if self.table.holds(name)]
        access = self.table.holds(ACCESS_LOG)
        files = self.not_whole or NotWhole()
        return HuntCoverage(
            files_found=sum(one.found for one in parts),
            files_searched=sum(one.searched for one in parts),
            files_outside=sum(one.outside for one in parts),
            unit=parts[0].unit if parts else "parts",
            packed_bytes=sum(one.packed_bytes for one in parts),
            events=events,
            accounts=None if events and not present else tuple(sorted({account for account, _ in present})),
            first=first,
            last=last,
            quarantined=(*(problem for one in parts for problem in one.quarantined), *files.quarantined),
            damaged=files.damaged,
            gaps=(*day_gaps(present, "event"), *_edges(present, self.period), *gaps),
            notes=(*self._notes(parts), BEST_EFFORT if access else NO_ACCESS_LOGS),
        )

    def _edge(self, relation: str, day: str, last: bool) -> datetime | None:
        told = [time for (time,) in self.table.rows(edge(relation, day, last)) if isinstance(time, str)]
        return moment(told[0]) if told else None

    def _notes(self, parts: Iterable[Parts]) -> list[str]:
        notes = [note for one in parts for note in one.notes]
        return [*notes, NOT_KNOWN_WHICH] if self.not_whole is None else notes


def _days(places: Iterable[tuple[str | None, str | None, str]]) -> Present:
    found: Present = {}
    for account, region, day in places:
        if account and region and (when := _date(day)):
            found.setdefault((account, region), set()).add(when)
    return found


def _date(day: str) -> date | None:
    """None of `unknown`, and of a folder that somebody named otherwise."""
    try:
        return date.fromisoformat(day)
    except ValueError:
        return None


def _edges(present: Present, period: Period) -> Iterable[str]:
    """Where the events of a place begin after the period does, or end before it."""
    for (account, region), there in sorted(present.items()):
        first, last = min(there), max(there)
        if period.since and first > period.since.date():
            yield f"The CloudTrail events of account {account} in {region} begin on {first}, after the period does."
        if period.until and last < period.until.date():
            yield f"The CloudTrail events of account {account} in {region} end on {last}, before the period does."
