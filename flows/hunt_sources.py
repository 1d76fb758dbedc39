"""Where a scheduled hunt looks: each kind of source of hunts.toml is one branch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from flows.hunt_files import folder_of
from flows.hunt_progress import ProgressLog
from settings.elastic import elasticsearch
from settings.home import home
from settings.hunts import HuntSource, HuntsUnusable
from settings.logs import logs
from settings.trino import trino
from tasks.elastic.hunt import ElasticSource, question
from tasks.elastic.hunt_checkpoint import opened as checkpoint
from tasks.hunting import athena_table
from tasks.hunting.coverage import Period
from tasks.hunting.duckdb_table import DuckDbTable
from tasks.hunting.file_source import FileSource
from tasks.hunting.source import Source
from tasks.hunting.store import Store
from tasks.hunting.store_manifest import not_whole
from tasks.hunting.table_source import TableSource
from tasks.hunting.trino_table import TrinoTable

ANOTHERS_END = 3600.0
"""Seconds that a hunt waits for one of another account in the same Elasticsearch, whose finished days it need not ask for."""


@contextmanager
def opened(place: HuntSource, progress: ProgressLog) -> Iterator[Callable[[Period], Source]]:
    """What gives the source over a period, to be closed at the end: one hunt, with one limit of what it may cost.

    Raises HuntsUnusable where it is not there, and what each kind raises.
    """
    if place.store or place.kind == "store":
        store = Store(_store(place))
        with DuckDbTable(store) as table:
            yield lambda period: TableSource(table, period, not_whole=not_whole(store, period))
    elif place.kind == "files":
        folder, limit = folder_of(place), logs().log_file_max_bytes
        yield lambda period: FileSource(folder, period, limit, progress=progress.told)
    elif place.kind == "elasticsearch":
        own = elasticsearch()
        if not own.configured:
            raise HuntsUnusable("Elasticsearch is not configured: set VMEXPORT_ELASTICSEARCH_URL")
        with checkpoint(home().home / "hunts", question(own), wait=ANOTHERS_END) as finished:
            yield lambda period: ElasticSource(own, period, finished, progress.told)
    elif place.kind == "trino":
        with TrinoTable(trino()) as table:
            progress.engine = table.at_work
            yield partial(TableSource, table)
    else:
        table = athena_table.of_settings()
        progress.engine = table.spent.sentence
        yield partial(TableSource, table)


def _store(place: HuntSource) -> Path:
    folder = place.store or Path(str(place.place))
    if not folder.is_dir():
        raise HuntsUnusable(f"the store of {place.name}, {folder}, is not there: `vmexport store ingest` makes one")
    return folder
