"""What came of several files, bounded in size: this is what a worker process hands back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tasks.hunting.layout import LogFile
from tasks.hunting.scanned import Amounts, Hit, Scanned

if TYPE_CHECKING:
    from tasks.hunting.scanner import Scanner

KEPT = 1000
"""Hits of one search that a batch hands back; how many there were is counted."""
KEPT_BYTES = 8 * 1024 * 1024


@dataclass(slots=True)
class Batch(Amounts):
    """What came of some files."""

    files: int = 0
    packed_bytes: int = 0
    hits: list[Hit] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    """Hits by search that were counted and not handed back."""
    tired: Counter[str] = field(default_factory=Counter)
    """Searches that some files were not asked to their end, with the number of those files."""
    unread: list[tuple[str, str]] = field(default_factory=list)
    damaged: list[tuple[str, str]] = field(default_factory=list)
    hit_bytes: int = 0

    def add(self, told: Scanned) -> None:
        """Take in one file's results."""
        self.files += 1
        self.packed_bytes += told.file.size
        if told.problems:
            named = self.unread if told.unread else self.damaged
            named.append((told.file.called, "; ".join(told.problems)))
        returned: Counter[str] = Counter()
        for hit in told.hits:
            full = self.hit_bytes + len(hit.raw) > KEPT_BYTES
            if full or all(self.counts[name] + returned[name] >= KEPT for name in hit.searches):
                continue
            self.hits.append(hit)
            self.hit_bytes += len(hit.raw)
            for name in hit.searches:
                returned[name] += 1
        self.grow(told)
        self.tired.update(told.tired)
        self.left_out.update(told.counts - returned)


def scanned(scanner: Scanner, files: Iterable[LogFile]) -> Batch:
    """Files, one after the other."""
    batch = Batch()
    for file in files:
        batch.add(scanner.scan(file))
    return batch
