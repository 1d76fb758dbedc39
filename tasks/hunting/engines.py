"""The engines that are here: always the reference, DuckDB and the scanner of raw files; the others where they are configured, else named as absent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tasks.hunting.raw_engine import Raw
from tasks.hunting.rules_check import DuckDb, Engine, Reference


@contextmanager
def present() -> Iterator[tuple[list[Engine], list[str]]]:
    """The engines, and a sentence for each that is not there."""
    yield (
        [Reference(), DuckDb(), Raw(), Raw(whole=True)],
        [
            "elasticsearch: its documents are made by the integration's pipeline; tests/elastic/test_sigma.py asks a real one",
            "trino: tests/hunting/test_sigma_trino.py asks the one that VMEXPORT_TEST_TRINO_URL names",
        ],
    )
