"""How far long work is: a bar that is redrawn in a terminal, a line every few seconds in a pipe; on standard error."""

from __future__ import annotations

import shutil
import sys
import time

EVERY = {True: 0.1, False: 5.0}
"""Seconds between two tellings, in a terminal and in a pipe."""
WIDTH = 24


class Progress:
    """Use as a context: a half-drawn bar is removed at the end."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._begun = self._said = time.monotonic()
        self._pass = ""
        self._drawn = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._draw("")

    def told(self, name: str, files: int, files_all: int, done: int, total: int, unit: str = "files") -> None:
        """Files and bytes done of all, in one pass; `files_all` is 0 while that is not known. Of another unit: documents."""
        now = time.monotonic()
        if name != self._pass:
            self._pass, self._begun = name, now
        if now - self._said < EVERY[self._terminal] and files < files_all:
            return
        if not self._terminal and now - self._said < EVERY[False]:
            return  # work that is done within seconds needs no line
        self._said = now
        self._write(self._words(files, files_all, done, total, now - self._begun, unit))

    def _words(self, files: int, files_all: int, done: int, total: int, seconds: float, unit: str) -> str:
        from decisions.progress import progress_words

        if not files_all:
            return f"{self._pass}: {files:,} files"
        bar = f"[{'#' * round(done / total * WIDTH):<{WIDTH}}] " if self._terminal and total else ""
        return f"{self._pass}: {bar}{'  '.join(progress_words(files, files_all, done, total, seconds, unit))}"

    def _write(self, text: str) -> None:
        if self._terminal:
            self._draw(text)
        else:
            print(text, file=sys.stderr, flush=True)

    def _draw(self, text: str) -> None:
        if self._terminal and (text or self._drawn):
            text = text[: shutil.get_terminal_size().columns - 1]  # a line that wraps cannot be drawn over
            sys.stderr.write("\r" + text.ljust(self._drawn) + ("" if text else "\r"))
            sys.stderr.flush()
            self._drawn = len(text)
