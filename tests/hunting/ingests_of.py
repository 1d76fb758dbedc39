"""What the tests of the Parquet store ask: what is in it, and whether that is what the files held."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import deflate
import duckdb
from sqlalchemy import text

from records.database import transaction
from tasks.hunting.ingest import IngestResult, folder_source, ingest
from tasks.hunting.layout import CLOUDTRAIL, listing
from tasks.hunting.store import Store
from tasks.hunting.store_folder import staging
from tasks.hunting.store_status import status
from tests.hunting.logs_of import compact, event, write

LIMIT = 64 * 1024 * 1024


def fill(logs: Path, folder: Path, workers: int | None = 1, limit: int = LIMIT) -> IngestResult:
    """One ingest, in this process."""
    return ingest(Store(folder), folder_source(logs), limit, workers)


def filled(folder: Path) -> Path:
    """A store of four ingests of the files below `logs`: ten events in five parts of three days."""
    logs, store = folder / "logs", folder / "store"
    for number in range(3):
        of_march = event(10 + number, eventTime=f"2026-03-0{1 + number % 2}T00:00:00Z")
        write(logs, compact([event(number, "B"), event(3 + number, "A"), of_march]), f"{number}.json.gz")
        fill(logs, store)
    write(logs, compact([event(20, eventTime=None)]), "no-time.json.gz")
    fill(logs, store)
    return store


def rows(folder: Path, table: str = "cloudtrail", columns: str = "*") -> list[tuple[Any, ...]]:
    """As anybody reads it who only lists the folder; an empty store has none."""
    store = Store(folder)
    if not store.parts(table):
        return []
    query = f"select {columns} from read_parquet('{store.glob(table)}', hive_partitioning = true)"
    return duckdb.execute(query).fetchall()


def event_ids(folder: Path) -> Counter[str]:
    """How often each event stands in the store."""
    return Counter(name for (name,) in rows(folder, columns="eventID"))


def written_ids(logs: Path) -> set[str]:
    """The events of files that are as CloudTrail writes them."""
    found: set[str] = set()
    for file in listing(logs).files:
        if file.kind == CLOUDTRAIL:
            records = json.loads(deflate.gzip_decompress(Path(file.path).read_bytes()))["Records"]
            found.update(record["eventID"] for record in records)
    return found


def findings() -> Counter[str]:
    """Every kept finding of an export by its event, with the number of times."""
    with transaction() as connection:
        return Counter(connection.execute(text("select document::json ->> 'event_id' from hunt_finding")).scalars())


def assert_sound(folder: Path) -> None:
    """Nothing is left over, and folder and manifest agree."""
    told = status(Store(folder))
    assert told.problems == ()
    assert told.pending == 0
    assert list(staging(Store(folder)).iterdir()) == []
