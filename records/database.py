"""The database of the case store: one engine per process, and its schema.

python -m records.database migrate
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError

from records import embedded
from settings.database import database as settings
from settings.home import home

MIGRATION_LOCK = 0x766D_6578_0001
"""Advisory lock: one migration at a time, whoever starts it."""
LIMITS = "-c timezone=UTC -c lock_timeout=30s -c idle_in_transaction_session_timeout=120s"
"""A process that hangs with a lock ends in an error somewhere, not in everybody waiting for ever."""


class NoDatabase(RuntimeError):
    """No usable database is configured, and what to do about it."""


def engine() -> Engine:
    """The engine of the configured database, one per process and URL. Raises NoDatabase."""
    return _engine(_url(), settings().database_pool)


@lru_cache
def _engine(url: URL, pool: int) -> Engine:
    return create_engine(
        url,
        pool_size=pool,
        max_overflow=pool,
        pool_pre_ping=True,  # the database may have been restarted since
        hide_parameters=True,  # values are case contents; they stay out of logs
        connect_args={"connect_timeout": 10, "application_name": "vmexport", "options": LIMITS},
    )


def _url() -> URL:
    given = settings().database_url
    if given is None:
        return _embedded_url(home().home / "postgres")
    try:
        url = make_url(given.get_secret_value())
    except ArgumentError:
        raise NoDatabase("VMEXPORT_DATABASE_URL is not a URL like postgresql://user:password@host/vmexport") from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise NoDatabase(f"VMEXPORT_DATABASE_URL names {url.get_backend_name()}; only PostgreSQL keeps the cases")
    return url.set(drivername="postgresql+psycopg")


@lru_cache
def _embedded_url(directory: Path) -> URL:
    """Found once: a cluster that is started again has the same socket."""
    cluster = embedded.running(directory)
    if cluster is None:
        raise NoDatabase(
            f"no database: set VMEXPORT_DATABASE_URL, or run `vmexport serve`, which starts one in {directory}"
        )
    return make_url(cluster.url("vmexport"))


@contextmanager
def transaction() -> Iterator[Connection]:
    """One transaction: committed at the end of the block, rolled back if it raises."""
    with engine().begin() as connection:
        yield connection


def migrate() -> None:
    """Bring the schema up to date; does nothing when it is. Safe for concurrent callers."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    with transaction() as connection:
        # A long migration elsewhere is worth waiting for.
        connection.execute(text("set local lock_timeout = 0"))
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def main(arguments: list[str]) -> int:
    """The command line; 2 with the next step when it cannot be done."""
    if arguments != ["migrate"]:
        sys.stderr.write("usage: python -m records.database migrate\n")
        return 2
    try:
        migrate()
    except (NoDatabase, embedded.NoPostgres) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
