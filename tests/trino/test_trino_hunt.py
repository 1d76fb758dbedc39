"""A hunt by Trino finds what the same hunt finds in the files; one by Athena is the same SQL."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from decisions.hunt import HuntFinding, HuntResult
from lab.cloudtrail_generator import generate
from tasks.hunting.coverage import Period
from tasks.hunting.file_source import FileSource
from tasks.hunting.fixtures import load
from tasks.hunting.hunt import hunt
from tasks.hunting.table_source import TableSource
from tests.hunting.stores_of import stored
from tests.trino.conftest import Place
from tests.trino.stored import asking, declare, declare_projected
from tests.trino.test_trino_table import table_of

LIMIT = 64 * 1024 * 1024
PERIODS = {
    "open": Period(),
    "both ends": Period(datetime(2026, 3, 4, 7, 30, tzinfo=UTC), datetime(2026, 3, 8, 12, 15, 59, tzinfo=UTC)),
}


def told(result: HuntResult) -> dict[str, HuntFinding]:
    """Findings by id, but for where each was read."""
    return {one.id: one.model_copy(update={"origin": "", "record": None}) for one in result.findings}


@pytest.fixture(scope="module")
def made_up(trino: Place) -> tuple[Path, dict[str, Any], str]:
    """Logs of three accounts, the truth about them, and a schema with the tables of their store."""
    schema = f"m{secrets.token_hex(5)}"
    files = trino.files / f"{schema}-files"
    truth = generate(files, 20_000, days=14, seed=5)
    declare_all(trino, files, schema)
    return files, truth, schema


def declare_all(trino: Place, files: Path, schema: str) -> None:
    """The store of log files, its partitions listed, and in `…_projected` as Athena has them."""
    stored(files, trino.files / schema)
    ask = asking(trino)
    declare(ask, trino, trino.files / schema, schema)
    declare_projected(ask, trino, trino.files / schema, f"{schema}_projected")


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("way", ["", "_projected"])
def test_trino_and_files_give_the_same_findings(
    trino: Place, made_up: tuple[Path, dict[str, Any], str], period: str, way: str
) -> None:
    """Ids, kinds, what belongs to what, rules, correlations, and their numbers."""
    folder, truth, schema = made_up
    when, rules = PERIODS[period], load()
    files = hunt(FileSource(folder, when, LIMIT, workers=1), when, rules)
    with table_of(trino, schema + way) as table:
        found = hunt(TableSource(table, when), when, rules)
    assert told(found) == told(files)
    assert found.counts == files.counts
    assert found.coverage.files_searched > 0
    if period == "open":
        assert {one.event_id for one in found.findings if one.kind == "export"} == set(truth["exports"])
