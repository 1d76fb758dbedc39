"""The store as a real Trino reads it, by the statements that `vmexport store ddl` writes."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from decisions.store_ddl import TABLES
from tests.trino.conftest import Place
from tests.trino.stored import asking, declare, folder, lines, records

__all__ = ["folder"]


@pytest.mark.parametrize("table", TABLES)
def test_every_column_reads_as_duckdb_reads_it(trino: Place, schema: str, folder: Path, table: str) -> None:
    """All rows, all columns, the partition included; days that nobody can tell as well."""
    ask = asking(trino, schema)
    declare(ask, trino, folder, schema)
    names = ", ".join(f'"{name}"' for name, _ in (*TABLES[table], ("dt", "")))
    told = ask(f"SELECT {names} FROM {table}")
    files = f"read_parquet('{folder / table}/*/*.parquet', hive_partitioning = true, hive_types = {{'dt': varchar}})"
    wanted = duckdb.sql(f"SELECT {names} FROM {files}").fetchall()
    assert len(wanted) == len(records() if table == "cloudtrail" else lines())
    assert sorted(map(repr, map(tuple, told))) == sorted(map(repr, wanted))
    assert any(row[-1] == "unknown" for row in told)


def test_a_day_is_read_and_no_other(trino: Place, schema: str, folder: Path) -> None:
    """A part of another day may be unreadable: it is not opened."""
    ask = asking(trino, schema)
    declare(ask, trino, folder, schema)
    (folder / "cloudtrail" / "dt=2026-03-04" / "broken.parquet").write_bytes(b"PAR1 no parquet PAR1")
    assert ask("SELECT count(*) FROM cloudtrail WHERE dt = '2026-03-03'") == [[20]]
    plan = "\n".join(row[0] for row in ask("EXPLAIN SELECT \"eventID\" FROM cloudtrail WHERE dt = '2026-03-03'"))
    assert "dt:string:PARTITION_KEY" in plan
    assert "2026-03-04" not in plan
    with pytest.raises(Exception, match=r"broken\.parquet"):
        ask('SELECT max("eventID") FROM cloudtrail')
