"""The folder of the Parquet store, as everybody reads it: `DIR/cloudtrail/dt=2026-03-02/PART.parquet`, `DIR/access_log/dt=…/`.

Whoever writes does so in `DIR/_staging`, and moves in what is whole. Parts and folders whose names begin with `_` or `.` are
no part of a table; DuckDB, Trino, Athena and Spark agree with that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

CLOUDTRAIL, ACCESS_LOG = "cloudtrail", "access_log"
TABLES = (CLOUDTRAIL, ACCESS_LOG)
PARTITION = "dt="


@dataclass(frozen=True)
class Store:
    """The store in a folder. Nothing is read before it is asked for, and nothing is kept: each answer is of this moment."""

    root: Path

    def parts(self, table: str = CLOUDTRAIL, days: Collection[str] | None = None) -> list[Path]:
        """The Parquet files of a table, of these days (`2026-03-02`, `unknown`) or of all, by day and name."""
        wanted = None if days is None else set(days)
        return [
            part
            for day, folder in self._folders(table)
            if wanted is None or day in wanted
            for part in sorted(folder.glob("*.parquet"))
            if not part.name.startswith(("_", "."))
        ]

    def glob(self, table: str = CLOUDTRAIL) -> str:
        """What read_parquet understands; it raises there where the table has no part."""
        return f"{self.root / table}/{PARTITION}*/[!_.]*.parquet"

    def days(self, table: str = CLOUDTRAIL) -> list[str]:
        """The partitions that have a part, in order; `unknown` comes last."""
        return [day for day, folder in self._folders(table) if any(folder.glob("[!_.]*.parquet"))]

    def folder(self, table: str, day: str) -> Path:
        """The folder of a partition."""
        return self.root / table / f"{PARTITION}{day}"

    def _folders(self, table: str) -> Iterator[tuple[str, Path]]:
        for folder in sorted((self.root / table).glob(f"{PARTITION}*")):
            yield folder.name.removeprefix(PARTITION), folder
