"""Where a scheduled hunt looks: each kind of source of hunts.toml is one branch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.hunt_progress import ProgressLog
from settings.hunts import HuntSource, HuntsUnusable
from settings.logs import logs
from tasks.hunting.coverage import Period
from tasks.hunting.file_source import FileSource
from tasks.hunting.source import Source


@contextmanager
def opened(place: HuntSource, period: Period, progress: ProgressLog) -> Iterator[Source]:
    """The source, to be closed at the end. Raises HuntsUnusable where it is not there."""
    match place.kind:
        case "files" if place.store is None:
            yield FileSource(_folder(place), period, logs().log_file_max_bytes, progress=progress.told)
        case kind:
            raise HuntsUnusable(f"hunting in {kind} is not built in")


def _folder(place: HuntSource) -> Path:
    folder = Path(str(place.place))
    if not folder.exists():
        raise HuntsUnusable(f"the place of {place.name}, {folder}, is not there: mount it, or correct it in hunts.toml")
    return folder
