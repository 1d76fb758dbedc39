"""Copies objects of a bucket into the spool, a few ahead of whoever reads them; large ones in parts, so many at the same time.

An object is read as it was listed (If-Match): one that was replaced since is named, not searched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from decisions.digest import signature_in
from settings.buckets import BucketSettings
from tasks.hunting.buckets_address import UNANSWERED, Address, BucketUnusable, refusal
from tasks.hunting.buckets_spool import Spool
from tasks.hunting.layout import LogFile

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

CHUNK = 256 * 1024
TRIES = 3
"""Times that a body is asked for which breaks off; requests that fail are repeated by the client itself."""
AHEAD = 4
"""Objects per connection that are asked for before anybody wants them."""
CHANGED = {
    "NoSuchKey": "it is gone since it was listed",
    "404": "it is gone since it was listed",
    "PreconditionFailed": "it was replaced since it was listed: run it again",
    "412": "it was replaced since it was listed: run it again",
    "InvalidObjectState": "it is archived: restore it",
}


@dataclass(frozen=True)
class Stored:
    """Where objects are, and as whom they are read."""

    s3: S3Client
    where: Address
    account: str
    archived: Mapping[str, str]


@dataclass
class Copying:
    """A copy under way."""

    file: LogFile
    path: Path
    parts: list[Future[str | None]] = field(default_factory=list)
    signature: str = ""
    """As LogFile.signature."""


@contextmanager
def disk() -> Iterator[None]:
    """Around what writes copies. Raises BucketUnusable where the disk does not take them."""
    try:
        yield
    except OSError as error:
        raise _unwritable(error) from error


def _unwritable(error: OSError) -> BucketUnusable:
    return BucketUnusable(
        f"Copies of objects cannot be kept: {error}. Name a folder with room, by VMEXPORT_HUNT_SPOOL_DIR."
    )


class Copies:
    """Use as a context. Objects that cannot be had are in `lost`, each with the reason."""

    def __init__(self, stored: Stored, spool: Spool, limits: BucketSettings, max_bytes: int) -> None:
        self._stored, self._spool, self._limits, self._max_bytes = stored, spool, limits, max_bytes
        self._executor = ThreadPoolExecutor(limits.s3_connections, thread_name_prefix="s3-get")
        self._held = self._unanswered = 0
        self.lost: list[tuple[LogFile, str]] = []

    def __enter__(self) -> Copies:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)

    def files(self, listed: Iterable[LogFile]) -> Iterator[LogFile]:
        """Each object as a file, in this order: its path is the copy's, its name the object's. Raises BucketUnusable.

        Copies stay until `done` is told. Some are made ahead, as long as there is room; what is asked for is made anyway, so
        that a reader who holds all the room is not kept waiting for himself.
        """
        rest = (file for file in listed if not self._hopeless(file))
        under_way: deque[Copying] = deque()
        upcoming = next(rest, None)
        while upcoming or under_way:
            while upcoming and (not under_way or self._room(upcoming, len(under_way))):
                under_way.append(self._begin(upcoming))
                upcoming = next(rest, None)
            copying = under_way.popleft()
            why = self._outcome(copying)
            if why is None:
                file, path = copying.file, str(copying.path)
                yield replace(file, path=path, name=file.path, signature=copying.signature)
            else:
                self.lost.append((copying.file, why))
                self._forget(copying.path, copying.file.size)

    def done(self, files: Sequence[LogFile]) -> None:
        """Nobody needs these copies any more."""
        for file in files:
            self._forget(Path(file.path), file.size)

    def _outcome(self, copying: Copying) -> str | None:
        """Why an object cannot be had; None when it is there. Raises BucketUnusable when S3 is not there at all."""
        try:
            whys = [part.result() for part in copying.parts]
        except (BotoCoreError, HTTPError) as error:
            self._unanswered += 1
            if self._unanswered > UNANSWERED:
                raise BucketUnusable(f"{self._stored.where.named('')} does not answer any more: {error}") from error
            return f"S3 broke off: {error}"
        except OSError as error:  # after botocore's timeouts, which are OSErrors as well
            raise _unwritable(error) from error
        self._unanswered = 0
        return next(filter(None, whys), None)

    def _forget(self, path: Path, size: int) -> None:
        path.unlink(missing_ok=True)
        self._held -= size

    def _hopeless(self, file: LogFile) -> bool:
        why = self._stored.archived.get(file.path)
        if file.size > self._max_bytes:
            why = f"it is larger than {self._max_bytes} bytes"
        if why:
            self.lost.append((file, why))
        return why is not None

    def _room(self, file: LogFile, under_way: int) -> bool:
        limits = self._limits
        return under_way < AHEAD * limits.s3_connections and self._held + file.size <= limits.spool_max_bytes

    def _begin(self, file: LogFile) -> Copying:
        self._held += file.size
        copying, part = Copying(file, self._spool.place()), self._limits.s3_part_bytes
        with disk(), copying.path.open("xb") as target:
            target.truncate(file.size)
        for begin in range(0, max(file.size, 1), part):
            end = min(begin + part, file.size)
            copying.parts.append(self._executor.submit(self._part, copying, begin, end))
        return copying

    def _part(self, copying: Copying, begin: int, end: int) -> str | None:
        """Copy a part; answers why it cannot be had. Raises BotoCoreError, HTTPError when there is no answer."""
        tried = 0
        while True:
            try:
                answer = self._get(copying.file, begin, end)
                copying.signature = signature_in(answer["Metadata"])
                return self._write(copying.path, answer["Body"], begin, end)
            except ClientError as error:
                code = str(error.response.get("Error", {}).get("Code"))
                return CHANGED.get(code) or refusal(error, "s3:GetObject")
            except (BotoCoreError, HTTPError):
                tried += 1
                if tried == TRIES:
                    raise

    def _get(self, file: LogFile, begin: int, end: int) -> Any:
        stored = self._stored
        part: Any = {} if (begin, end) in ((0, file.size), (0, 0)) else {"Range": f"bytes={begin}-{end - 1}"}
        return stored.s3.get_object(
            Bucket=stored.where.bucket,
            Key=stored.where.key(file.path),
            ExpectedBucketOwner=stored.account,
            IfMatch=file.etag,
            **part,
        )

    def _write(self, path: Path, body: Any, begin: int, end: int) -> str | None:
        at = begin
        with open(path, "r+b", buffering=0) as target, body:
            target.seek(begin)
            while chunk := body.read(CHUNK):
                at += len(chunk)
                if at > end:
                    break
                target.write(chunk)
        return None if at == end else f"S3 sent {at - begin} bytes or more, and {end - begin} were listed"
