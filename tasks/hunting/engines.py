"""The engines that are here: always the reference, DuckDB and the scanner of raw files; the others where they are configured, else named as absent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from settings.trino import trino
from tasks.hunting.raw_engine import Raw
from tasks.hunting.rules_check import DuckDb, Engine, Reference
from tasks.hunting.trino_engine import TrinoEngine
from tasks.hunting.trino_table import TrinoTable


@contextmanager
def present() -> Iterator[tuple[list[Engine], list[str]]]:
    """The engines, and a sentence for each that is not there."""
    absent = [
        "elasticsearch: its documents are made by the integration's pipeline; tests/elastic/test_sigma.py asks a real one"
    ]
    engines: list[Engine] = [Reference(), DuckDb(), Raw(), Raw(whole=True)]
    if trino().url is None:
        yield (
            engines,
            [*absent, "trino: set VMEXPORT_TRINO_URL; records go along in the queries, nothing is written there"],
        )
        return
    with TrinoTable(trino()) as table:
        yield [*engines, TrinoEngine(table)], absent
