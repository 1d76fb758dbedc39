"""Spreads files over worker processes, with results of bounded size; a worker that dies costs the file that killed it, no more."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path

from tasks.hunting.batch import Batch, scanned
from tasks.hunting.layout import LogFile
from tasks.hunting.patterns import Search
from tasks.hunting.scanner import Scanner

BATCH_FILES, BATCH_BYTES = 256, 4 * 1024 * 1024
ALONE = 16 * 1024 * 1024
"""So many packed bytes are scanned sooner than a process is started."""
ENDED = 10
"""So many processes may end before the first answer: then it is not the files that end them."""
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Pass:
    """One pass over files: what is looked for, in what period, and how large a file may become."""

    searches: tuple[Search, ...]
    max_bytes: int
    since: str = ""
    until: str = "~"

    def scanner(self) -> Scanner:
        """Compiled for this process."""
        return Scanner(self.searches, self.max_bytes, self.since, self.until)


def scan(
    files: Iterable[LogFile],
    what: Pass,
    workers: int | None = None,
    done: Callable[[Sequence[LogFile]], None] = lambda _: None,
) -> Iterator[Batch]:
    """Results batch by batch, as they come. With one worker, or little to do, in this process.

    Files are taken from `files` only as they are needed: beside those being read (one batch a worker) none, but for `ALONE`
    packed bytes at the beginning. `done` is told the files of a batch that nobody will read again.
    """
    count = workers or min(len(os.sched_getaffinity(0)), 8)
    batches = _batches(files)
    first = _first(batches) if count > 1 else []
    if count == 1 or len(first) < 2 or sum(file.size for batch in first for file in batch) < ALONE:
        scanner = what.scanner()
        for batch in chain(first, batches):
            told = scanned(scanner, batch)
            done(batch)
            yield told
        return
    with _Workers(what, count, chain(first, batches), done) as pool:
        yield from pool.run()


def _first(batches: Iterator[list[LogFile]]) -> list[list[LogFile]]:
    """As many batches as tell whether processes are worth being started."""
    first: list[list[LogFile]] = []
    size = 0
    for batch in batches:
        first.append(batch)
        size += sum(file.size for file in batch)
        if size >= ALONE and len(first) > 1:
            break
    return first


def _batches(files: Iterable[LogFile]) -> Iterator[list[LogFile]]:
    batch: list[LogFile] = []
    size = 0
    for file in files:
        batch.append(file)
        size += file.size
        if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class _Workers:
    """Worker processes and what each is busy with."""

    def __init__(
        self, what: Pass, count: int, batches: Iterator[list[LogFile]], done: Callable[[Sequence[LogFile]], None]
    ) -> None:
        self._what, self._count, self._batches, self._done = what, count, batches, done
        self._again: deque[list[LogFile]] = deque()
        """Files of workers that died, one by one."""
        self._processes: dict[Connection, subprocess.Popen[bytes]] = {}
        self._busy: dict[Connection, list[LogFile]] = {}
        self._answered, self._ended = 0, 0

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for connection, process in self._processes.items():
            connection.close()
            process.kill()
        for process in self._processes.values():
            process.wait()

    def run(self) -> Iterator[Batch]:
        """Hand out batches and give back results, until there are no more of either."""
        for _ in range(self._count):
            self._start()
        while self._busy:
            for connection in wait(list(self._busy)):
                assert isinstance(connection, Connection)  # noqa: S101 - wait() is typed for sockets and numbers, too
                files = self._busy.pop(connection)
                try:
                    result = connection.recv()
                except (EOFError, OSError):
                    lost = self._lost(connection, files)
                    if lost:
                        yield lost
                    continue
                self._answered += 1
                self._done(files)
                if batch := self._next():
                    self._hand(connection, batch)
                yield result

    def _next(self) -> list[LogFile] | None:
        return self._again.popleft() if self._again else next(self._batches, None)

    def _start(self) -> None:
        """One more process, if there is something for it to do."""
        batch = self._next()
        if batch is None:
            return
        ours, theirs = Pipe()
        os.set_inheritable(theirs.fileno(), True)
        process = subprocess.Popen(
            [sys.executable, "-m", "tasks.hunting.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self._processes[ours] = process
        with suppress(OSError):  # one that is dead already is found to be so when its answer is awaited
            ours.send((self._what.searches, self._what.max_bytes, self._what.since, self._what.until))
        self._hand(ours, batch)

    def _hand(self, connection: Connection, files: list[LogFile]) -> None:
        self._busy[connection] = files
        with suppress(OSError):  # likewise
            connection.send(files)

    def _lost(self, connection: Connection, files: list[LogFile]) -> Batch | None:
        """Try a dead worker's files one by one; a file that killed one when it was alone cannot be read."""
        connection.close()
        status = self._processes.pop(connection).wait()
        self._ended += 1
        if self._ended > ENDED and not self._answered:
            raise RuntimeError(f"no worker process gives an answer; the last one ended with status {status}")
        told = None
        if len(files) == 1:
            why = f"signal {-status}" if status < 0 else f"status {status}"
            told = Batch(files=1, packed_bytes=files[0].size)
            told.unread.append((files[0].called, f"it cannot be read: the process that read it ended ({why})"))
            self._done(files)
        else:
            self._again.extendleft([file] for file in reversed(files))
        self._start()
        return told
