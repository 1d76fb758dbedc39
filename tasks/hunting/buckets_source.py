"""A bucket as what a store is filled from: only what the store does not have is fetched, if that is not too dear."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from tasks.hunting.buckets import Bucket
from tasks.hunting.coverage import Period
from tasks.hunting.ingest import LogSource
from tasks.hunting.layout import LogFile

Lost = Callable[[], Sequence[tuple[str, str]]]
"""Files that could not be had, with the reason; the next ingest tries again."""


@contextmanager
def bucket_source(
    bucket: Bucket, period: Period, max_bytes: int, say: Callable[[str], None]
) -> Iterator[tuple[LogSource, Lost]]:
    """The log files that were delivered in the period; `say` is told what those that are read cost at most.

    Raises BucketUnusable: nothing can be listed or copied, or reading is above VMEXPORT_HUNT_S3_COST_MAX.
    """
    with bucket.copies(max_bytes) as copies:

        def fetched(unread: Iterable[LogFile]) -> Iterator[LogFile]:
            files = list(unread)
            estimate = bucket.estimate(period, files, passes=1)
            say(f"{bucket.where.named(bucket.where.prefix)}: {estimate.sentence()}")
            bucket.check_limit(estimate)
            return copies.files(files)

        name = f"s3://{bucket.where.bucket}"  # keys are whole: the same object by another prefix is the same
        source = LogSource(name, bucket.listing(period), fetched, copies.done)
        yield source, lambda: [(file.called, why) for file, why in copies.lost]
