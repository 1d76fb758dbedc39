"""Rules over the store with DuckDB: one scan for a whole pack, whatever their number."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from decisions.hunt_sql_rules import few, names_told
from decisions.sigma import Rule
from decisions.sigma_sql import Names, needed, quoted, quoted_name, where
from decisions.sigma_sql_duckdb import DuckDb
from decisions.store_schema import COLUMNS, IRREGULAR, row


def connect() -> duckdb.DuckDBPyConnection:
    """A database in memory that fetches nothing: neither extensions nor files by URL."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    connection.execute("SET preserve_insertion_order = false")
    return connection


def table_of(connection: duckdb.DuckDBPyConnection, name: str, records: Iterable[Mapping[str, Any]]) -> None:
    """A table of records under this name, for fixtures and for what has not been stored yet."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "records.ndjson"
        with file.open("w", encoding="utf-8") as written:
            for record in records:
                written.write(json.dumps(row(record), ensure_ascii=False) + "\n")
        columns = ", ".join(f"{quoted(column)}: {quoted(kind)}" for column, kind in COLUMNS)
        source = f"read_json({quoted(str(file))}, format = 'newline_delimited', columns = {{{columns}}})"
        connection.execute(f"CREATE TABLE {quoted_name(name)} AS SELECT * FROM {source}")  # noqa: S608 - names of ours


def names_of(connection: duckdb.DuckDBPyConnection, table: str) -> Names:
    """The different values of the columns that have few."""
    return names_told(connection.execute(few(table)).fetchall())


def hits(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rules: Sequence[Rule],
    columns: Sequence[str] = ("eventID",),
    condition: str = "true",
    names: Names | None = None,
) -> Iterator[tuple[tuple[str, ...], tuple[Any, ...]]]:
    """Ids of the rules that a row matches, and the columns asked for; one scan for all rules.

    `table` and `condition` (on partitions and times) are SQL of ours. `names`: what `names_of` told, to save asking again.
    """
    if not rules:
        return
    known = names_of(connection, table) if names is None else names
    cursor = connection.cursor()
    for irregular in (False, True):
        flagged = f"SELECT 1 FROM {table} WHERE {quoted_name(IRREGULAR)} LIMIT 1"  # noqa: S608 - names of ours
        if irregular and not cursor.execute(flagged).fetchall():
            return  # hardly any store has such rows, and planning their query takes longer than most scans
        cursor.execute(scan(table, rules, columns, condition, known, irregular))
        while rows := cursor.fetchmany(10_000):
            for matched, *cells in rows:
                yield tuple(matched), tuple(cells)


def scan(
    table: str, rules: Sequence[Rule], columns: Sequence[str], condition: str, names: Names, irregular: bool = False
) -> str:
    """The query of `hits` over regular rows or over the others: a row that can match no rule by its eventName is skipped."""
    dialect = DuckDb()
    predicates = [where(rule.detection, dialect, names)[irregular] for rule in rules]
    flag = quoted_name(IRREGULAR)
    first = (
        f"{flag} AND ({condition})"
        if irregular
        else f"NOT {flag} AND ({condition}) AND {_by_name(rules, predicates, names)}"
    )
    selected = ", ".join(quoted_name(column) for column in columns)
    query = f"SELECT {_matched(rules, predicates)} AS rules, {selected} FROM {table} WHERE {first}"  # noqa: S608 - rules' values are quoted literals
    return f"SELECT * FROM ({query}) WHERE len(rules) > 0"  # noqa: S608 - the same


def _matched(rules: Sequence[Rule], predicates: Sequence[str]) -> str:
    cases = ", ".join(
        f"CASE WHEN {predicate} THEN {quoted(rule.id)} END" for rule, predicate in zip(rules, predicates, strict=True)
    )
    return f"list_filter([{cases}], lambda id: id IS NOT NULL)"


def _by_name(rules: Sequence[Rule], predicates: Sequence[str], names: Names) -> str:
    listed: set[str] = set()
    others: list[str] = []
    for rule, predicate in zip(rules, predicates, strict=True):
        wanted = needed(rule.detection, "eventName", names["eventName"]) if "eventName" in names else None
        if wanted is None:
            others.append(predicate)
        else:
            listed |= wanted
    first = [f'"eventName" IN ({", ".join(map(quoted, sorted(listed)))})'] if listed else []
    return f"({' OR '.join([*first, *others]) or 'false'})"
