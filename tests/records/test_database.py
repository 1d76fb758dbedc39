"""The schema: made by migrations, the same as the code believes, whoever migrates and however often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from records import database as module
from records import embedded, ledger
from records.tables import metadata
from tests.postgres import administer, forget_settings


def test_the_tables_of_the_code_are_those_of_the_migrations(database):
    with module.transaction() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_eight_that_migrate_an_empty_database_at_once_all_succeed(cluster, monkeypatch):
    administer(cluster, "create database unmigrated")
    monkeypatch.setenv("VMEXPORT_DATABASE_URL", cluster.url("unmigrated"))
    forget_settings()
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(module.migrate) for _ in range(8)]:
            done.result()
    assert ledger.append("VMX-1", "gap", "flow", {}).seq == 1
    module.engine().dispose()


def test_migrating_again_keeps_what_is_there(database):
    before = ledger.append("VMX-1", "gap", "flow", {})
    assert module.main(["migrate"]) == 0
    assert ledger.entries("VMX-1") == (before,)


def test_the_engine_survives_a_restart_of_the_database(database, cluster):
    ledger.append("VMX-1", "gap", "flow", {})
    administer(cluster, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'vmexport'")
    assert ledger.append("VMX-1", "gap", "flow", {}).seq == 2


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:///x.db", "only PostgreSQL"),
        ("not a url", "is not a URL"),
        ("mysql://root:hunter2@db/x", "only PostgreSQL"),
    ],
)
def test_what_is_no_postgres_is_refused_without_showing_its_password(monkeypatch, capsys, url, words):
    monkeypatch.setenv("VMEXPORT_DATABASE_URL", url)
    forget_settings()
    assert module.main(["migrate"]) == 2
    said = capsys.readouterr().err
    forget_settings()
    assert words in said
    assert "hunter2" not in said


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+asyncpg"])
def test_the_usual_spellings_of_a_postgres_url_work(database, monkeypatch, scheme):
    monkeypatch.setenv("VMEXPORT_DATABASE_URL", database.replace("postgresql+psycopg", scheme))
    forget_settings()
    assert ledger.append("VMX-1", "gap", "flow", {}).seq == 1


def test_without_a_configured_database_our_own_is_used_if_it_runs_and_else_the_next_step_is_named(
    monkeypatch, tmp_path, capsys
):
    from settings.home import home

    monkeypatch.delenv("VMEXPORT_DATABASE_URL", raising=False)
    monkeypatch.setenv("VMEXPORT_HOME", str(tmp_path))
    home.cache_clear()
    forget_settings()
    assert module.main(["migrate"]) == 2
    assert "vmexport serve" in capsys.readouterr().err
    embedded.start(tmp_path / "postgres")
    try:
        assert module.main(["migrate"]) == 0
        assert ledger.append("VMX-1", "gap", "flow", {}).seq == 1
        module.engine().dispose()
    finally:
        embedded.remove(tmp_path / "postgres")
        home.cache_clear()
