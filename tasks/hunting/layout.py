"""Which files below a folder are logs, and of which account, Region and day, as their path tells.

`[prefix/]AWSLogs/[o-…/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/` is CloudTrail's layout, with `CloudTrail-Digest` and
`CloudTrail-Insight` beside it. S3 access logs are known by their names. Other JSON files are read as well: their place
tells nothing.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

PLACE = re.compile(
    r"(?:^|/)(?P<account>\d{12})/(?P<kind>CloudTrail[\w-]*)/(?P<region>[a-z0-9-]+)/(?P<y>\d{4})/(?P<m>\d\d)/(?P<d>\d\d)(?:/|$)"
)
KIND_BY_NAME = re.compile(r"\d{12}_(CloudTrail-[A-Za-z]+)_")
ACCESS_LOG = re.compile(r"(?:^|[^0-9])(\d{4}-\d{2}-\d{2})-\d{2}-\d{2}-\d{2}-[0-9A-F]{16}$", re.IGNORECASE)
JSON_NAMES = (".json", ".json.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz", ".gz", ".log")
CLOUDTRAIL, ACCESS = "cloudtrail", "access-log"


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file to read. `day` is the day of delivery as ISO 8601; account, region and day are empty where nothing tells."""

    path: str
    size: int
    kind: str
    account: str = ""
    region: str = ""
    day: str = ""
    name: str = ""
    """What findings and problems call it, where that is not the path: a copy of an object in a bucket."""
    etag: str = ""
    """Of an object in a bucket, as the listing tells it."""
    signature: str = ""
    """Of a digest file in a bucket, as its object's metadata tells it."""

    @property
    def called(self) -> str:
        """As it is named to people."""
        return self.name or self.path


@dataclass
class Listing:
    """What lies below a folder."""

    files: list[LogFile] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    """Files that are no logs of calls, by what they are."""
    digests: list[LogFile] = field(default_factory=list)
    """CloudTrail's digest files, and what lies beside them."""
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    """Folders and files that could not be looked at, with the reason."""
    notes: list[str] = field(default_factory=list)
    """Sentences about what was not listed, or more than was asked for."""


def listing(root: Path) -> Listing:
    """Every log file below a folder (or the file itself), by day; symbolic links to folders are not followed."""
    told = Listing()
    if root.is_file():
        take(told, LogFile(str(root), root.stat().st_size, CLOUDTRAIL), root.name, named=True)
        return told
    rest = [str(root)]
    while rest:
        folder = rest.pop()
        try:
            with os.scandir(folder) as entries:
                rest += _folder(told, folder, sorted(entries, key=lambda entry: entry.name))
        except OSError as error:
            told.unreadable.append((folder, f"the folder cannot be listed: {error.strerror}"))
    told.files.sort(key=lambda file: (file.day, file.account, file.region, file.path))
    return told


def _folder(told: Listing, folder: str, entries: list[os.DirEntry[str]]) -> list[str]:
    """The folders below; files are taken into the listing."""
    below: list[str] = []
    place = PLACE.search(folder)
    for entry in entries:
        try:
            if entry.name.startswith("."):
                told.skipped["hidden"] += 1
            elif entry.is_dir(follow_symlinks=False):
                below.append(entry.path)
            elif entry.is_dir():
                told.unreadable.append((entry.path, "a symbolic link to a folder is not followed"))
            elif entry.is_file():
                take(told, LogFile(entry.path, entry.stat().st_size, CLOUDTRAIL), entry.name, place)
            else:
                told.skipped["no file"] += 1
        except OSError as error:
            told.unreadable.append((entry.path, f"it cannot be looked at: {error.strerror}"))
    return below[::-1]


def take(
    told: Listing, file: LogFile, name: str, place: re.Match[str] | None = None, named: bool = False
) -> LogFile | None:
    """Take a file or object into the listing as what it is by its name and its folder (`PLACE`), or count why it is none.

    `named`: the user named this very file. Answers what was taken.
    """
    by_name = KIND_BY_NAME.match(name)
    other = (place["kind"] if place and place["kind"] != "CloudTrail" else None) or (by_name and by_name[1])
    if other:
        told.skipped[{"CloudTrail-Digest": "digest", "CloudTrail-Insight": "Insight"}.get(other, other)] += 1
        if other == "CloudTrail-Digest":
            told.digests.append(file)
        return None
    if place:
        day = f"{place['y']}-{place['m']}-{place['d']}"
        file = replace(file, account=place["account"], region=place["region"], day=day)
    elif written := ACCESS_LOG.search(name):
        file = replace(file, kind=ACCESS, day=written[1])
    elif not named and not name.lower().endswith(JSON_NAMES):
        told.skipped["not a log by its name"] += 1
        return None
    told.files.append(file)
    return file


def in_batches(files: Iterable[LogFile], most: int, most_bytes: int) -> Iterator[list[LogFile]]:
    """Files in batches of so many, or so many packed bytes."""
    batch: list[LogFile] = []
    size = 0
    for file in files:
        batch.append(file)
        size += file.size
        if len(batch) >= most or size >= most_bytes:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
