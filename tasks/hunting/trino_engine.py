"""Rules asked of a Trino: for `vmexport rules check`. Records go along in the query; nothing is written there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from decisions.sigma import Rule
from decisions.sigma_sql import Dialect, quoted, quoted_name, where
from decisions.store_schema import COLUMNS, IRREGULAR, row
from tasks.hunting.rules_check import Record
from tasks.hunting.table import Table

VALUES_LENGTH = 500_000
"""Characters of records in one query; Trino takes 1,000,000 in all (query.max-length)."""
RULES_AT_ONCE = 20
NUMBER = quoted_name("number")


class TrinoEngine:
    """Implements tasks.hunting.rules_check.Engine over any table whose dialect is Trino's."""

    name = "trino"

    def __init__(self, table: Table) -> None:
        self._table = table

    def refused(self, rules: Iterable[Rule]) -> Mapping[str, str]:
        """It refuses none."""
        return {}

    def matched(self, rules: Sequence[Rule], records: Sequence[Record]) -> list[set[str]]:
        """So many records and rules at a time as one query takes. Raises TableUnanswered."""
        found: list[set[str]] = [set() for _ in records]
        for values in _batches(_values(number, record) for number, record in enumerate(records)):
            for start in range(0, len(rules), RULES_AT_ONCE):
                some = rules[start : start + RULES_AT_ONCE]
                for number, *answers in self._table.rows(query(some, self._table.dialect, values)):
                    found[number] |= {rule.id for rule, answer in zip(some, answers, strict=True) if answer}
        return found


def query(rules: Sequence[Rule], dialect: Dialect, values: Sequence[str]) -> str:
    """The number of each record, and for each rule whether it matches.

    A column for each rule: Trino compiles each column by itself, and all that stands in one filter together, of which it
    takes so much only (QUERY_EXCEEDED_COMPILER_LIMIT).
    """
    flag = quoted_name(IRREGULAR)
    tests: list[str] = []
    for rule in rules:
        regular, irregular = where(rule.detection, dialect)
        tests.append(f"(NOT {flag} AND {regular}) OR ({flag} AND {irregular})")
    kinds = ", ".join([f"{NUMBER} bigint", *(f"{quoted_name(name)} {kind}" for name, kind in COLUMNS)])
    names = ", ".join([NUMBER, *(quoted_name(name) for name, _ in COLUMNS)])
    # One literal: rows of VALUES are planned, and tests of them carried out, one by one.
    records = f"CAST(json_parse({quoted('[' + ','.join(values) + ']')}) AS array(row({kinds})))"
    return f"SELECT {NUMBER}, {', '.join(tests)} FROM UNNEST({records}) AS records ({names})"  # noqa: S608 - quoted literals


def _values(number: int, record: Record) -> str:
    return json.dumps([number, *row(record).values()], ensure_ascii=False)


def _batches(values: Iterator[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    length = 0
    for value in values:
        if batch and length + len(value) > VALUES_LENGTH:
            yield batch
            batch, length = [], 0
        batch.append(value)
        length += len(value)
    if batch:
        yield batch
