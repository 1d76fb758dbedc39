"""`vmexport hunt s3://…`: what a bucket holds of the period, what reading it costs, and whether that is too much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cli.hunt_sources import Told
    from tasks.hunting.buckets import Bucket
    from tasks.hunting.coverage import Period
    from tasks.hunting.file_source import FileSource
    from tasks.hunting.source import Source


def files(
    path: str, account: str | None, period: Period, told: Told, workers: int | None, validate: bool
) -> FileSource:
    """The files of a bucket, listed; the estimate is on standard error. Raises UsageProblem when it is above the limit."""
    from cli.console import UsageProblem, say
    from settings.logs import logs
    from tasks.hunting.file_source import FileSource
    from tasks.hunting.place import PlaceUnusable

    found = opened(path, account, period, validate)
    estimate = found.estimate(period)
    say(f"{path}: {estimate.sentence()}", error=True)
    try:
        found.check_limit(estimate)
    except PlaceUnusable as error:
        raise UsageProblem(str(error)) from error
    return FileSource(found, period, logs().log_file_max_bytes, workers, told)


def opened(path: str, account: str | None, period: Period, validate: bool = False) -> Bucket:
    """A bucket whose files of the period are listed. Raises UsageProblem."""
    from cli.console import UsageProblem
    from cli.hunt_progress import Progress
    from tasks.hunting.buckets import bucket
    from tasks.hunting.place import PlaceUnusable

    try:
        with Progress() as progress:
            found = bucket(path, account, lambda count: progress.told("listing", count, 0, 0, 0), validate)
            found.listed(period)
    except PlaceUnusable as error:
        raise UsageProblem(str(error)) from error
    return found


def estimate_of(source: Source, period: Period) -> dict[str, Any]:
    """What a hunt's JSON says of its cost: nothing where it reads no bucket."""
    found = getattr(getattr(source, "root", None), "estimate", None)
    return {"estimate": found(period).model_dump(mode="json")} if found else {}
