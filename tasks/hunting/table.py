"""What a table of log records must answer, so that one hunt by SQL asks DuckDB, Trino and Athena alike.

A table is in the columns of decisions/store_schema.py (and decisions/access_log_schema.py), with the partition `dt`. The SQL
that it is asked comes from decisions/hunt_sql.py; what an engine says otherwise is in its dialect.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from decisions.hunt import FileProblem
from decisions.sigma_sql import Dialect

CLOUDTRAIL, ACCESS_LOG = "cloudtrail", "access_log"
"""The tables."""

Days = tuple[str, str]
"""First and last partition, `2026-03-01` to `2026-03-31`, both included; rows of an unknown day always belong to it."""


class TableUnanswered(Exception):
    """The engine gave no answer, or not a whole one; a sentence for a person, with the next step. No part of it may be used."""


@dataclass(frozen=True)
class Parts:
    """What an engine knows of the files of a table, beside what SQL tells; 0 bytes: it does not tell."""

    found: int
    searched: int
    outside: int = 0
    """Of other days than those asked for."""
    packed_bytes: int = 0
    unit: str = "parts"
    """What is counted, in the plural: parts, partitions."""
    quarantined: tuple[FileProblem, ...] = ()
    notes: tuple[str, ...] = ()
    """Sentences on what the answer does not cover for certain, or what it cost."""


class Table(Protocol):
    """One engine over one store."""

    @property
    def name(self) -> str:
        """For people: `the Parquet store /srv/store`."""
        ...

    @property
    def dialect(self) -> Dialect:
        """What the engine says in its own words."""
        ...

    @property
    def statement_bytes(self) -> int | None:
        """The longest question about rules that it takes; None: any."""
        ...

    def holds(self, table: str) -> bool:
        """Whether there is such a table at all (CLOUDTRAIL, ACCESS_LOG). Raises TableUnanswered."""
        ...

    def relation(self, table: str, days: Days | None) -> str:
        """What can stand after FROM: SQL text that has every column of the table and `dt`, of these days only (None: all)."""
        ...

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """The whole answer to a query. Raises TableUnanswered, rather than to give a part of it."""
        ...

    def parts(self, table: str, days: Days | None) -> Parts:
        """What was, or can be, searched; asked after the last query. Raises TableUnanswered."""
        ...
