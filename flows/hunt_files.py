"""New log files of a source go into its Parquet store before it is hunted in, each once, whoever is stopped in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from decisions.hunt import FileProblem, HuntCoverage
from flows.hunt_progress import ProgressLog
from records import store_parts
from settings.hunts import HuntSource, HuntsUnusable
from settings.logs import logs
from tasks.hunting.buckets import bucket
from tasks.hunting.buckets_source import Lost, bucket_source
from tasks.hunting.coverage import Period
from tasks.hunting.ingest import LogSource, folder_source, ingest
from tasks.hunting.store import Store
from tasks.hunting.store_folder import opened

PATIENCE = timedelta(hours=6)
"""So long a run waits for another that fills the same store: one source may have several schedules."""
LOOK_AGAIN = 5.0
"""Seconds."""


@dataclass(frozen=True)
class TakenFiles:
    """What came into the store, and what did not."""

    found: int = 0
    known: int = 0
    read: int = 0
    events: int = 0
    lost: tuple[tuple[str, str], ...] = ()
    store_id: str = ""


def take_in(
    place: HuntSource, period: Period, run: int, progress: ProgressLog, say: Callable[[str], None]
) -> TakenFiles:
    """Fill the source's store with what it does not have. Raises HuntsUnusable, and what the ingest raises."""
    store, limit = Store(Path(str(place.store))), logs().log_file_max_bytes
    end = time.monotonic() + PATIENCE.total_seconds()
    with _files(place, period, limit, say) as (files, lost):
        while True:
            try:
                done = ingest(store, files, limit, progress=progress.told, run=run)
                break
            except store_parts.Busy:
                if time.monotonic() > end:
                    raise
                say(f"Another process fills {store.root}: this run waits for it.")
                time.sleep(LOOK_AGAIN)
        missed = (*done.unreadable, *lost())
    return TakenFiles(done.files_found, done.files_known, done.files_read, done.events, missed, opened(store))


def with_lost(coverage: HuntCoverage, lost: Sequence[tuple[str, str]]) -> HuntCoverage:
    """The store's coverage with the files that could not be had for it in this run."""
    problems = (FileProblem(path=name, why=why) for name, why in lost)
    return coverage.model_copy(update={"quarantined": (*coverage.quarantined, *problems)})


@contextmanager
def _files(
    place: HuntSource, period: Period, limit: int, say: Callable[[str], None]
) -> Iterator[tuple[LogSource, Lost]]:
    if place.kind == "files":
        yield folder_source(folder_of(place)), tuple
        return
    delivered = replace(period, until=None)  # what is late is in a later file
    with bucket_source(bucket(str(place.place), place.bucket_account), delivered, limit, say) as found:
        yield found


def folder_of(place: HuntSource) -> Path:
    """The folder of a source of files. Raises HuntsUnusable where it is not there."""
    folder = Path(str(place.place))
    if not folder.exists():
        raise HuntsUnusable(f"the place of {place.name}, {folder}, is not there: mount it, or correct it in hunts.toml")
    return folder
