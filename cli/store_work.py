"""What every command on a store needs: the case store's database, and sentences for what can go wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def case_store() -> Iterator[None]:
    """The database that is configured; else our own, started if it does not run, and stopped again if nobody else uses it."""
    from records import database, embedded
    from settings.home import home

    if os.environ.get("VMEXPORT_DATABASE_URL"):
        yield
        return
    directory = home().home / "postgres"
    ran = embedded.running(directory) is not None
    cluster = embedded.start(directory)
    try:
        database.migrate()
        yield
    finally:
        if not ran and not _used_by_others():
            database.engine().dispose()
            cluster.stop()


@contextmanager
def working(folder: Path) -> Iterator[None]:
    """Turns what a store cannot do into a sentence with the next step."""
    from cli.console import UsageProblem
    from records.store_parts import Busy
    from tasks.hunting.parquet_parts import NotWritten
    from tasks.hunting.store_folder import StoreUnusable

    try:
        yield
    except Busy as error:
        raise UsageProblem(f"{folder}: {error}. Wait until it has ended; two at a time are refused.") from error
    except StoreUnusable as error:
        raise UsageProblem(f"{error}.") from error
    except NotWritten as error:
        raise UsageProblem(
            f"{error}. Nothing unfinished is visible, and what was told of before stays. Make room, and run it again."
        ) from error


def _used_by_others() -> bool:
    from sqlalchemy import text

    from records import database

    query = text(
        "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
    )
    database.engine().dispose()  # connections of ours that lie in the pool are no users
    with database.transaction() as connection:
        return connection.execute(query).scalar_one() > 0
