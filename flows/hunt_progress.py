"""How far a long hunt is, as lines of the run's log."""

from __future__ import annotations

import time
from collections.abc import Callable

from decisions.progress import progress_words

EVERY = 10.0
"""Seconds between two lines."""


class ProgressLog:
    """Counts as the passes of a hunt tell it, said every ten seconds: files, bytes, rate, time left."""

    def __init__(self, say: Callable[[str], None], every: float = EVERY) -> None:
        self._say, self._every = say, every
        self._begun = self._said = time.monotonic()
        self._pass = ""

    def told(self, name: str, files: int, files_all: int, done: int, total: int, unit: str = "files") -> None:
        """As `progress_words` has it."""
        now = time.monotonic()
        if name != self._pass:
            self._pass, self._begun = name, now
        if now - self._said < self._every:
            return
        self._said = now
        words = progress_words(files, files_all, done, total, now - self._begun, unit)
        self._say(f"{name}: {', '.join(words)}")
