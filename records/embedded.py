"""A PostgreSQL of our own on one machine: made, started and stopped here, reachable through a UNIX socket only.

PostgreSQL refuses to run as root. As root the cluster therefore lies under /var/lib/vmexport and runs as `nobody`; the
permissions of no other folder are touched. Otherwise it lies in the folder that was asked for.

    python -m records.embedded start|stop|url|remove DIR
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from records.cluster_place import Place, homes_of, made_place, new_place, server_account, socket_dir_of
from records.postgres_binaries import Binaries, NoPostgres, find

DATABASES = ("prefect", "vmexport")
PORT = 5432
"""Names the socket only; nothing listens on TCP."""
START_SECONDS = 60.0
OPTIONS = ("-c", "listen_addresses=", "-c", "unix_socket_permissions=0700", "-c", "max_connections=200")

_started_here: list[subprocess.Popen[bytes]] = []
"""Servers that are our children and outlive us; kept, so that Python does not warn of them."""


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs."""

    directory: Path
    socket_dir: Path

    def url(self, database: str, driver: str = "psycopg") -> str:
        """SQLAlchemy's URL of one of its databases, for the driver `psycopg` or `asyncpg`."""
        return f"postgresql+{driver}://postgres@/{database}?host={quote(str(self.socket_dir), safe='/')}"

    def stop(self) -> None:
        """Stop it; a second call does nothing."""
        stop(self.directory)


def start(directory: Path) -> Cluster:
    """The running cluster of `directory`, with our databases: made at first use, started if it does not run.

    Recovers from a server that was killed. Safe for concurrent callers. Raises NoPostgres with the end of the log.
    """
    directory = directory.absolute()
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(directory):
        place = made_place(directory) or new_place(directory)
        socket_dir = _running(place)
        if socket_dir is None:
            binaries = _initialised(place)
            socket_dir = _started(place, binaries, socket_dir_of(place))
        _make_databases(socket_dir)
    return Cluster(directory, socket_dir)


def running(directory: Path) -> Cluster | None:
    """The cluster of `directory`, if it was made and runs now; starts nothing."""
    directory = directory.absolute()
    place = made_place(directory)
    socket_dir = _running(place) if place else None
    return Cluster(directory, socket_dir) if socket_dir else None


def stop(directory: Path) -> None:
    """Stop the cluster of `directory`, waiting for it; nothing happens if it does not run. Raises NoPostgres."""
    directory = directory.absolute()
    if not directory.exists():
        return
    with _locked(directory):
        place = made_place(directory)
        if place and _running(place):
            _stop(place)


