"""The statements that declare the Parquet store to Athena, Trino and Spark: ordinary tables, partitioned by day.

Athena projects the partitions from their form, so that nothing need be told to it after an ingest; what tells no day of its
own (`dt=unknown`) cannot be projected, and is a table of its own beside each, `…_undated`. Trino and Spark list partitions.
Names and locations come from a person: what could end a literal or a name is refused, never escaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Literal

from decisions import access_log_schema, store_schema
from decisions.partition import DAY, UNKNOWN_DAY

Engine = Literal["athena", "trino", "spark"]
ENGINES: tuple[Engine, ...] = ("athena", "trino", "spark")
TABLES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "cloudtrail": store_schema.COLUMNS,
    "access_log": access_log_schema.COLUMNS,
}
"""The tables of the store, and the columns of each, without the partition."""
UNDATED = "_undated"
"""What the name of the table ends with that holds `dt=unknown`, where partitions are projected."""
BEGINNINGS = {"cloudtrail": "2013-11-13", "access_log": "2006-03-14"}
"""The days on which AWS began to write such logs: no partition can be older."""
SCHEMES: Mapping[Engine, tuple[str, ...]] = {
    "athena": ("s3",),
    "trino": ("s3", "s3a", "gs", "abfs", "abfss", "hdfs", "local", "file"),
    "spark": ("s3", "s3a", "gs", "abfs", "abfss", "hdfs", "file"),
}
_LOCATION = re.compile(r"([a-z0-9]+)://([a-zA-Z0-9.@_-]*)((?:/[A-Za-z0-9_.=+@-]+)*)/?", re.ASCII)
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,127}(?:\.[a-z_][a-z0-9_]{0,127}){0,2}", re.ASCII)


def ddl(engine: Engine, location: str, names: Mapping[str, str] | None = None, first: str | None = None) -> str:
    """The statements, each ended by a semicolon, with what to know in comments.

    `location` is the store's folder; `names` gives tables other names, `schema.table` as well; `first` is the first day
    whose partition Athena looks for. Raises ValueError, with a sentence.
    """
    root = checked_location(engine, location)
    started = _day(first) if first else None
    told: list[str] = []
    for table, columns in TABLES.items():
        name = checked_name((names or {}).get(table, table))
        where = f"{root}/{table}"
        match engine:
            case "athena":
                told += _athena(name, columns, where, started or BEGINNINGS[table])
            case "trino":
                told += _trino(name, columns, where)
            case "spark":
                told += _spark(name, columns, where)
    return "\n\n".join([_ABOUT[engine], *told]) + "\n"


def statements(text: str) -> list[str]:
    """The statements of `ddl`, one by one, without comments and semicolons: no literal in them can hold either."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return [one.strip() for one in lines.split(";") if one.strip()]


def checked_location(engine: Engine, location: str) -> str:
    """A URL of a folder, without the last slash; a folder of this machine becomes one. Raises ValueError."""
    given = f"file://{location}" if location.startswith("/") and "file" in SCHEMES[engine] else location
    found = _LOCATION.fullmatch(given)
    allowed = ", ".join(f"{scheme}://" for scheme in SCHEMES[engine])
    if not found or found[1] not in SCHEMES[engine]:
        raise ValueError(
            f"{location!r} is no place that {engine.capitalize()} could read: write {allowed}"
            f"{' or a folder from its root' if 'file' in SCHEMES[engine] else ''}, in letters, digits and _ . = + @ -"
        )
    if not found[2] and found[1] not in {"file", "local"}:
        raise ValueError(f"{location!r} names no bucket")
    if any(part in {".", ".."} for part in found[3].split("/")):
        raise ValueError(f"{location!r}: write the path without . and ..")
    return given.rstrip("/")


