"""What the manifest of a Parquet store says of one file and of one part; workers have these without a database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FileState = Literal["done", "damaged", "quarantined"]
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
