"""One named check of the doctor: what was looked at, what came out, and what to do about it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TypeVar

T = TypeVar("T")
SECONDS = 20.0
"""How long one question to an outside system may take before that is the answer."""


class Result(StrEnum):
    """What came out."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    NOT_CONFIGURED = "not configured"


@dataclass(frozen=True)
class Check:
    """A check that was made. Everything but an ok has a next step."""

    name: str
    result: Result
    sentence: str
    next_step: str = ""


def ok(name: str, sentence: str) -> Check:
    """It is as it should be."""
    return Check(name, Result.OK, sentence)


def warning(name: str, sentence: str, next_step: str) -> Check:
    """It works, and less well than it could, or may soon not."""
    return Check(name, Result.WARNING, sentence, next_step)


def problem(name: str, sentence: str, next_step: str) -> Check:
    """It does not work."""
    return Check(name, Result.PROBLEM, sentence, next_step)


def not_configured(name: str, sentence: str, next_step: str) -> Check:
    """Nobody asked for it; this is not an ok."""
    return Check(name, Result.NOT_CONFIGURED, sentence, next_step)


def side_by_side(jobs: Mapping[str, Callable[[], T]], seconds: float = SECONDS) -> dict[str, T | Exception | None]:
    """What each job gave or raised; None for one that did not end in time, which goes on and keeps nobody waiting."""
    ended: SimpleQueue[tuple[str, T | Exception]] = SimpleQueue()

    def run(name: str, job: Callable[[], T]) -> None:
        try:
            ended.put((name, job()))
        except Exception as error:  # noqa: BLE001 - it is the answer, and whoever asked tells it
            ended.put((name, error))

    for name, job in jobs.items():
        threading.Thread(target=run, args=(name, job), daemon=True, name=f"check {name}").start()
    answers: dict[str, T | Exception | None] = dict.fromkeys(jobs)
    end = monotonic() + seconds
    for _ in jobs:
        try:
            name, answer = ended.get(timeout=max(0.0, end - monotonic()))
        except Empty:
            break
        answers[name] = answer
    return answers


def ago(moment: datetime, now: datetime) -> str:
    """How long before `now`, for a person."""
    return f"{length(now - moment)} ago"


def length(duration: timedelta) -> str:
    """A duration in its largest fitting unit."""
    minutes = duration.total_seconds() / 60
    if minutes < 1:
        return "less than a minute"
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.0f} h" if minutes < 2 * 24 * 60 else f"{minutes / 60 / 24:.0f} days"


def listed(names: Iterable[str], at_most: int = 5) -> str:
    """Names for a sentence, the first few of them."""
    every = list(names)
    more = f" and {len(every) - at_most} more" if len(every) > at_most else ""
    return ", ".join(every[:at_most]) + more
