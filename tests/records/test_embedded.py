"""Our own PostgreSQL: made once, found again, recovered after kill -9, unreachable for anybody else."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from records import cluster_place, embedded, postgres_binaries


@pytest.fixture
def directory(tmp_path):
    yield tmp_path / "postgres"
    embedded.remove(tmp_path / "postgres")


def ask(cluster, query, database="vmexport"):
    with psycopg.connect(cluster.url(database).replace("+psycopg", ""), autocommit=True) as connection:
        said = connection.execute(query)
        return said.fetchone() if said.description else None


def postmaster(cluster):
    return int(ask(cluster, "select pg_read_file('postmaster.pid')")[0].splitlines()[0])


def test_it_holds_both_databases_and_listens_on_a_socket_only(directory):
    cluster = embedded.start(directory)
    assert ask(cluster, "select current_database()", "prefect") == ("prefect",)
    assert ask(cluster, "show listen_addresses") == ("",)
    assert ask(cluster, "show server_encoding") == ("UTF8",)
    assert ask(cluster, "select count(*) from pg_available_extensions where name = 'pg_trgm'") == (1,)
    assert stat.S_IMODE(cluster.socket_dir.stat().st_mode) == 0o700
    assert cluster.url("prefect", "asyncpg") == f"postgresql+asyncpg://postgres@/prefect?host={cluster.socket_dir}"


def test_a_second_start_finds_the_running_one_and_stop_may_be_called_twice(directory):
    first = embedded.start(directory)
    began = postmaster(first)
    with ThreadPoolExecutor(4) as pool:
        assert {postmaster(c) for c in pool.map(embedded.start, [directory] * 4)} == {began}
    assert embedded.running(directory) == first
    first.stop()
    first.stop()
    assert embedded.running(directory) is None


def test_what_was_written_is_there_after_a_stop(directory):
    cluster = embedded.start(directory)
    ask(cluster, "create table kept as select 7 as n")
    cluster.stop()
    assert ask(embedded.start(directory), "select n from kept") == (7,)


def test_after_kill_9_it_starts_again_with_everything_that_was_committed(directory):
    cluster = embedded.start(directory)
    ask(cluster, "create table kept as select 7 as n")
    with ThreadPoolExecutor(1) as pool:
        # A session that computes does not notice at once that its server is gone, and holds the shared memory.
        pool.submit(ask, cluster, "select count(*) from generate_series(1, 10000000) a where a % 7 = 0")
        while ask(cluster, "select count(*) from pg_stat_activity where query like '%7 = 0' and state = 'active'") == (
            0,
        ):
            time.sleep(0.01)
        os.kill(postmaster(cluster), signal.SIGKILL)
        assert ask(embedded.start(directory), "select n from kept") == (7,)


@pytest.fixture
def impostors():
    """Two processes of the server's own account: one that runs, one that has ended and that nobody has waited for."""
    account = cluster_place.server_account().subprocess_options
    alive = subprocess.Popen(["sleep", "120"], cwd="/", **account)
    zombie = subprocess.Popen(["true"], cwd="/", stdout=subprocess.PIPE, **account)
    zombie.stdout.read()
    yield alive.pid, zombie.pid
    alive.kill()
    alive.wait()
    zombie.wait()


def test_a_pid_file_whose_number_another_process_or_a_zombie_has_by_now_does_not_stop_it(directory, impostors):
    cluster = embedded.start(directory)
    data = Path(ask(cluster, "show data_directory")[0])
    held = (data / "postmaster.pid").read_text().splitlines()
    for number in impostors:
        cluster.stop()
        (data / "postmaster.pid").write_text("\n".join([str(number), *held[1:]]) + "\n")
        (cluster.socket_dir / ".s.PGSQL.5432.lock").write_text(f"{number}\n")
        assert ask(embedded.start(directory), "select 1") == (1,)


def test_a_cluster_that_was_left_half_made_is_made_anew(directory):
    cluster = embedded.start(directory)
    data = Path(ask(cluster, "show data_directory")[0])
    cluster.stop()
    (data.parent / "made").unlink()
    (data / "global/pg_control").unlink()
    assert ask(embedded.start(directory), "select 1") == (1,)


def test_a_long_path_with_odd_characters_works(tmp_path):
    deep = tmp_path / ("long-" * 25) / 'it\'s a "path"; $(touch /tmp/x), é'
    try:
        cluster = embedded.start(deep)
        assert len(str(cluster.socket_dir)) < 90
        assert ask(cluster, "select 1") == (1,)
        cluster.stop()
        assert ask(embedded.start(deep), "select 1") == (1,)
    finally:
        embedded.remove(deep)


def test_no_permission_of_a_folder_that_is_not_its_own_is_touched(tmp_path):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    watched = [p for p in (private, *private.parents)]
    before = [p.stat().st_mode for p in watched]
    try:
        embedded.start(private / "postgres")
        assert [p.stat().st_mode for p in watched] == before
    finally:
        embedded.remove(private / "postgres")


def test_removing_leaves_nothing_behind_even_after_the_folder_was_deleted(tmp_path):
    import shutil

    cluster = embedded.start(tmp_path / "postgres")
    home = Path(ask(cluster, "show data_directory")[0]).parent
    if os.geteuid() == 0:
        shutil.rmtree(tmp_path / "postgres")
    embedded.remove(tmp_path / "postgres")
    assert not home.exists()
    assert not cluster.socket_dir.exists()
    assert str(home) not in subprocess.run(["ps", "ax"], capture_output=True, text=True, check=True).stdout


def test_where_no_system_postgres_runs_the_wheel_serves(directory, monkeypatch):
    monkeypatch.setattr(postgres_binaries, "_system", lambda account: iter(()))
    cluster = embedded.start(directory)
    assert ask(cluster, "show server_version_num")[0].startswith("18")
    assert ask(cluster, "select count(*) from pg_available_extensions where name = 'pg_trgm'") == (1,)


def test_a_cluster_of_a_version_that_is_gone_is_left_alone_and_said(directory):
    cluster = embedded.start(directory)
    data = Path(ask(cluster, "show data_directory")[0])
    cluster.stop()
    was = (data / "PG_VERSION").read_text()
    (data / "PG_VERSION").write_text("9\n")
    with pytest.raises(postgres_binaries.NoPostgres, match="PostgreSQL 9, which is not installed"):
        embedded.start(directory)
    (data / "PG_VERSION").write_text(was)
    assert ask(embedded.start(directory), "select 1") == (1,)


def test_the_command_line_starts_names_and_stops(directory):
    def said(what):
        return subprocess.run(
            [sys.executable, "-m", "records.embedded", what, str(directory)],
            capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
        )  # fmt: skip

    assert said("url").returncode == 2
    started = said("start")
    assert (started.returncode, said("url").stdout) == (0, started.stdout)
    assert said("stop").returncode == 0
    stopped = said("url")
    assert stopped.returncode == 2
    assert "records.embedded start" in stopped.stderr