def remove(directory: Path) -> None:
    """Stop the cluster of `directory` and delete it with all its data, also where `directory` itself is gone already."""
    directory = directory.absolute()
    for home in homes_of(directory):
        place = Place(home, server_account(), None)
        if _running(place):
            _stop(place)
        if (home / "made").exists():
            socket_dir = socket_dir_of(place)
            shutil.rmtree(home)
            shutil.rmtree(socket_dir, ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _initialised(place: Place) -> Binaries:
    """The programs of the cluster, which is made if there is none; one that was left half made is made anew."""
    version = place.data / "PG_VERSION"
    if (place.home / "made").exists():
        return find(place.account, place.copies, int(version.read_text()))
    binaries = find(place.account, place.copies)
    if place.data.exists():
        shutil.rmtree(place.data)
    place.own(place.data)
    done = place.account.run(
        binaries.folder / "initdb", "-D", place.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
    )  # fmt: skip
    if done.returncode:
        raise NoPostgres(f"initdb failed: {done.stdout[-2000:]}")
    (place.home / "made").touch()
    return binaries


def _started(place: Place, binaries: Binaries, socket_dir: Path) -> Path:
    """Start the server itself, not through pg_ctl, which hands paths to a shell; wait until it answers."""
    place.own(place.run)
    place.log.touch(mode=0o600)
    _started_here[:] = [server for server in _started_here if server.poll() is None]
    command = [binaries.folder / "postgres", "-D", place.data, "-k", socket_dir, *OPTIONS]
    end = time.monotonic() + START_SECONDS
    while True:
        with place.log.open("ab") as log:
            before = log.tell()
            server = place.account.begin(*command, log=log)
        while server.poll() is None:
            if _answers(socket_dir):
                _started_here.append(server)
                return socket_dir
            if time.monotonic() > end:
                raise NoPostgres(f"PostgreSQL (pid {server.pid}) does not answer; its log: {place.log}")
            time.sleep(0.02)
        said = place.log_since(before)
        # Backends of a killed server hold its shared memory until they notice.
        if "pre-existing shared memory block" not in said or time.monotonic() > end:
            raise NoPostgres(f"PostgreSQL did not start: {said[-1500:]}")
        time.sleep(0.1)


def _running(place: Place) -> Path | None:
    """The socket folder of the server if it answers; waits for one that is starting, and clears up after a dead one."""
    pid_file = place.data / "postmaster.pid"
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            lines = pid_file.read_text().splitlines()
        except FileNotFoundError:
            return None
        pid = int(lines[0]) if lines and lines[0].strip().isdigit() else None
        socket_dir = Path(lines[4]) if len(lines) > 4 and lines[4] else None
        if pid is None or not _is_server(pid, place.data):
            # PostgreSQL itself is fooled by a zombie and by a number that another process has by now.
            pid_file.unlink(missing_ok=True)
            if socket_dir:
                (socket_dir / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
            return None
        if socket_dir and _answers(socket_dir):
            return socket_dir
        if time.monotonic() > end:
            raise NoPostgres(f"PostgreSQL (pid {pid}) runs and does not answer; its log: {place.log}")
        time.sleep(0.05)


def _is_server(pid: int, data: Path) -> bool:
    process = Path(f"/proc/{pid}")
    if Path("/proc/self/stat").exists():
        try:
            # A zombie has an empty command line.
            return os.fsencode(data) in (process / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return False
    listed = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return str(data) in listed.stdout


def _answers(socket_dir: Path) -> bool:
    try:
        _connect(socket_dir, "postgres").close()
    except psycopg.OperationalError:
        return False
    return True


def _connect(socket_dir: Path, database: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=str(socket_dir), port=PORT, user="postgres", dbname=database, autocommit=True, connect_timeout=10
    )


def _make_databases(socket_dir: Path) -> None:
    with _connect(socket_dir, "postgres") as connection:
        present = {row[0] for row in connection.execute("select datname from pg_database")}
        for name in DATABASES:
            if name not in present:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))


def _stop(place: Place) -> None:
    pid = int((place.data / "postmaster.pid").read_text().splitlines()[0])
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)  # "fast": ends sessions, writes a checkpoint
    end = time.monotonic() + START_SECONDS
    while _is_server(pid, place.data):
        if time.monotonic() > end:
            raise NoPostgres(f"PostgreSQL (pid {pid}) does not stop; its log: {place.log}")
        time.sleep(0.02)


def main(arguments: list[str] | None = None) -> int:
    """The command line: prints the URL of our database, or says why there is none (exit 2)."""
    parser = argparse.ArgumentParser(
        prog="python -m records.embedded", description="Our own PostgreSQL on this machine."
    )
    parser.add_argument("what", choices=("start", "stop", "url", "remove"))
    parser.add_argument("directory", type=Path, metavar="DIR")
    given = parser.parse_args(arguments)
    try:
        if given.what in ("stop", "remove"):
            {"stop": stop, "remove": remove}[given.what](given.directory)
            return 0
        cluster = start(given.directory) if given.what == "start" else running(given.directory)
    except NoPostgres as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if cluster is None:
        sys.stderr.write(f"no cluster runs in {given.directory}: python -m records.embedded start {given.directory}\n")
        return 2
    sys.stdout.write(f"{cluster.url('vmexport')}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
