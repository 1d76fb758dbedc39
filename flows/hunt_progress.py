"""How far a long hunt is, as lines of the run's log."""

from __future__ import annotations

import time
from collections.abc import Callable

from decisions.hunt import size_words

EVERY = 10.0
"""Seconds between two lines."""


class ProgressLog:
    """Counts as the passes of a hunt tell it, said every ten seconds: files, bytes, rate, time left."""

    def __init__(self, say: Callable[[str], None], every: float = EVERY) -> None:
        self._say, self._every = say, every
        self._begun = self._said = time.monotonic()
        self._pass = ""

    def told(self, name: str, files: int, files_all: int, done: int, total: int, what: str = "files") -> None:
        """`done` of `total` bytes; where `what` is not files, of what is counted in place of bytes."""
        now = time.monotonic()
        if name != self._pass:
            self._pass, self._begun = name, now
        if now - self._said < self._every:
            return
        self._said = now
        seconds = max(now - self._begun, 1e-6)
        rate = done / seconds
        left = f"{(total - done) / rate:.0f} s left" if rate and total else "time left not known"
        if what == "files":
            size = f"{size_words(done)} of {size_words(total)}, {size_words(int(rate))}/s"
        else:
            size = f"{done:,} of {total:,} documents, {rate:,.0f}/s"
        share = f"{done / total:.0%}, " if total else ""
        self._say(f"{name}: {share}{files:,} of {files_all:,} {what}, {size}, {left}")
