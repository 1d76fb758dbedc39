"""Scans files, in this process or spread over workers, with results of bounded size."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from tasks.hunting.batch import Batch, scanned
from tasks.hunting.layout import LogFile, in_batches
from tasks.hunting.search import Search

if TYPE_CHECKING:
    from tasks.hunting.scanner import Scanner

BATCH_FILES, BATCH_BYTES = 256, 4 * 1024 * 1024
ALONE = 16 * 1024 * 1024
"""So many packed bytes are scanned sooner than a process is started."""


@dataclass(frozen=True)
class Pass:
    """One pass over files: what is looked for, in what period, and how large a file may become."""

    searches: tuple[Search, ...]
    max_bytes: int
    since: str = ""
    until: str = "~"

    def scanner(self) -> Scanner:
        """Compiled for this process."""
        from tasks.hunting.scanner import Scanner  # a process that only hands out files does without Hyperscan

        return Scanner(self.searches, self.max_bytes, self.since, self.until)

    def prepared(self) -> Callable[[Sequence[LogFile]], Batch]:
        """What scans batches of files."""
        return partial(scanned, self.scanner())

    def lost(self, file: LogFile, why: str) -> Batch:
        """What is told of a file that ended the process that read it."""
        told = Batch(files=1, packed_bytes=file.size)
        told.unread.append((file.called, why))
        return told


def scan(
    files: Iterable[LogFile],
    what: Pass,
    workers: int | None = None,
    done: Callable[[Sequence[LogFile]], None] = lambda _: None,
) -> Iterator[Batch]:
    """Results batch by batch, as they come. With one worker, or little to do, in this process.

    Files are taken from `files` only as they are needed: beside those being read (one batch a worker) none, but for `ALONE`
    packed bytes at the beginning. `done` is told the files of a batch that nobody will read again.
    """
    count = workers or min(len(os.sched_getaffinity(0)), 8)
    batches = in_batches(files, BATCH_FILES, BATCH_BYTES)
    first = _first(batches) if count > 1 else []
    if count == 1 or len(first) < 2 or sum(file.size for batch in first for file in batch) < ALONE:
        run = what.prepared()
        for batch in chain(first, batches):
            told = run(batch)
            done(batch)
            yield told
        return
    from tasks.hunting.workers import Workers  # a worker itself, which has this module as well, does without

    with Workers(what, count, chain(first, batches), done) as pool:
        yield from pool.run()


def _first(batches: Iterator[list[LogFile]]) -> list[list[LogFile]]:
    """As many batches as tell whether processes are worth being started."""
    first: list[list[LogFile]] = []
    size = 0
    for batch in batches:
        first.append(batch)
        size += sum(file.size for file in batch)
        if size >= ALONE and len(first) > 1:
            break
    return first
