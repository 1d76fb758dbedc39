"""How far a long hunt is, as lines of the run's log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from decisions.progress import progress_words

EVERY = 10.0
"""Seconds between two lines."""
SILENCE = 60.0
"""Seconds after which it is said that a source is at work which tells nothing of itself."""
T = TypeVar("T")


class ProgressLog:
    """Counts as the passes of a hunt tell it, said every ten seconds: files, bytes, rate, time left."""

    def __init__(self, say: Callable[[str], None], every: float = EVERY) -> None:
        self._say, self._every = say, every
        self._begun = self._said = time.monotonic()
        self._name = "asking"
        self.engine: Callable[[], str] = lambda: "it tells nothing of how far it is"
        """What an engine that others run tells of the question that it is at."""

    def told(self, name: str, files: int, files_all: int, done: int, total: int, unit: str = "files") -> None:
        """As `progress_words` has it."""
        now = time.monotonic()
        if name != self._name:
            self._name, self._begun = name, now
        if now - self._said < self._every:
            return
        self._said = now
        words = progress_words(files, files_all, done, total, now - self._begun, unit)
        self._say(f"{name}: {', '.join(words)}")

    async def thread(self, work: Callable[[], T], silence: float = SILENCE) -> T:
        """What `work` gives or raises, in a thread of its own; while nothing is told, that it is at work is said."""
        working = asyncio.create_task(asyncio.to_thread(work))
        while not (await asyncio.wait({working}, timeout=silence))[0]:
            now = time.monotonic()
            if now - self._said >= silence:
                self._said = now
                self._say(f"{self._name}: at work for {now - self._begun:.0f} s; {self.engine()}")
        return await working
