"""One thing to look for in log files; light, so that whoever hands out files needs nothing of what searches them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]
Pattern = tuple[bytes, bool]
"""A regular expression over raw bytes, and whether letters may be of either case."""
Group = tuple[Pattern, ...]


@dataclass(frozen=True)
class Search:
    """One thing to look for."""

    id: str
    groups: tuple[Group, ...] | None
    """Of each group one pattern stands in the bytes of whatever answers; None: every record is parsed."""
    test: Callable[[Record], bool]
    """Whether a parsed record answers; or the fields of a line, where records are not asked."""
    records: bool = True
    """Whether CloudTrail's records are asked."""
    lines: bool = False
    """Whether lines of access logs are; where records are as well, by the whole line in place of a record."""
    proved: bool = False
    """Whether a hit is proved to be a record, and not an object in one that somebody made look like it."""
    counted: bool = False
    """Whether it never tires: however many hits there are, all are counted."""
