"""Rules on a real Trino: the same records as the reference."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from trino.dbapi import connect

from decisions.sigma import matches
from decisions.sigma_sql import quoted, quoted_name, select
from decisions.sigma_sql_trino import Trino
from decisions.store_schema import COLUMNS, row
from tests.hunting.packs import PACKS
from tests.hunting.sigma_records import records
from tests.trino.conftest import Place


def cell(value: Any) -> str:
    """One value of a row as SQL."""
    return "NULL" if value is None else str(value).lower() if isinstance(value, bool) else quoted(value)


@pytest.mark.parametrize("pack", PACKS)
def test_trino_says_what_the_reference_says_of_records_made_from_the_rules(pack: str, trino: Place):
    with connect(host=trino.url, user="test", catalog="memory", schema="default") as connection:
        compare(pack, lambda sql: connection.cursor().execute(sql).fetchall())


def compare(pack: str, ask: Callable[[str], list[Any]]) -> None:
    rules = PACKS[pack]().rules
    made = [record for rule in rules for record in records(rule.detection, 20, f"trino-{rule.id}")]
    population = [record | {"eventID": str(number)} for number, record in enumerate(made)]
    table = f"t{secrets.token_hex(5)}"
    ask(f"CREATE TABLE {table} ({', '.join(f'{quoted_name(name)} {kind}' for name, kind in COLUMNS)})")
    try:
        rows = [f"({', '.join(map(cell, row(record).values()))})" for record in population]
        for start in range(0, len(rows), 60):
            ask(f"INSERT INTO {table} VALUES {', '.join(rows[start : start + 60])}")
        identity = "coalesce(\"eventID\", json_extract_scalar(rest, '$.eventID'))"
        for rule in rules:
            wanted = {record["eventID"] for record in population if matches(rule, record)}
            told = {event_id for (event_id,) in ask(select(rule.detection, Trino(), table, identity))}
            assert told == wanted, (rule.title, [population[int(n)] for n in sorted(told ^ wanted)[:2]])
    finally:
        ask(f"DROP TABLE {table}")
