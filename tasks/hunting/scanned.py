"""What came of one file: what was found, what was counted, and what could not be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tasks.hunting.layout import LogFile

KEPT = 200
"""Records kept of one search in one file; how many there were is counted."""
TIRED = 64
"""A search that so many records of one file answer is not asked of its others, unless each hit counts."""


@dataclass(slots=True)
class Hit:
    """One record (JSON) or line that answers, with the ids of the searches that it answers."""

    searches: tuple[str, ...]
    raw: bytes
    kind: str
    path: str
    """What its file is called."""


@dataclass(slots=True, kw_only=True)
class Amounts:
    """How much was read and found, of one file or of several."""

    raw_bytes: int = 0
    records: int = 0
    first: str = ""
    last: str = ""
    """Earliest and latest event time of each file's first and last record (of all, where it was read whole)."""
    counts: Counter[str] = field(default_factory=Counter)

    def grow(self, more: Amounts) -> None:
        """By what was read and found elsewhere."""
        self.raw_bytes += more.raw_bytes
        self.records += more.records
        self.first = min(filter(None, (self.first, more.first)), default="")
        self.last = max(self.last, more.last)
        self.counts.update(more.counts)


@dataclass(slots=True)
class Scanned(Amounts):
    """What came of one file."""

    file: LogFile
    hits: list[Hit] = field(default_factory=list)
    tired: set[str] = field(default_factory=set)
    """Searches that so many records answered that the file's others were not asked."""
    problems: list[str] = field(default_factory=list)
    unread: bool = False
    """Whether nothing at all of it could be searched."""

    def keep(self, searches: Sequence[str], raw: Callable[[], bytes], kind: str) -> None:
        """A record or line and the ids of the searches that it answers; of too many only the number."""
        for name in searches:  # Counter.update takes three times as long for one or two names
            self.counts[name] += 1
        if any(self.counts[name] <= KEPT for name in searches):
            self.hits.append(Hit(tuple(searches), raw(), kind, self.file.called))