def checked_name(name: str) -> str:
    """A table's name, with its schema and catalog if they are given. Raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a table: small letters, digits and _, as in hunting.cloudtrail")
    return name


def beside(name: str, ending: str = UNDATED) -> str:
    """The name of the table of what has no day."""
    return name + ending


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise ValueError(f"{text!r} is no day: write it as 2024-01-31") from error


def _athena(name: str, columns: tuple[tuple[str, str], ...], where: str, first: str) -> list[str]:
    listed = _columns(columns, "`", {"varchar": "string"})
    properties = {
        "projection.enabled": "true",
        f"projection.{DAY}.type": "date",
        f"projection.{DAY}.format": "yyyy-MM-dd",
        f"projection.{DAY}.range": f"{first},NOW+1DAYS",
        f"projection.{DAY}.interval": "1",
        f"projection.{DAY}.interval.unit": "DAYS",
    }
    told = ",\n".join(f"  '{key}' = '{value}'" for key, value in properties.items())
    dated = (
        f"CREATE EXTERNAL TABLE {_quoted(name, '`')} (\n{listed}\n)\nPARTITIONED BY (`{DAY}` string)\nSTORED AS PARQUET\n"
        f"LOCATION '{where}/'\nTBLPROPERTIES (\n{told}\n);"
    )
    undated = (
        f"CREATE EXTERNAL TABLE {_quoted(beside(name), '`')} (\n{listed}\n)\nSTORED AS PARQUET\n"
        f"LOCATION '{where}/{DAY}={UNKNOWN_DAY}/';"
    )
    return [dated, undated]


def _trino(name: str, columns: tuple[tuple[str, str], ...], where: str) -> list[str]:
    *place, table = name.split(".")
    listed = _columns((*columns, (DAY, "varchar")), '"', {})
    catalog = f'"{place[0]}".' if len(place) == 2 else ""
    schema = f"'{place[-1]}'" if place else "current_schema"
    create = (
        f"CREATE TABLE {_quoted(name, chr(34))} (\n{listed}\n)\nWITH (\n  format = 'PARQUET',\n"
        f"  external_location = '{where}',\n  partitioned_by = ARRAY['{DAY}']\n);"
    )
    return [create, f"CALL {catalog}system.sync_partition_metadata({schema}, '{table}', 'FULL');"]


def _spark(name: str, columns: tuple[tuple[str, str], ...], where: str) -> list[str]:
    listed = _columns(
        (*columns, (DAY, "varchar")), "`", {"varchar": "STRING", "boolean": "BOOLEAN", "bigint": "BIGINT"}
    )
    create = f"CREATE TABLE {_quoted(name, '`')} (\n{listed}\n)\nUSING PARQUET\nPARTITIONED BY (`{DAY}`)\nLOCATION '{where}';"
    return [create, f"MSCK REPAIR TABLE {_quoted(name, '`')};"]


def _columns(columns: tuple[tuple[str, str], ...], mark: str, types: Mapping[str, str]) -> str:
    return ",\n".join(f"  {mark}{name}{mark} {types.get(kind, kind)}" for name, kind in columns)


def _quoted(name: str, mark: str) -> str:
    return ".".join(f"{mark}{part}{mark}" for part in name.split("."))


_ABOUT: Mapping[Engine, str] = {
    "athena": (
        "-- Run each statement by itself: Athena takes one at a time. Partitions are projected: after an ingest there is\n"
        "-- nothing to do. A query without a condition on dt looks for every day of the range: begin it with your first day\n"
        "-- (--first-day). Rows of a day outside of the range are not seen; rows without a day are in the tables …_undated."
    ),
    "trino": (
        "-- For the Hive connector. Run the CALLs again after each ingest that begins a new day: Trino reads the partitions\n"
        "-- that it was told of. Where the catalog has hive.partition-projection-enabled=true and its metastore is Glue, the\n"
        "-- tables that `--for athena` declares can be read instead, and nothing need be called."
    ),
    "spark": (
        "-- Run MSCK REPAIR TABLE again after each ingest that begins a new day: Spark reads the partitions that it was told\n"
        "-- of. Needs a metastore (spark.sql.catalogImplementation=hive) if the tables are to outlive the session."
    ),
}
