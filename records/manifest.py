"""What the manifest of a Parquet store says of one file and of one part; workers have these without a database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

FileState = Literal["done", "damaged", "quarantined"]
Day = tuple[str, str]
"""Table and partition."""
PartState = Literal["staged", "fresh", "live", "leaving"]


@dataclass(frozen=True)
class FileRead:
    """One log file as it was when it was read."""

    key: str
    """Its name below the source, with `/`."""
    size: int
    etag: str
    state: FileState
    """`damaged`: read in part; `quarantined`: nothing of it could be read."""
    events: int = 0
    problems: tuple[str, ...] = ()
    day: str | None = None
    """Day of delivery, as its path tells."""


@dataclass(frozen=True)
class Part:
    """One Parquet file."""

    table: str
    day: str
    name: str
    rows: int
    bytes: int
    state: PartState = "staged"

    @property
    def pending(self) -> bool:
        """Whether what was decided about its file is still to be done."""
        return self.state in {"staged", "leaving"}


def by_day(parts: Iterable[Part]) -> dict[Day, list[Part]]:
    """Parts by table and day."""
    days: dict[Day, list[Part]] = {}
    for part in parts:
        days.setdefault((part.table, part.day), []).append(part)
    return days
