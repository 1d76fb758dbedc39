"""Where `vmexport hunt` looks: each kind of store is one branch, made by its own module when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.hunting.coverage import Period
    from tasks.hunting.duckdb_table import DuckDbTable
    from tasks.hunting.source import Source
    from tasks.hunting.table import Table
    from tasks.hunting.table_coverage import NotWhole

Told = Callable[[str, int, int, int, int], None]
"""As cli/hunt_progress.Progress.told."""


@dataclass(frozen=True)
class Where:
    """What the user named; exactly one of them is to be set. Names are those of the options."""

    path: str | None = None
    store: Path | None = None
    elasticsearch: bool = False
    trino: bool = False
    athena: bool = False

    def __post_init__(self) -> None:
        """Raises UsageProblem when there is none, or more than one."""
        from cli.console import UsageProblem

        if len(self._asked) != 1:
            options = ", ".join(f"--{field.name}" for field in fields(self) if field.name != "path")
            got = f"got {' and '.join(self._asked)}" if self._asked else "got none"
            raise UsageProblem(f"Name one place to hunt in: PATH or one of {options} ({got}).")

    @property
    def named(self) -> str:
        """The one, for sentences."""
        return self._asked[0]

    @property
    def _asked(self) -> list[str]:
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return [_option(name, value) for name, value in given.items() if value]


def _option(name: str, value: object) -> str:
    if name == "path":
        return str(value)
    return f"--{name}" if value is True else f"--{name} {value}"


@contextmanager
def source(
    where: Where,
    period: Period,
    told: Told,
    workers: int | None = None,
    bucket_account: str | None = None,
    fresh: bool = False,
    validate: bool = False,
) -> Generator[Source]:
    """The source that was named, to be closed at the end. Raises UsageProblem when it cannot be used."""
    if where.store:
        with _store(where.store) as table:
            yield _of_table(table, period, _not_whole(where.store, period))
    elif where.elasticsearch:
        from cli import hunt_elasticsearch

        with hunt_elasticsearch.source(period, told, fresh) as asked:
            yield asked
    elif where.trino or where.athena:
        from cli import hunt_tables

        with hunt_tables.trino() if where.trino else hunt_tables.athena() as table:
            yield _of_table(table, period)
    else:
        yield _files(str(where.path), bucket_account, period, told, workers, validate)


def _files(path: str, account: str | None, period: Period, told: Told, workers: int | None, validate: bool) -> Source:
    from cli import hunt_buckets
    from settings.logs import logs
    from tasks.hunting.file_source import FileSource

    if path.startswith("s3:"):
        return hunt_buckets.files(path, account, period, told, workers, validate)
    return FileSource(existing(path), period, logs().log_file_max_bytes, workers, told)


def existing(path: str) -> Path:
    """A folder (or file) of logs. Raises UsageProblem where it is not there."""
    from cli.console import UsageProblem

    if not Path(path).exists():
        raise UsageProblem(f"{path} is not there. Name a folder of log files; it is searched to its bottom.")
    return Path(path)


def _store(folder: Path) -> DuckDbTable:
    from cli.console import UsageProblem
    from tasks.hunting.duckdb_table import DuckDbTable
    from tasks.hunting.store import Store

    if not folder.is_dir():
        raise UsageProblem(f"{folder} is not there. Name the folder of a store, which `vmexport store ingest` makes.")
    return DuckDbTable(Store(folder))


def _of_table(table: Table, period: Period, files: NotWhole | None = None) -> Source:
    from tasks.hunting.table_source import TableSource

    return TableSource(table, period, not_whole=files)


def _not_whole(folder: Path, period: Period) -> NotWhole | None:
    """What the case store's database knows of a store's log files, where there is one: none is started for it."""
    from records import embedded
    from settings.home import home

    if not os.environ.get("VMEXPORT_DATABASE_URL") and embedded.running(home().home / "postgres") is None:
        return None
    from sqlalchemy.exc import OperationalError, ProgrammingError

    from records.database import NoDatabase
    from tasks.hunting.store import Store
    from tasks.hunting.store_manifest import not_whole

    try:
        return not_whole(Store(folder), period)
    except (NoDatabase, OperationalError, ProgrammingError):
        return None  # the answer says that it is not known
