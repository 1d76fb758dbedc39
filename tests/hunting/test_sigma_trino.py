"""Rules on a real Trino (VMEXPORT_TEST_TRINO_URL, with a catalog `memory`): the same records as the reference.

How to get one without Docker: notes/engines.md. Over HTTP, so that no client is needed for this alone.
"""

from __future__ import annotations

import os
import secrets
import time
from typing import Any

import httpx
import pytest

from decisions.sigma import matches
from decisions.sigma_sql import quoted, quoted_name, select
from decisions.sigma_sql_trino import Trino
from decisions.store_schema import COLUMNS, row
from tests.hunting.packs import PACKS
from tests.hunting.sigma_records import records

URL = os.environ.get("VMEXPORT_TEST_TRINO_URL", "")
HEADERS = {"X-Trino-User": "test", "X-Trino-Catalog": "memory", "X-Trino-Schema": "default"}
pytestmark = pytest.mark.skipif(not URL, reason="no Trino: set VMEXPORT_TEST_TRINO_URL")


def ask(sql: str) -> list[list[Any]]:
    """The rows of a statement."""
    rows: list[list[Any]] = []
    with httpx.Client(timeout=120) as client:
        answer = client.post(f"{URL}/v1/statement", content=sql.encode(), headers=HEADERS)
        while True:
            answer.raise_for_status()
            told = answer.json()
            assert "error" not in told, told["error"]["message"]
            rows += told.get("data") or []
            if "nextUri" not in told:
                return rows
            answer = client.get(told["nextUri"])


def started() -> None:
    """A server says that it is there before its node takes work: the first query that succeeds tells."""
    end = time.monotonic() + 60
    while True:
        try:
            ask("SELECT count(*) FROM (VALUES 1)")
        except (httpx.HTTPError, AssertionError):
            if time.monotonic() > end:
                raise
            time.sleep(0.5)
        else:
            return


def cell(value: Any) -> str:
    """One value of a row as SQL."""
    return "NULL" if value is None else str(value).lower() if isinstance(value, bool) else quoted(value)


@pytest.mark.parametrize("pack", PACKS)
def test_trino_says_what_the_reference_says_of_records_made_from_the_rules(pack: str):
    started()
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
