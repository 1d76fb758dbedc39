"""Spreads work on files over processes; one that dies costs the file that killed it, no more."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from select import select
from typing import IO, Generic, Protocol, TypeVar

from tasks.hunting.layout import LogFile

ENDED = 10
"""So many processes may end before the first answer: then it is not the files that end them."""
ROOT = Path(__file__).resolve().parents[2]
HEAP = {"MALLOC_TOP_PAD_": str(16 * 1024 * 1024)}
"""glibc's malloc keeps so much room at the end of the heap: a worker then needs 6 MB less for files of ever other sizes, and no
page is asked for anew with each file. Other C libraries do not look at it."""
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
        self._processes: dict[IO[bytes], subprocess.Popen[bytes]] = {}
        """By what they answer through."""
        self._busy: dict[IO[bytes], list[LogFile]] = {}
        self._answered, self._ended = 0, 0

    def __enter__(self) -> Workers[T]:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            _gone(process)

    def run(self) -> Iterator[T]:
        """Hand out batches and give back results, until there are no more of either."""
        batches = [batch for _ in range(self._count) if (batch := self._next()) is not None]
        for process, batch in [(self._process(), batch) for batch in batches]:
            self._hand(process, self._work, batch)
        while self._busy:
            for answers in select(list(self._busy), [], [])[0]:
                files = self._busy.pop(answers)
                try:
                    result: T = pickle.load(answers)  # noqa: S301 - from a process that we started
                except (EOFError, OSError, pickle.UnpicklingError):  # it died, maybe in the middle of its answer
                    lost = self._lost(answers, files)
                    if lost is not None:
                        yield lost
                    continue
                self._answered += 1
                self._done(files)
                if batch := self._next():
                    self._hand(self._processes[answers], batch)
                yield result

    def _next(self) -> list[LogFile] | None:
        return self._again.popleft() if self._again else next(self._batches, None)

    def _process(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tasks.hunting.worker"],
            cwd=ROOT,
            env=HEAP | os.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._processes[_answers(process)] = process
        return process

    def _hand(self, process: subprocess.Popen[bytes], *given: Work[T] | list[LogFile]) -> None:
        """The files come last."""
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        self._busy[_answers(process)] = given[-1]  # type: ignore[assignment] - as it says
        with suppress(OSError):  # one that is dead already is found to be so when its answer is awaited
            for one in given:
                pickle.dump(one, process.stdin)
            process.stdin.flush()

    def _lost(self, answers: IO[bytes], files: list[LogFile]) -> T | None:
        """Try a dead worker's files one by one; a file that killed one when it was alone cannot be read."""
        status = _gone(self._processes.pop(answers))
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
        if batch := self._next():
            self._hand(self._process(), self._work, batch)
        return told


def _answers(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    return process.stdout


def _gone(process: subprocess.Popen[bytes]) -> int:
    """The status of a process that has ended, or does so now that it is not spoken to any more."""
    for stream in filter(None, (process.stdin, process.stdout)):
        with suppress(OSError):  # what was not yet sent is for nobody
            stream.close()
    return process.wait()
