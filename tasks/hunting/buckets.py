"""A bucket as a place of log files: s3://BUCKET[/PREFIX], read with the read role of the account that owns it.

The owner is always named in the request: a bucket of ours that was deleted can be made anew by anybody, with logs in it that
say what he likes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from settings.buckets import BucketSettings, buckets
from tasks import sts
from tasks.hunting import cost, pool
from tasks.hunting.batch import Batch
from tasks.hunting.buckets_address import DENIED, Address, BucketUnusable, address, refusal
from tasks.hunting.buckets_layout import Days
from tasks.hunting.buckets_listing import Listed, Walk
from tasks.hunting.buckets_reading import Copies, Stored, disk
from tasks.hunting.buckets_spool import Spool
from tasks.hunting.coverage import Period
from tasks.hunting.digest_files import links
from tasks.hunting.layout import Listing, LogFile
from tasks.hunting.scanned import Scanned

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

COMPONENT = "hunt"
PERMISSIONS = ("s3:ListBucket",)
"""IAM actions that are needed on every bucket."""
READABLE = {
    "s3:GetObject": (
        "arn:aws:s3:::*/AWSLogs/*/CloudTrail/*.json.gz",
        "arn:aws:s3:::*/AWSLogs/*/CloudTrail-Digest/*.json.gz",
        "arn:aws:s3:::*/*????-??-??-??-??-??-????????????????",
    )
}
"""IAM action -> what it is needed on: CloudTrail's log and digest files and S3 access logs by their names, and no other object."""


@dataclass
class Bucket:
    """Implements tasks.hunting.place.Place. Listed once; each pass fetches what it reads."""

    s3: S3Client
    where: Address
    account: str
    region: str
    limits: BucketSettings
    told: Callable[[int], None] = lambda _: None
    validate: bool = False
    """Whether tasks.hunting.digests reads it as well."""
    _listed: dict[Period, Listed] = field(default_factory=dict)
    _archived: dict[str, str] = field(default_factory=dict)
    _lost: set[tuple[LogFile, str]] = field(default_factory=set)

    def listing(self, period: Period) -> Listing:
        """The log files of the period, by day. Raises BucketUnusable when nothing can be listed."""
        return self.listed(period).listing

    def listed(self, period: Period) -> Listed:
        """The same, with what it took."""
        if period not in self._listed:
            days = Days(period, datetime.now(UTC), around=self.validate)
            walk = Walk(self.s3, self.where, self.account, days)
            self._listed[period] = walk.run(self.limits.s3_connections, self.told)
            self._archived |= self._listed[period].archived
        return self._listed[period]

    def estimate(self, period: Period, files: Iterable[LogFile] | None = None, passes: int = 2) -> cost.Estimate:
        """What reading some files of the listing costs at most, by default all of the period. Raises BucketUnusable."""
        listed = self.listed(period)
        read = self._reading(listed, filter(period.delivers, listed.listing.files) if files is None else files)
        digests = links(listed.listing.digests, period).values() if self.validate else ()
        once = self._reading(listed, (file for linked in digests for file in linked.digests))
        return cost.estimate(listed.requests, read, passes + self.validate, self.limits.s3_in_region, once)

    def _reading(self, listed: Listed, files: Iterable[LogFile]) -> cost.Reading:
        read = cost.Reading()
        for file in files:
            if file.path not in listed.archived:
                parts = max(1, -(-file.size // self.limits.s3_part_bytes))
                read.add(listed.classes.get(file.path, "STANDARD"), parts, file.size)
        return read

    def check_limit(self, estimate: cost.Estimate) -> None:
        """Raises BucketUnusable when it is above VMEXPORT_HUNT_S3_COST_MAX."""
        limit = self.limits.s3_cost_max
        if estimate.usd > limit:
            raise BucketUnusable(
                f"{cost.dollars(estimate.usd)} is above VMEXPORT_HUNT_S3_COST_MAX ({cost.dollars(limit)}): nothing was read of "
                f"{self.where.named(self.where.prefix)}. Shorten the period (--since, --until, or `first` in hunts.toml), name a "
                "narrower prefix, run it in the bucket's Region, or raise the limit."
            )

    @contextmanager
    def copies(self, max_bytes: int) -> Iterator[Copies]:
        """Files of the listing as files on the disk: see Copies. Raises BucketUnusable where the disk does not take them."""
        stored = Stored(self.s3, self.where, self.account, self._archived)
        with ExitStack() as stack:
            with disk():
                spool = stack.enter_context(Spool(self.limits.spool_dir))
            yield stack.enter_context(Copies(stored, spool, self.limits, max_bytes))

    def scan(self, files: Sequence[LogFile], what: pool.Pass, workers: int | None) -> Iterator[Batch]:
        """One pass; objects that cannot be had are named at its end, each of them, but not in a second pass again."""
        with self.copies(what.max_bytes) as copies:
            yield from pool.scan(copies.files(files), what, workers, copies.done)
            lost = [one for one in copies.lost if one not in self._lost]
        self._lost.update(lost)
        told = Batch()
        for file, why in lost:
            told.add(Scanned(file, problems=[f"it cannot be read: {why}"], unread=True))
        yield told

    def named(self, path: str) -> str:
        """s3://BUCKET/KEY already."""
        return path


def bucket(
    text: str, account: str | None = None, told: Callable[[int], None] = lambda _: None, validate: bool = False
) -> Bucket:
    """The bucket of `s3://BUCKET[/PREFIX]`, owned by an account of ours: this one, or VMEXPORT_HUNT_LOG_ACCOUNT.

    Source: s3:HeadBucket. Raises BucketUnusable with a sentence that names the next step.
    """
    where, limits = address(text), buckets()
    owner = account or limits.log_account
    if not owner:
        raise BucketUnusable(
            f"Whose is {where.bucket}? Name the account that owns it: --bucket-account, or VMEXPORT_HUNT_LOG_ACCOUNT. "
            "A bucket of somebody else's would tell what he likes."
        )
    try:
        region = _region(where, owner)
        s3: S3Client = sts.aws(COMPONENT).client("s3", account=owner, tier="read", region=region)
    except BotoCoreError as error:
        raise BucketUnusable(f"s3://{where.bucket} cannot be asked: {error}") from error
    return Bucket(s3, where, owner, region or "", limits, told, validate)


def _region(where: Address, owner: str) -> str | None:
    """Where the bucket is, if it is the owner's. Raises BucketUnusable, BotoCoreError."""
    s3: S3Client = sts.aws(COMPONENT).client("s3", account=owner, tier="read")
    try:
        return s3.head_bucket(Bucket=where.bucket, ExpectedBucketOwner=owner).get("BucketRegion")
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code"))
        if code in ("404", "NoSuchBucket"):
            raise BucketUnusable(f"There is no bucket {where.bucket}.") from error
        if code in DENIED:
            raise BucketUnusable(
                f"s3://{where.bucket} is not open to us: it is no bucket of account {owner}, or the read role of that account "
                f"may not s3:ListBucket there. Name its owner by --bucket-account, and see the bucket's policy."
            ) from error
        raise BucketUnusable(f"s3://{where.bucket} cannot be asked: {refusal(error, 's3:ListBucket')}") from error
