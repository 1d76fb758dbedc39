"""The rows of a batch, column by column, until they are written: each event once, in the order of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import duckdb

from records.manifest import Part
from tasks.hunting.parquet_parts import COLUMNS, SORTED_BY, written
from tasks.hunting.store import ACCESS_LOG, CLOUDTRAIL

NAMED_BY = {CLOUDTRAIL: "eventID", ACCESS_LOG: "line"}
"""Two rows with the same are one event; where it is null or empty, the whole row counts."""


class Gathered:
    """Rows of one table. Not to be used any more once they are written."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.columns: dict[str, list[Any]] = {name: [] for name, _ in COLUMNS[table]}
        self.days: list[str] = []

    def __len__(self) -> int:
        return len(self.days)

    def add(self, row: Mapping[str, Any], day: str) -> None:
        """One row of a day."""
        for name, cells in self.columns.items():
            cells.append(row[name])
        self.days.append(day)

    def extend(self, columns: Mapping[str, Sequence[Any]], days: Sequence[str]) -> None:
        """Rows as columns, each of the length of `days`."""
        for name, cells in self.columns.items():
            cells.extend(columns[name])
        self.days.extend(days)

    def write(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> tuple[list[Part], int]:
        """A part for each day, and how many rows were there before. Raises NotWritten."""
        order, twice = self._order()
        parts: list[Part] = []
        for day, places in groupby(order, key=self.days.__getitem__):
            chosen = list(places)
            pick = itemgetter(*chosen, chosen[0])  # of one place alone it would give no tuple
            columns = {name: pick(cells)[:-1] for name, cells in self.columns.items()}
            parts.append(written(connection, folder, self.table, day, columns))
        return parts, twice

    def _order(self) -> tuple[list[int], int]:
        """The places of the rows to write, by day and the table's order, and how many of others that are the same events."""
        words = [self.columns[name] for name in SORTED_BY[self.table]]
        keys = ["\0".join([word or "" for word in row]) for row in zip(self.days, *words, strict=True)]
        order = sorted(range(len(keys)), key=keys.__getitem__)
        seen: set[Any] = set()
        once: list[int] = []
        for place in order:
            name = self.columns[NAMED_BY[self.table]][place]
            if not name:
                name = tuple(cells[place] for cells in self.columns.values())
            # The same name on another day is another partition's, as in compaction.
            event = self.days[place], name
            if event not in seen:
                seen.add(event)
                once.append(place)
        return once, len(order) - len(once)
