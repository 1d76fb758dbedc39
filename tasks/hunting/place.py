"""Where log files lie: below a folder, or in a bucket (tasks/hunting/buckets.py). What a hunt does with them is the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tasks.hunting import layout, pool
from tasks.hunting.batch import Batch
from tasks.hunting.coverage import Period
from tasks.hunting.layout import Listing, LogFile


class PlaceUnusable(Exception):
    """The files of a place cannot be had; the sentence says why and what to do."""


class Place(Protocol):
    """Log files that can be listed and scanned."""

    def listing(self, period: Period) -> Listing:
        """Every log file there; of days outside the period at the place's own discretion."""
        ...

    def scan(self, files: Sequence[LogFile], what: pool.Pass, workers: int | None) -> Iterator[Batch]:
        """One pass over some of the listed files; those that cannot be had are named in a batch."""
        ...

    def named(self, path: str) -> str:
        """A file as findings name it."""
        ...


@dataclass(frozen=True)
class Folder:
    """The files below a folder, or one file."""

    root: Path

    def listing(self, period: Period) -> Listing:
        """All of them: looking at names costs little."""
        return layout.listing(self.root)

    def scan(self, files: Sequence[LogFile], what: pool.Pass, workers: int | None) -> Iterator[Batch]:
        """Where they lie."""
        return pool.scan(files, what, workers)

    def named(self, path: str) -> str:
        """From the folder on."""
        place = Path(path)
        return str(place.relative_to(self.root)) if place.is_relative_to(self.root) else path
