"""Judges the log files of one account and Region by the digests that were believed, and what no digest names."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from decisions.digest import folder_day, stem
from decisions.digest_chain import Judged, State
from decisions.digest_verdict import Break, BreakKind

SLACK = timedelta(minutes=15)
"""A log file's name has the minute of its delivery, rounded: near an hour's end it may belong to either digest."""
DELIVERED = timedelta(hours=2)
"""A digest comes every hour, a while after the hour that it covers: what is older than that is to have one."""

LATER = "delivered after the newest digest file"
EARLIER = "delivered before the first digest file"
UNCOVERED = "delivered in hours without a digest file that can be believed"
DOUBTED = "named only by a digest file that was changed"
UNTOLD = "their names and folders do not tell what digest they belong to"
NO_DIGESTS = "of an account and Region without any digest file of these days"
BEFORE_COPY = "named by the first digest file, and of the day before the folder's first"


@dataclass(slots=True)
class Vouched:
    """What believed digests say of one log file."""

    key: str
    place: str
    by: str
    hashes: list[tuple[str, State]]


@dataclass
class Told:
    """What came of the log files of one account and Region."""

    proven: int = 0
    matching: int = 0
    unproven: Counter[str] = field(default_factory=Counter[str])
    breaks: list[Break] = field(default_factory=list[Break])

    def add(self, other: Told) -> None:
        """Take in another's."""
        self.proven += other.proven
        self.matching += other.matching
        self.unproven += other.unproven
        self.breaks += other.breaks

    def found(self, kind: BreakKind, place: str, name: str, why: str) -> None:
        """One break more."""
        self.breaks.append(Break(kind=kind, place=place, name=name, why=why[:600]))


class LogJudge:
    """Of one account and Region: take the chains, then each named file with its hash, then the files that nothing names."""

    def __init__(self, chains: Sequence[Judged]) -> None:
        self.vouched: dict[str, Vouched] = {}
        """By stem."""
        self.doubted: set[str] = set()
        self._spans = [_Span(chain) for chain in chains]
        self._outside: set[str] = set()
        self._later: list[datetime] = []
        self._earlier: list[datetime] = []
        self._chains = [chain for chain in chains if any(not held.beyond for held in chain.held)]
        for chain in chains:
            self._take(chain)

    def _take(self, chain: Judged) -> None:
        for held, digest, state in chain.believed():
            first = digest.end.date().isoformat() if held is chain.first_of_copy else ""
            for log in digest.logs:
                name = stem(log.key)
                by = Vouched(log.key, str(held.name.place), held.stem, [])
                self.vouched.setdefault(name, by).hashes.append((log.sha256, state))
                if first and (folder_day(log.key) or first) < first:
                    self._outside.add(name)
        for held, state in zip(chain.held, chain.states, strict=True):
            if held.digest and state == "bad" and not held.beyond:
                self.doubted.update(stem(log.key) for log in held.digest.logs)

    def hashed(self, told: Told, name: str, path: str, sha256: str, damage: str | None) -> None:
        """One file that a believed digest names; without a hash `damage` says why."""
        said = self.vouched[name]
        states = {state for named, state in said.hashes if named == sha256}
        if not sha256:
            told.found("unread-log", said.place, path, damage or "it could not be read")
        elif not states:
            why = f"its content has not the hash that {said.by} tells"
            told.found("changed-log", said.place, path, f"{why}; {damage}" if damage else why)
        elif (day := folder_day(path)) and (right := folder_day(said.key)) and day != right:
            told.found("moved-log", said.place, path, f"it was delivered into the folder of {right}")
        elif "signed" in states:
            told.proven += 1
        else:
            told.matching += 1

    def missing(self, told: Told, there: Iterable[str], within: Callable[[str], bool]) -> None:
        """What believed digests name and no folder has, if it is `within` the period by its key."""
        for name in self.vouched.keys() - set(there):
            said = self.vouched[name]
            if not within(said.key):
                continue
            if name in self._outside:
                told.unproven[BEFORE_COPY] += 1
            else:
                told.found("missing-log", said.place, said.key, f"{said.by} names it")

    def unnamed(self, told: Told, place: str, path: str, at: datetime | None, placed: bool) -> None:
        """One file that no believed digest names.

        `at`: when it was delivered, as its name tells; `placed`: it lies in a folder of CloudTrail's log files.
        """
        if stem(path) in self.doubted:
            told.unproven[DOUBTED] += 1
        elif not self._chains:
            told.unproven[NO_DIGESTS if at or placed else UNTOLD] += 1
        elif at is None and not placed:
            told.unproven[UNTOLD] += 1
        elif at is None:
            told.found("planted-log", place, path, "CloudTrail gives no such names")
        else:
            self._unnamed(told, place, path, at)

    def _unnamed(self, told: Told, place: str, path: str, at: datetime) -> None:
        answers = [span.covers(at) for span in self._spans]
        why = UNCOVERED if UNCOVERED in answers else None if None in answers else next(iter(answers))
        if why is None:
            told.found("planted-log", place, path, "no digest names it, though those of its hour are here")
            return
        told.unproven[why] += 1
        if why == LATER:
            self._later.append(at)
        elif why == EARLIER:
            self._earlier.append(at)

    def ended(self, told: Told, area: str) -> None:
        """After the last file: hours at either end that must have had digests, as log files were delivered in them."""
        if not self._chains:
            if count := told.unproven[NO_DIGESTS]:
                told.found("no-digests", area, area, f"{count} log file(s), and no digest file of these days")
            return
        last = max(span.last for span in self._spans if span.last)
        if self._later and max(self._later) > last + DELIVERED:
            why = "log files were delivered later than its last digest file: others are missing, or validation is off"
            told.breaks.append(
                Break(kind="missing-digest", place=area, name=area, why=why, since=last, until=max(self._later))
            )
        copied = [one.digest.start for chain in self._chains if (one := chain.first_of_copy) and one.digest]
        if copied and self._earlier and min(self._earlier) < min(copied) - DELIVERED:
            why = "log files were delivered earlier than its first digest file, which names one before it"
            told.breaks.append(
                Break(
                    kind="missing-digest", place=area, name=area, why=why, since=min(self._earlier), until=min(copied)
                )
            )


class _Span:
    """The hours that the believed digests of a chain cover."""

    def __init__(self, chain: Judged) -> None:
        hours = sorted((digest.start, digest.end) for _, digest, _ in chain.believed())
        self._runs: list[tuple[datetime, datetime]] = []
        for start, end in hours:
            if self._runs and start <= self._runs[-1][1]:
                self._runs[-1] = (self._runs[-1][0], max(end, self._runs[-1][1]))
            else:
                self._runs.append((start, end))
        ends = [one.name.end for one in chain.held if not one.beyond]
        self.last = max(ends, default=None)

    def covers(self, at: datetime) -> str | None:
        """None: it does; else why it does not."""
        if self.last is None or not self._runs:
            return UNCOVERED
        if at + SLACK > self.last:
            return LATER
        if at - SLACK < self._runs[0][0]:
            return EARLIER
        run = self._runs[bisect_right(self._runs, at, key=lambda one: one[0]) - 1]
        return None if run[0] <= at - SLACK and at + SLACK <= run[1] else UNCOVERED
