"""`vmexport hunt s3://…`: what a bucket holds of the period, what reading it costs, and whether that is too much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cli.hunt_sources import Told
    from tasks.hunting.buckets import Bucket
    from tasks.hunting.coverage import Period
    from tasks.hunting.file_source import FileSource
    from tasks.hunting.source import Source


def files(path: str, account: str | None, period: Period, told: Told, workers: int | None) -> FileSource:
    """The files of a bucket, listed; the estimate is on standard error. Raises UsageProblem when it is above the limit."""
    from settings.logs import logs
    from tasks.hunting.file_source import FileSource

    return FileSource(listed(path, account, period), period, logs().log_file_max_bytes, workers, told)


def listed(path: str, account: str | None, period: Period) -> Bucket:
    """A bucket whose files of the period are known and not too dear. Raises UsageProblem."""
    from pydantic import ValidationError

    from cli.console import UsageProblem, say
    from cli.hunt_progress import Progress
    from settings.buckets import buckets
    from tasks.hunting.buckets import bucket
    from tasks.hunting.place import PlaceUnusable

    try:
        with Progress() as progress:
            found = bucket(path, account, lambda count: progress.told("listing", count, 0, 0, 0))
            estimate = found.estimate(period)
    except PlaceUnusable as error:
        raise UsageProblem(str(error)) from error
    except ValidationError as error:
        names = ", ".join(f"VMEXPORT_HUNT_{str(one['loc'][0]).upper()}" for one in error.errors())
        raise UsageProblem(f"Settings of buckets cannot be used: {names}. See docs/hunting.md.") from error
    say(f"{path}: {estimate.sentence()}", error=True)
    limit = buckets().s3_cost_max
    if estimate.usd > limit:
        raise UsageProblem(
            f"${estimate.usd:.2f} is above VMEXPORT_HUNT_S3_COST_MAX (${limit:.2f}): nothing was read. Shorten the period "
            "(--since, --until), name a narrower prefix, run it in the bucket's Region, or raise the limit."
        )
    return found


def estimate_of(source: Source, period: Period) -> dict[str, Any]:
    """What a hunt's JSON says of its cost: nothing where it reads no bucket."""
    found = getattr(getattr(source, "root", None), "estimate", None)
    return {"estimate": found(period).model_dump(mode="json")} if found else {}
