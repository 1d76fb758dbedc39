"""What a hunt in Elasticsearch has searched: documents and days of accounts and Regions, and what should be there and is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from elasticsearch import Elasticsearch

from decisions.evidence import utc
from decisions.hunt import HuntCoverage, day_gaps
from tasks.elastic.coverage import field_faults
from tasks.elastic.fields import CLOUDTRAIL
from tasks.elastic.hunt_checkpoint import Checkpoint
from tasks.elastic.hunt_slices import Day, Look
from tasks.hunting.coverage import NO_ACCESS_LOGS, Period
from tasks.logs.access_logs import BEST_EFFORT


@dataclass
class Reach:
    """How far the documents reach."""

    access: bool = False
    """Whether there are documents of access logs."""
    _patterns: dict[str, int] = field(default_factory=dict)
    _faults: list[str] = field(default_factory=list)
    _places: dict[tuple[str, str], set[date]] = field(default_factory=dict)
    _documents: int = 0
    _bare: int = 0
    _first: datetime | None = None
    _last: datetime | None = None
    _searched: int = 0

    def of_patterns(self, es: Elasticsearch, indices: Sequence[str], there: Mapping[str, Sequence[Day]]) -> None:
        """What the patterns hold, and which of their fields cannot be searched. Raises Unanswered."""
        self._patterns = {pattern: sum(day.documents for day in days) for pattern, days in there.items()}
        faults = field_faults(es, [one for one in indices if one in there], CLOUDTRAIL)
        self._faults = [fault.sentence for fault in faults if fault.serious]

    def looked(self, day: Day, look: Look) -> None:
        """Take in a day that was searched."""
        self._searched += 1
        self._documents += look.documents
        self._bare += look.bare
        first, last = (value and datetime.fromtimestamp(value / 1000, UTC) for value in (look.first, look.last))
        self._first = min(filter(None, (self._first, first)), default=None)
        self._last = max(filter(None, (self._last, last)), default=None)
        for account, region in look.places:
            self._places.setdefault((account, region), set()).add(day.date)

    def coverage(
        self, period: Period, days: Sequence[Day], extra: Iterable[str], checkpoint: Checkpoint
    ) -> HuntCoverage:
        """What a hunt's answer says about itself."""
        of_period = [day for day in days if period.until is None or day.begin <= period.until]
        gaps = [*self._faults, *self._edges(period), *day_gaps(self._places, "document"), *extra]
        if self._documents and self._bare == self._documents:
            gaps.append(
                "No document keeps what was asked and answered, so nothing was found by it: set the AWS integration to "
                "keep event.original or the flattened fields."
            )
        return HuntCoverage(
            unit="days",
            files_found=len(of_period),
            files_searched=self._searched,
            events=self._documents,
            accounts=None if self._documents and not self._places else tuple(sorted({a for a, _ in self._places})),
            first=self._first,
            last=self._last,
            gaps=tuple(dict.fromkeys(gaps)),
            notes=tuple(self._notes(checkpoint)),
        )

    def _notes(self, checkpoint: Checkpoint) -> Iterable[str]:
        yield BEST_EFFORT if self.access else NO_ACCESS_LOGS
        told = ", ".join(f"{pattern}: {documents:,} documents" for pattern, documents in self._patterns.items())
        yield f"Elasticsearch was asked by whole days: {told}."
        if checkpoint.damaged:
            yield f"{checkpoint.damaged} line(s) of the checkpoint were damaged and not believed; their part was asked again."

    def _edges(self, period: Period) -> Iterable[str]:
        """Where documents begin after the period does (past the retention, for example), or end before it."""
        if not self._first or not self._last:
            return
        oldest, newest = self._first.date(), self._last.date()
        if period.since and oldest > period.since.astimezone(UTC).date():
            yield (
                f"The oldest CloudTrail document of all is of {utc(self._first)}: what happened before is not in "
                "Elasticsearch, or not any more."
            )
        if period.until and newest < period.until.astimezone(UTC).date():
            yield f"The newest CloudTrail document of all is of {utc(self._last)}, before the period ends."
        for (account, region), there in sorted(self._places.items()):
            if period.since and min(there) > oldest:
                yield f"The CloudTrail documents of account {account} in {region} begin on {min(there)}, after the period does."
            if period.until and max(there) < newest:
                yield f"The CloudTrail documents of account {account} in {region} end on {max(there)}, before the period does."
