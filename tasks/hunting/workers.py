"""Spreads work on files over processes; one that dies costs the file that killed it, no more."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from tasks.hunting.layout import LogFile

ENDED = 10
"""So many processes may end before the first answer: then it is not the files that end them."""
ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")
Told = TypeVar("Told", covariant=True)


class Work(Protocol[Told]):
    """What is done with batches of files; it is pickled, and so are its answers."""

    def prepared(self) -> Callable[[Sequence[LogFile]], Told]:
        """Called once in each process: what is called with each batch."""
        ...

    def lost(self, file: LogFile, why: str) -> Told:
        """What is told of a file that ended the process that read it."""
        ...


class Workers(Generic[T]):
    """Worker processes and what each is busy with; use it as a context, at whose end they are killed."""

    def __init__(
        self, work: Work[T], count: int, batches: Iterator[list[LogFile]], done: Callable[[Sequence[LogFile]], None]
    ) -> None:
        """`done` is told the files of a batch that nobody will read again."""
        self._work, self._count, self._batches, self._done = work, count, batches, done
        self._again: deque[list[LogFile]] = deque()
        """Files of workers that died, one by one."""
        self._processes: dict[Connection, subprocess.Popen[bytes]] = {}
        self._busy: dict[Connection, list[LogFile]] = {}
        self._answered, self._ended = 0, 0

    def __enter__(self) -> Workers[T]:
        return self

    def __exit__(self, *_: object) -> None:
        for connection, process in self._processes.items():
            connection.close()
            process.kill()
        for process in self._processes.values():
            process.wait()

    def run(self) -> Iterator[T]:
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
                    if lost is not None:
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
            ours.send(self._work)
        self._hand(ours, batch)

    def _hand(self, connection: Connection, files: list[LogFile]) -> None:
        self._busy[connection] = files
        with suppress(OSError):  # likewise
            connection.send(files)

    def _lost(self, connection: Connection, files: list[LogFile]) -> T | None:
        """Try a dead worker's files one by one; a file that killed one when it was alone cannot be read."""
        connection.close()
        status = self._processes.pop(connection).wait()
        self._ended += 1
        if self._ended > ENDED and not self._answered:
            raise RuntimeError(f"no worker process gives an answer; the last one ended with status {status}")
        told = None
        if len(files) == 1:
            why = f"signal {-status}" if status < 0 else f"status {status}"
            told = self._work.lost(files[0], f"it cannot be read: the process that read it ended ({why})")
            self._done(files)
        else:
            self._again.extendleft([file] for file in reversed(files))
        self._start()
        return told
