"""Lists the log files in a bucket: layouts are found folder by folder, and then only the days of the period are listed.

Every page is a request; so many go out at once. What cannot be listed is named, and is a hole in the answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from tasks.hunting.buckets_address import UNANSWERED, Address, BucketUnusable, refusal
from tasks.hunting.buckets_layout import DATED, KNOWN, OTHERS, REGION, Days, stem
from tasks.hunting.layout import ACCESS, CLOUDTRAIL, PLACE, Listing, LogFile, take

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

FOLDERS_MAX = 5000
"""Folders that are looked into because nothing tells what they are; with more, the prefix is wrong."""
PAGE_KEYS = 1000
"""The most that S3 tells at once."""
ARCHIVED = {"GLACIER": "Glacier Flexible Retrieval", "DEEP_ARCHIVE": "Glacier Deep Archive"}


@dataclass(frozen=True)
class Page:
    """One request: keys that begin with `prefix`, folder by folder unless `flat`."""

    prefix: str
    flat: bool = False
    after: str = ""
    token: str = ""
    day_of: str = ""
    """The beginning of access logs' keys, where these are the ones of one day."""


@dataclass
class Listed:
    """What was found, and what it took."""

    listing: Listing = field(default_factory=Listing)
    requests: int = 0
    classes: dict[str, str] = field(default_factory=dict)
    """Storage class by object, where it is not STANDARD."""
    archived: dict[str, str] = field(default_factory=dict)
    """Objects that cannot be read before they are restored, with the reason."""


