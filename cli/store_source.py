"""Where `vmexport store ingest` reads: a local folder or a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.hunting.buckets_source import Lost
    from tasks.hunting.ingest import LogSource


@contextmanager
def log_source(path: str, since: str | None, account: str | None, max_bytes: int) -> Iterator[tuple[LogSource, Lost]]:
    """The files that were named. Raises UsageProblem when there are none to be had."""
    from cli.console import UsageProblem
    from cli.hunt_sources import existing
    from tasks.hunting.ingest import folder_source

    if path.startswith("s3:"):
        yield from _bucket(path, since, account, max_bytes)
        return
    if since:
        raise UsageProblem("--since is for buckets. Of a folder all files are read that were not read before.")
    yield folder_source(existing(path)), list


def _bucket(path: str, since: str | None, account: str | None, max_bytes: int) -> Iterator[tuple[LogSource, Lost]]:
    from cli.console import UsageProblem, say
    from cli.hunt_buckets import opened
    from cli.moments import moment
    from tasks.hunting.buckets_source import bucket_source
    from tasks.hunting.coverage import Period
    from tasks.hunting.place import PlaceUnusable

    period = Period(moment("--since", since))
    bucket = opened(path, account, period)
    try:
        with bucket_source(bucket, period, max_bytes, lambda line: say(line, error=True)) as found:
            yield found
    except PlaceUnusable as error:
        raise UsageProblem(str(error)) from error
