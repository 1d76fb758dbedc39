"""`vmexport hunt s3://…`: what a bucket holds of the period, what reading it costs, and whether that is too much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cli.hunt_sources import Told
    from tasks.hunting.buckets import Bucket
    from tasks.hunting.cost import Estimate
    from tasks.hunting.coverage import Period
    from tasks.hunting.file_source import FileSource
    from tasks.hunting.source import Source


def files(path: str, account: str | None, period: Period, told: Told, workers: int | None) -> FileSource:
    """The files of a bucket, listed; the estimate is on standard error. Raises UsageProblem when it is above the limit."""
    from settings.logs import logs
    from tasks.hunting.file_source import FileSource

    return FileSource(listed(path, account, period), period, logs().log_file_max_bytes, workers, told)


def listed(path: str, account: str | None, period: Period) -> Bucket:
    """A bucket whose files of the period are known, and can be read twice for no more than the limit. Raises UsageProblem."""
    found = opened(path, account, period)
    affordable(found.estimate(period), path)
    return found


def opened(path: str, account: str | None, period: Period) -> Bucket:
    """A bucket whose files of the period are listed. Raises UsageProblem."""
    from cli.console import UsageProblem
    from cli.hunt_progress import Progress
    from tasks.hunting.buckets import bucket
    from tasks.hunting.place import PlaceUnusable

    try:
        with Progress() as progress:
            found = bucket(path, account, lambda count: progress.told("listing", count, 0, 0, 0))
            found.listed(period)
    except PlaceUnusable as error:
        raise UsageProblem(str(error)) from error
    return found


def affordable(estimate: Estimate, path: str) -> None:
    """Say what it costs. Raises UsageProblem when that is above the limit."""
    from cli.console import UsageProblem, say
    from settings.buckets import buckets
    from tasks.hunting.cost import dollars

    say(f"{path}: {estimate.sentence()}", error=True)
    limit = buckets().s3_cost_max
    if estimate.usd > limit:
        raise UsageProblem(
            f"{dollars(estimate.usd)} is above VMEXPORT_HUNT_S3_COST_MAX ({dollars(limit)}): nothing was read. Shorten the period "
            "(--since, --until), name a narrower prefix, run it in the bucket's Region, or raise the limit."
        )


def estimate_of(source: Source, period: Period) -> dict[str, Any]:
    """What a hunt's JSON says of its cost: nothing where it reads no bucket."""
    found = getattr(getattr(source, "root", None), "estimate", None)
    return {"estimate": found(period).model_dump(mode="json")} if found else {}
