"""Where log files lie: below a folder, or in a bucket (tasks/hunting/buckets.py). What a hunt does with them is the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tasks.hunting import layout, pool
from tasks.hunting.batch import Batch
from tasks.hunting.coverage import Period
from tasks.hunting.layout import Listing, LogFile


class PlaceUnusable(Exception):
    """The files of a place cannot be had; the sentence says why and what to do."""


class Opened(Protocol):
    """Files of a place as files on the disk, as long as its context lasts."""

    @property
    def lost(self) -> Sequence[tuple[LogFile, str]]:
        """Files that could not be had, each with the reason; it grows while files are taken."""
        ...

    def files(self, listed: Iterable[LogFile]) -> Iterator[LogFile]:
        """Each one that can be had, in this order. Raises PlaceUnusable."""
        ...

    def done(self, files: Sequence[LogFile]) -> None:
        """Nobody needs these any more."""
        ...


class Place(Protocol):
    """Log files that can be listed, opened and scanned."""

    def listing(self, period: Period) -> Listing:
        """Every log file there; of days outside the period at the place's own discretion."""
        ...

    def copies(self, max_bytes: int) -> AbstractContextManager[Opened]:
        """Listed files of at most so many bytes, to be opened. Raises PlaceUnusable."""
        ...

    def scan(self, files: Sequence[LogFile], what: pool.Pass, workers: int | None) -> Iterator[Batch]:
        """One pass over some of the listed files; those that cannot be had are named in a batch."""
        ...

    def named(self, path: str) -> str:
        """A file as findings name it."""
        ...


class _Lying:
    """Files that lie on the disk already."""

    lost: Sequence[tuple[LogFile, str]] = ()

    def files(self, listed: Iterable[LogFile]) -> Iterator[LogFile]:
        yield from listed

    def done(self, files: Sequence[LogFile]) -> None:
        """They stay."""


@dataclass(frozen=True)
class Folder:
    """The files below a folder, or one file."""

    root: Path

    def listing(self, period: Period) -> Listing:
        """All of them: looking at names costs little."""
        return layout.listing(self.root)

    def copies(self, max_bytes: int) -> AbstractContextManager[Opened]:
        """Where they lie; whoever reads them sees to their size."""
        return nullcontext(_Lying())

    def scan(self, files: Sequence[LogFile], what: pool.Pass, workers: int | None) -> Iterator[Batch]:
        """Where they lie."""
        return pool.scan(files, what, workers)

    def named(self, path: str) -> str:
        """From the folder on."""
        place = Path(path)
        return str(place.relative_to(self.root)) if place.is_relative_to(self.root) else path