class Walk:
    """One listing. What comes back is looked at in the caller's thread only."""

    def __init__(self, s3: S3Client, where: Address, account: str, days: Days) -> None:
        self._s3, self._where, self._account, self._days = s3, where, account, days
        self._listed = Listed()
        self._open: deque[Page] = deque()
        self._seen: set[str] = set()
        self._stems: set[str] = set()
        self._unknown = self._unanswered = 0

    def run(self, connections: int, told: Callable[[int], None] = lambda _: None) -> Listed:
        """Everything below the prefix; `told` hears how many objects are found so far. Raises BucketUnusable."""
        self._folder(self._where.prefix)
        under_way: dict[Future[Any], Page] = {}
        with ThreadPoolExecutor(connections, thread_name_prefix="s3-list") as executor:
            try:
                while self._open or under_way:
                    while self._open and len(under_way) < connections:
                        page = self._open.popleft()
                        under_way[executor.submit(self._ask, page)] = page
                    for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                        self._take(under_way.pop(future), future)
                    told(len(self._listed.listing.files))
            finally:
                executor.shutdown(cancel_futures=True)
        listing, place = self._listed.listing, self._where.named(self._where.prefix)
        listing.files.sort(key=lambda file: (file.day, file.account, file.region, file.path))
        if self._days.bounded:
            listing.notes.append(f"Of {place} only the days of the period and of late delivery were listed.")
        if self._unknown > 1:
            listing.notes.append(
                f"{self._unknown} folders of {place} are in no layout with days: they were listed whole."
            )
        return self._listed

    def _ask(self, page: Page) -> Any:
        asked: Any = {"Prefix": page.prefix}
        if not page.flat:
            asked["Delimiter"] = "/"
        if page.token:
            asked["ContinuationToken"] = page.token
        elif page.after:
            asked["StartAfter"] = page.after
        return self._s3.list_objects_v2(
            Bucket=self._where.bucket,
            ExpectedBucketOwner=self._account,
            MaxKeys=PAGE_KEYS,
            OptionalObjectAttributes=["RestoreStatus"],
            **asked,
        )

    def _take(self, page: Page, future: Future[Any]) -> None:
        self._listed.requests += 1
        try:
            answer = future.result()
        except ClientError as error:
            why = refusal(error, "s3:ListBucket")
        except BotoCoreError as error:
            why = f"S3 could not be asked: {error}"
            self._unanswered += 1
            if self._unanswered > UNANSWERED:
                raise BucketUnusable(f"{self._where.named('')} cannot be listed: {error}") from error
        else:
            self._unanswered = 0
            self._took(page, answer)
            return
        self._listed.listing.unreadable.append((self._where.named(page.prefix), f"it cannot be listed: {why}"))

    def _took(self, page: Page, answer: Any) -> None:
        contents = answer.get("Contents", [])
        folders = [common["Prefix"] for common in answer.get("CommonPrefixes", [])]
        for found in contents:
            self._object(page, found)
        for folder in folders:
            self._folder(folder)
        if not answer.get("IsTruncated"):
            return
        last = max([*(found["Key"] for found in contents[-1:]), *folders[-1:]], default="")
        known = self._by_days(last)
        if known is not None and known in self._stems and not page.day_of:
            self._open.append(Page(page.prefix, after=f"{known}3"))  # behind every day: they are listed on their own
        else:
            self._open.append(Page(page.prefix, page.flat, token=answer["NextContinuationToken"], day_of=page.day_of))

    def _folder(self, folder: str) -> None:
        """What is to be asked about a folder: nothing, all of it, some days, or what folders it holds."""
        if folder in self._seen:
            return
        self._seen.add(folder)
        skipped = self._listed.listing.skipped
        if OTHERS.search(folder):
            skipped["folder of another service's logs"] += 1
        elif (region := REGION.search(folder)) and self._days.bounded:
            days, plain = self._days, region["kind"] == "CloudTrail"
            below = (days.below if plain else days.months)(folder, CLOUDTRAIL)
            self._open.extend(Page(name, flat=True) for name in below)
        elif dated := DATED.search(folder):
            covered = self._days.covers(dated)
            whole = covered or dated["d"] is not None
            if covered is not False:
                self._open.append(Page(folder, flat=whole and dated["m"] is not None))
        else:
            if not (region or KNOWN.search(folder)):
                self._count_unknown(folder)
            self._open.append(Page(folder))

    def _count_unknown(self, folder: str) -> None:
        self._unknown += 1
        if self._unknown > FOLDERS_MAX:
            raise BucketUnusable(
                f"There are more than {FOLDERS_MAX} folders below {self._where.named(self._where.prefix)!r} that are no layout "
                f"of logs ({self._where.named(folder)!r} is one). Name the prefix of the logs, as far as AWSLogs/ for example."
            )

    def _object(self, page: Page, found: Any) -> None:
        key, size = found["Key"], found["Size"]
        folder, _, name = key.rpartition("/")
        if not page.flat and (begin := self._by_days(key)) is not None and begin != page.day_of:
            self._stem(begin)
            return
        if not name and not size:
            return  # a console's mark for a folder
        file = LogFile(self._where.named(key), size, CLOUDTRAIL, etag=found["ETag"])
        take(self._listed.listing, file, name, PLACE.search(folder), named=key == self._where.prefix)
        if found.get("StorageClass", "STANDARD") != "STANDARD":
            self._class(file, found["StorageClass"], found.get("RestoreStatus", {}))

    def _by_days(self, key: str) -> str | None:
        """What the key of an access log begins with, where the days of all such can be asked for."""
        begin = stem(key) if self._days.bounded else None
        return begin if begin is not None and begin.startswith(self._where.prefix) else None

    def _stem(self, begin: str) -> None:
        """Access logs in the usual form: their days can be asked for by name."""
        if begin not in self._stems:
            self._stems.add(begin)
            self._open.extend(Page(name, day_of=begin) for name in self._days.below(begin, ACCESS))

    def _class(self, file: LogFile, storage: str, restored: Any) -> None:
        """Another class than usual: it has another price, or cannot be read at once."""
        self._listed.classes[file.path] = storage
        if storage in ARCHIVED and not restored.get("RestoreExpiryDate"):
            more = (
                ", being restored: run it again when it is" if restored.get("IsRestoreInProgress") else ": restore it"
            )
            self._listed.archived[file.path] = f"it lies in {ARCHIVED[storage]}{more}"
