"""What Trino and Athena answer alike about the tables that `vmexport store ddl` declared: the same SQL for both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from decisions import trino_sql
from decisions.partition import DAY
from decisions.sigma_sql_trino import Trino
from decisions.store_ddl import TABLES, beside
from tasks.hunting.table import Days, Parts, TableUnanswered

STATEMENT_BYTES = 150_000
"""Trino compiles the conditions of a query into Java methods, which may not be of any length
(QUERY_EXCEEDED_COMPILER_LIMIT at 270,000 bytes, none seen at 160,000); Athena takes 262,144 bytes in all."""


class DeclaredTables(ABC):
    """A Table (tasks/hunting/table.py) but for `rows`, which each engine is asked by a way of its own."""

    sizes = True
    """Whether the engine tells how large a file is."""

    def __init__(self, name: str, engine: str, tables: Mapping[str, str]) -> None:
        self.name = name
        self.dialect = Trino()
        self.statement_bytes = STATEMENT_BYTES
        self._engine = engine
        self._tables = dict(tables)
        self._known: dict[str, bool] = {}
        self._edges: dict[tuple[str, Days | None], Days | None] = {}

    @abstractmethod
    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """The whole answer to a query. Raises TableUnanswered, rather than to give a part of it."""

    def holds(self, table: str) -> bool:
        """Whether it is declared. Raises TableUnanswered when another table has its name, and when there is none at all."""
        if self._declared(self._tables[table], table):
            return True
        if not any(self._declared(name, each) for each, name in self._tables.items()):
            raise TableUnanswered(
                f"{self.name} has no {' and no '.join(self._tables.values())}. Declare them with "
                f"`vmexport store ddl --for {self._engine.lower()}`, or name those that there are."
            )
        return False

    def relation(self, table: str, days: Days | None) -> str:
        """The table, or both of them where rows without a day stand apart."""
        return trino_sql.relation(table, self._tables[table], self._narrowed(table, days), self._undated(table))

    def parts(self, table: str, days: Days | None) -> Parts:
        """Files that hold rows of these days; of other days nothing is asked."""
        inside = self._narrowed(table, days)
        query = trino_sql.parts(self._tables[table], inside, self._undated(table), self.sizes)
        for count, size in self.rows(query):
            return Parts(found=int(count), searched=int(count), packed_bytes=int(size), notes=self.notes(table))
        raise TableUnanswered(f"{self.name} gave no answer to a count.")

    def days(self, table: str) -> Days | None:
        """The first and the last day that it has rows of; None if there is none. Raises TableUnanswered."""
        (first, last), *_ = self.rows(trino_sql.edges(self._tables[table], None))
        return None if first is None else (str(first), str(last))

    def notes(self, table: str) -> tuple[str, ...]:
        """What the answer does not cover for certain."""
        if self._undated(table):
            return (
                f"{self._tables[table]} is read by projected partitions: days outside of their range are not seen.",
            )
        return (f"Of {self._tables[table]} the days are read that {self._engine} was told of (`vmexport store ddl`).",)

    def _narrowed(self, table: str, days: Days | None) -> Days | None:
        """Of projected partitions those from the first to the last that there is, looked for once.

        An engine lists the folder of each day of the range, in each scan of each query, whether there is one or not.
        """
        if not self._undated(table):
            return days
        if (table, days) not in self._edges:
            (first, last), *_ = self.rows(trino_sql.edges(self._tables[table], days))
            self._edges[table, days] = days if first is None else (str(first), str(last))
        return self._edges[table, days]

    def _undated(self, table: str) -> bool:
        return self._declared(beside(self._tables[table]), table)

    def _declared(self, name: str, table: str) -> bool:
        if name not in self._known:
            there = {str(column).lower() for (column,) in self.rows(trino_sql.columns(name))}
            undated = name != self._tables[table]
            wanted = {column.lower() for column, _ in TABLES[table]} | (set() if undated else {DAY})
            if there and (missing := sorted(wanted - there)):
                raise TableUnanswered(
                    f"{self.name}: {name} is no table of the store: it has no {', '.join(missing[:3])}. Declare one with "
                    f"`vmexport store ddl --for {self._engine.lower()}`, and name it."
                )
            self._known[name] = bool(there)
        return self._known[name]
