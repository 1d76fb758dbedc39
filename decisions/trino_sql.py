"""How the declared tables of the store are read in Trino, and in Athena, which is one: what stands after FROM, and what is there.

Tables that list their partitions hold `dt=unknown` too; where partitions are projected a second table does, `…_undated`.
"""

from __future__ import annotations

from decisions.partition import DAY, UNKNOWN_DAY
from decisions.sigma_sql import quoted, quoted_name
from decisions.store_ddl import TABLES, beside

EVER = ("0001-01-01", "9999-12-31")
"""Every day that there is: `unknown` is none of them, and is never asked of a projected partition, which is a date."""


def relation(table: str, name: str, days: tuple[str, str] | None, undated: bool) -> str:
    """What can stand after FROM: every column of a table of the store and `dt`, of these days and of no day.

    `name` is where it was declared; `undated`: whether the rows without a day have a table of their own.
    """
    listed = ", ".join(quoted_name(column) for column, _ in TABLES[table])
    return f"({_both(listed, name, days, undated)})"


def parts(name: str, days: tuple[str, str] | None, undated: bool, sizes: bool) -> str:
    """How many files hold the rows of these days, and their bytes (0 without `sizes`)."""
    size = '"$file_size"' if sizes else "0"
    both = _both(f'"$path" AS path, {size} AS size', name, days, undated)
    return f"SELECT count(*), coalesce(sum(size), 0) FROM (SELECT DISTINCT path, size FROM ({both}))"  # noqa: S608 - quoted


def edges(name: str, days: tuple[str, str] | None) -> str:
    """The first and the last of these days that have a row with a day."""
    day = quoted_name(DAY)
    return f"SELECT min({day}), max({day}) FROM {full_name(name)} WHERE {_within(days)}"  # noqa: S608 - checked names


def columns(name: str) -> str:
    """Names of the columns that a table was declared with; none if there is no such table."""
    *catalog, schema, table = name.split(".")
    source = f"{quoted_name(catalog[0])}." if catalog else ""
    where = f"table_schema = {quoted(schema)} AND table_name = {quoted(table)}"
    return f"SELECT column_name FROM {source}information_schema.columns WHERE {where}"  # noqa: S608 - quoted literals


def full_name(name: str) -> str:
    """A table's name with its schema and catalog, as it stands in SQL."""
    return ".".join(map(quoted_name, name.split(".")))


def _both(listed: str, name: str, days: tuple[str, str] | None, undated: bool) -> str:
    day = quoted_name(DAY)
    dated = f"SELECT {listed}, {day} FROM {full_name(name)} WHERE {_within(days)}"  # noqa: S608 - names are checked
    if not undated:
        return f"{dated} OR {day} = {quoted(UNKNOWN_DAY)}"
    rest = f"SELECT {listed}, {quoted(UNKNOWN_DAY)} AS {day} FROM {full_name(beside(name))}"  # noqa: S608 - checked names
    return f"{dated} UNION ALL {rest}"


def _within(days: tuple[str, str] | None) -> str:
    first, last = days or EVER
    return f"{quoted_name(DAY)} BETWEEN {quoted(max(first, EVER[0]))} AND {quoted(min(last, EVER[1]))}"
