"""The lab's own time: real time plus an offset that stories move, so that history can be made in seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Lock

_lock = Lock()
_moves: list[tuple[datetime, timedelta]] = []


def now() -> datetime:
    """The lab's time (UTC, aware): what CloudTrail, S3, IAM and STS of the lab stamp."""
    return at(datetime.now(UTC))


def at(real: datetime) -> datetime:
    """What the lab's clock showed at a real moment, e.g. when a client signed a URL by its own clock."""
    with _lock:
        offset = next((offset for moved, offset in reversed(_moves) if moved <= real), timedelta())
    return real + offset


def offset() -> timedelta:
    """How far the lab is ahead (positive) or behind (negative) of real time."""
    with _lock:
        return _moves[-1][1] if _moves else timedelta()


def set_offset(delta: timedelta) -> datetime:
    """Put the lab `delta` ahead of real time; answers the new lab time."""
    with _lock:
        _moves.append((datetime.now(UTC), delta))
    return now()


def shift(delta: timedelta) -> datetime:
    """Move the lab's clock by `delta` from where it stands; answers the new lab time."""
    return set_offset(offset() + delta)


def reset() -> None:
    """Back to real time, moves forgotten."""
    with _lock:
        _moves.clear()


def utcnow() -> datetime:
    """Naive UTC for moto, whose `moto.core.utils.utcnow` this replaces."""
    return now().replace(tzinfo=None)
