"""Writes rows as Parquet parts: sorted, packed with zstd, one file for each day, by DuckDB on one thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb

from decisions import access_log_schema, store_schema
from decisions.sigma_sql import quoted
from records.manifest import Part
from tasks.hunting.store import ACCESS_LOG, CLOUDTRAIL
from tasks.hunting.store_folder import synced

COLUMNS = {CLOUDTRAIL: store_schema.COLUMNS, ACCESS_LOG: access_log_schema.COLUMNS}
SORTED_BY = {CLOUDTRAIL: ("eventSource", "eventName", "eventTime"), ACCESS_LOG: access_log_schema.SORTED_BY}
FORMAT = "format parquet, compression zstd, compression_level 1, row_group_size 10240"
"""Level 3 and level 1 take the same room on such data, and level 1 two thirds of the time. A hunt unpacks the row group of each
of its few hits: small ones take a hundredth more room, and a twelfth of that time."""
MEMORY = "1GB"


class NotWritten(RuntimeError):
    """A part could not be written: the disk is full, or DuckDB refuses."""


def connected(threads: int = 1, memory: str = MEMORY) -> duckdb.DuckDBPyConnection:
    """A DuckDB without extensions and without a home, that keeps rows in their order."""
    config: dict[str, Any] = {"threads": threads, "memory_limit": memory, "autoinstall_known_extensions": False}
    return duckdb.connect(config=config | {"autoload_known_extensions": False, "preserve_insertion_order": True})


def copied(connection: duckdb.DuckDBPyConnection, folder: Path, table: str, day: str, query: str, rows: int) -> Part:
    """A part from a query of ours. Raises NotWritten, and leaves nothing then."""
    path = folder / f"{uuid4().hex}.parquet"
    try:
        connection.execute(f"copy ({query}) to {quoted(str(path))} ({FORMAT})")
        synced(path)
    except (duckdb.Error, OSError) as error:
        path.unlink(missing_ok=True)
        raise NotWritten(f"a part of {table} {day} could not be written: {str(error).splitlines()[0]}") from error
    return Part(table, day, path.name, rows, path.stat().st_size)
