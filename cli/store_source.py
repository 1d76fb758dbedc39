"""Where `vmexport store ingest` reads: a local folder or a bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.hunting.ingest import LogSource
    from tasks.hunting.layout import LogFile

Lost = Callable[[], list[tuple[str, str]]]
"""Objects that could not be had, with the reason: they are tried again the next time."""


@contextmanager
def log_source(path: str, since: str | None, account: str | None, max_bytes: int) -> Iterator[tuple[LogSource, Lost]]:
    """The files that were named. Raises UsageProblem when there are none to be had."""
    from cli.console import UsageProblem
    from tasks.hunting.ingest import folder_source

    if path.startswith("s3:"):
        yield from _bucket(path, since, account, max_bytes)
        return
    if since:
        raise UsageProblem("--since is for buckets. Of a folder all files are read that were not read before.")
    if not Path(path).exists():
        raise UsageProblem(f"{path} is not there. Name a folder of log files; it is searched to its bottom.")
    yield folder_source(Path(path)), list


def _bucket(path: str, since: str | None, account: str | None, max_bytes: int) -> Iterator[tuple[LogSource, Lost]]:
    from datetime import UTC, datetime

    from cli.console import UsageProblem
    from cli.hunt_buckets import affordable, opened
    from tasks.hunting.coverage import Period
    from tasks.hunting.hunt import day
    from tasks.hunting.ingest import LogSource
    from tasks.hunting.place import PlaceUnusable

    try:
        period = Period(day(since, datetime.now(UTC)) if since else None)
    except (ValueError, OverflowError) as error:
        raise UsageProblem(f"--since {since!r} is no time. Write 30d, 2026-03-01 or an ISO 8601 moment.") from error
    bucket = opened(path, account, period)
    try:
        with bucket.copies(max_bytes) as copies:
            name = f"s3://{bucket.where.bucket}"  # keys are whole: the same object by another prefix is the same

            def fetched(unread: Iterable[LogFile]) -> Iterator[LogFile]:
                files = list(unread)
                affordable(bucket.estimate(period, files, passes=1), path)
                return copies.files(files)

            source = LogSource(name, bucket.listing(period), fetched, copies.done)
            yield source, lambda: [(file.called, why) for file, why in copies.lost]
    except PlaceUnusable as error:
        raise UsageProblem(str(error)) from error
