"""What a hunt in Elasticsearch has finished, in a file: a hunt over a year goes on after a kill and asks nothing twice.

One line for each finished part, appended and forced to disk, with a checksum. A line that was cut off or changed is not
believed: that part is asked again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

VERSION = 1
"""Of what stands in a line; lines of another version are not read."""
UNUSED = 60 * 86400
"""Seconds after which a file that no hunt has written to is deleted."""
SUFFIX = ".checkpoint"


class CheckpointInUse(Exception):
    """Another hunt in the same cluster is running; str() is the sentence for the user."""


def digest(value: Any) -> str:
    """The SHA-256 of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Checkpoint:
    """The finished parts of one question; made by `opened`."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._places: dict[str, tuple[int, int]] = {}
        self.damaged = 0
        """Lines that are not believed."""
        self.used = 0
        """Parts that did not have to be asked again."""
        self._load()

    def __len__(self) -> int:
        """How many parts are finished."""
        return len(self._places)

    def has(self, key: Sequence[Any]) -> bool:
        """Whether a part is finished."""
        return digest(list(key)) in self._places

    def get(self, key: Sequence[Any]) -> dict[str, Any] | None:
        """What was told of a part; None: it is not finished."""
        place = self._places.get(digest(list(key)))
        if place is None:
            return None
        self._stream.seek(place[0])
        told: dict[str, Any] = json.loads(self._stream.read(place[1]))["told"]
        self.used += 1
        return told

    def put(self, key: Sequence[Any], told: Mapping[str, Any]) -> None:
        """Keep what was told of a part; it is on disk when this returns. Raises OSError."""
        name = digest(list(key))
        text = json.dumps({"v": VERSION, "key": name, "told": told}, separators=(",", ":")).encode()
        check = hashlib.sha256(text).hexdigest()[:16].encode() + b" "
        begin = self._stream.seek(0, os.SEEK_END)
        self._stream.write(check + text + b"\n")
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._places[name] = begin + len(check), len(text)

    def _load(self) -> None:
        """Find the lines; what follows the last whole one is cut off, so that no new line is joined to it."""
        whole = 0
        self._stream.seek(0)
        for line in self._stream:
            begin = whole
            if not line.endswith(b"\n"):
                self.damaged += 1
                break
            whole += len(line)
            name = _name(line)
            if name is None:
                self.damaged += 1
            else:
                self._places[name] = begin + 17, len(line) - 18
        self._stream.truncate(whole)


def _name(line: bytes) -> str | None:
    """The key of a line; None where the line cannot be believed."""
    check, _, text = line[:-1].partition(b" ")
    if hashlib.sha256(text).hexdigest()[:16].encode() != check:
        return None
    told = json.loads(text)
    return str(told["key"]) if told["v"] == VERSION else None


@contextmanager
def opened(folder: Path, question: Any, *, fresh: bool = False, wait: float = 0) -> Iterator[Checkpoint]:
    """The checkpoint of a question, this process's alone until the end. `fresh`: forget what is kept.

    `wait`: seconds to wait for another hunt's end, to use what it finishes. Only the user may read the file: it holds
    records. Raises CheckpointInUse, and OSError where the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _expire(folder)
    path = folder / f"{digest(question)[:32]}{SUFFIX}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+b") as stream:
        end = time.monotonic() + wait
        while not _locked(stream):
            if time.monotonic() >= end:
                raise CheckpointInUse("Another hunt in this Elasticsearch is running here. Start it again at its end.")
            time.sleep(min(1.0, wait))
        if fresh:
            stream.truncate(0)
        os.utime(path)
        yield Checkpoint(stream)


def _locked(stream: BinaryIO) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _expire(folder: Path) -> None:
    for path in folder.glob(f"*{SUFFIX}"):
        try:
            with path.open("r+b") as stream:
                if path.stat().st_mtime < time.time() - UNUSED and _locked(stream):
                    path.unlink()
        except FileNotFoundError:  # another hunt deleted it at the same time
            continue
