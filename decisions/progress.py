"""How far long work is, in words: for a terminal's bar, a pipe's lines, a run's log."""

from __future__ import annotations

from decisions.hunt import size_words


def progress_words(
    files: int, files_all: int, done: int, total: int, seconds: float, unit: str = "files"
) -> tuple[str, ...]:
    """Share (where a total is known), count, size, rate and time left.

    `done` of `total` bytes in so many seconds; where the unit is not files, of documents.
    """
    rate = done / max(seconds, 1e-6)
    share = (f"{done / total:.0%}",) if total else ()
    left = f"{(total - done) / rate:.0f} s left" if rate and total else "time left not known"
    if unit == "files":
        size, speed = f"{size_words(done)} of {size_words(total)}", size_words(int(rate))
    else:
        size, speed = f"{done:,} of {total:,} documents", f"{rate:,.0f}"
    return (*share, f"{files:,} of {files_all:,} {unit}", size, f"{speed}/s", left)
