"""A real PostgreSQL for tests: one embedded cluster per worker process, a fresh migrated database per test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from records import embedded
from settings import database as database_settings
from settings import organization as organization_settings
from settings import records as records_settings

TEMPLATE = "vmexport_template"
_numbers = count(1)


def forget_settings() -> None:
    """Read the settings of the case store again at their next use."""
    organization_settings.organization.cache_clear()
    database_settings.database.cache_clear()
    records_settings.records.cache_clear()


def administer(cluster: embedded.Cluster, statement: str) -> None:
    """Run one statement that PostgreSQL allows in no transaction."""
    with psycopg.connect(
        host=str(cluster.socket_dir), dbname="postgres", user="postgres", autocommit=True
    ) as connection:
        connection.execute(statement.encode())


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Cluster]:
    """A cluster of our own; the database `vmexport_template` is migrated."""
    directory = tmp_path_factory.mktemp("postgres")
    running = embedded.start(directory)
    try:
        administer(running, f"create database {TEMPLATE}")
        _migrate(running.url(TEMPLATE))
        yield running
    finally:
        embedded.remove(directory)


def _migrate(url: str) -> None:
    from records import database

    before = os.environ.get("VMEXPORT_DATABASE_URL")
    os.environ["VMEXPORT_DATABASE_URL"] = url
    forget_settings()
    try:
        database.migrate()
        database.engine().dispose()
    finally:
        os.environ.pop("VMEXPORT_DATABASE_URL")
        if before is not None:
            os.environ["VMEXPORT_DATABASE_URL"] = before
        forget_settings()


@pytest.fixture
def database(cluster: embedded.Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty case store, to which `records` is pointed for one test; evidence and key lie in tmp_path.

    The organisation is that of organization.example.toml.
    """
    from records import database as module

    name = f"test_{next(_numbers)}"
    administer(cluster, f"create database {name} template {TEMPLATE}")
    monkeypatch.setenv("VMEXPORT_DATABASE_URL", cluster.url(name))
    monkeypatch.setenv("VMEXPORT_ORGANIZATION", str(organization_settings.EXAMPLE))
    monkeypatch.setenv("VMEXPORT_EVIDENCE_DIR", str(tmp_path / "evidence"))
    monkeypatch.setenv("VMEXPORT_SECRET_KEY_FILE", str(tmp_path / "secret.key"))
    forget_settings()
    yield cluster.url(name)
    module.engine().dispose()
    forget_settings()
    administer(cluster, f"drop database {name} with (force)")
