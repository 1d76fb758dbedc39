"""Scheduled hunts by a real Trino: an export becomes a case once, and no whole answer is never taken for nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from settings import trino as trino_settings
from settings.trino import TrinoSettings
from tasks.hunting.table import TableUnanswered
from tasks.hunting.trino_table import TrinoTable
from tests.flows.harness import prefect
from tests.flows.hunts_of import EXPORT, FIRST, RECENT, assert_nights, assert_unanswered, configure, forgetting
from tests.hunting.logs_of import event
from tests.hunting.stores_of import store_of
from tests.trino.conftest import Place
from tests.trino.stored import asking, declare

__all__ = ["prefect"]

pytestmark = pytest.mark.usefixtures("prefect")


@pytest.fixture
def folder(trino: Place, database: str, schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a declared store with an export, configured as the source `lake`."""
    store = trino.files / schema
    store_of(store, [event(0), EXPORT, RECENT])
    (store / "access_log").mkdir()
    declare(asking(trino), trino, store, schema)
    monkeypatch.setenv("VMEXPORT_TRINO_URL", trino.url)
    monkeypatch.setenv("VMEXPORT_TRINO_TABLE", f"hive.{schema}.cloudtrail")
    configure(tmp_path, monkeypatch, f'[[source]]\nname = "lake"\nkind = "trino"\n{FIRST}\n')
    with forgetting(trino_settings.trino):
        yield store


@pytest.mark.usefixtures("folder")
def test_an_export_in_trino_is_a_case_once(tmp_path: Path) -> None:
    assert_nights("lake", tmp_path, "Searched 2 of 2 parts")


def test_trino_without_a_whole_answer_ends_the_run_with_the_reason(folder: Path) -> None:
    @contextmanager
    def damaged() -> Iterator[None]:
        whole = {part: part.read_bytes() for part in (folder / "cloudtrail").rglob("*.parquet")}
        for part, content in whole.items():
            part.write_bytes(b"PAR1" + bytes(len(content) - 8) + b"PAR1")
        try:
            yield
        finally:
            for part, content in whole.items():
                part.write_bytes(content)

    assert_unanswered("lake", damaged, TableUnanswered, "Look at query")


def test_how_far_a_query_is_can_be_told_while_a_run_waits_for_it(trino: Place) -> None:
    with TrinoTable(TrinoSettings(url=trino.url)) as table:
        assert "nothing of its query yet" in table.at_work()
        assert list(table.rows("SELECT 1 FROM UNNEST(sequence(1, 3))")) == [(1,)] * 3
        assert re.search(r"has done [1-9]\d* of [1-9]\d* splits", table.at_work())
