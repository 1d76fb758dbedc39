"""Where the files of an embedded cluster lie, and which account its server runs as."""

from __future__ import annotations

import os
import pwd
import re
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from records.postgres_binaries import Account, NoPostgres

ROOT_HOME = Path("/var/lib/vmexport")
UNPRIVILEGED = "nobody"
SOCKET_PATH = re.compile(r"[A-Za-z0-9_./-]{1,85}")
"""A socket's whole path must stay under 104 bytes, and its folder is read as one of a list."""


@dataclass(frozen=True)
class Place:
    """Where a cluster lies, and as whom it runs.

    `home` is ours and only the folders that `own` makes in it are the server's: as root we follow no link that the
    unprivileged account could lay.
    """

    home: Path
    account: Account
    copies: Path | None

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def run(self) -> Path:
        """The socket."""
        return self.home / "run"

    @property
    def log(self) -> Path:
        return self.home / "postgres.log"

    def log_since(self, offset: int) -> str:
        """What the server wrote after so many bytes of its log."""
        with self.log.open("rb") as log:
            log.seek(offset)
            return log.read().decode(errors="replace")

    def own(self, folder: Path) -> None:
        """Make a folder that only the server's account may enter."""
        folder.mkdir(mode=0o700, exist_ok=True)
        if options := self.account.subprocess_options:
            os.chown(folder, options["user"], options["group"], follow_symlinks=False)


def server_account() -> Account:
    """Ours, or as root the unprivileged one."""
    if os.geteuid():
        return Account()
    user = pwd.getpwnam(UNPRIVILEGED)
    return Account({"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []})


def made_place(directory: Path) -> Place | None:
    """Where the cluster of `directory` lies; None before the first start. Raises NoPostgres if it is gone."""
    if os.geteuid():
        return Place(directory, server_account(), None)
    named = directory / "cluster"
    if not named.exists():
        return None
    home = ROOT_HOME / Path(named.read_text()).name
    if not home.exists():
        raise NoPostgres(
            f"{home}, where the database of {directory} lay, is gone: restore it, or begin empty after "
            f"python -m records.embedded remove {directory}"
        )
    return Place(home, server_account(), ROOT_HOME)


def new_place(directory: Path) -> Place:
    """A place for a new cluster; only root needs one.

    A file in `directory` names the cluster: whoever deletes `directory` begins empty, as everybody else does.
    """
    ROOT_HOME.mkdir(exist_ok=True)
    ROOT_HOME.chmod(0o755)
    home = ROOT_HOME / secrets.token_hex(4)
    home.mkdir()
    home.chmod(0o711)
    (home / "origin").write_text(str(directory))
    (directory / "cluster").write_text(home.name)
    return Place(home, server_account(), ROOT_HOME)


def homes_of(directory: Path) -> list[Path]:
    """Every cluster that was made for `directory`, also those that no file names any more."""
    if os.geteuid():
        return [directory]
    return [o.parent for o in ROOT_HOME.glob("*/origin") if o.read_text() == str(directory)]


def socket_dir_of(place: Place) -> Path:
    """The folder of the socket: elsewhere if the path of the cluster is too long for one."""
    if SOCKET_PATH.fullmatch(str(place.run)):
        return place.run
    named = place.home / "socket-dir"
    if named.exists():
        far = Path(named.read_text())
        # /tmp is everybody's: a folder that was cleaned away may come back as somebody else's.
        if (
            far.is_dir()
            and not far.is_symlink()
            and (far.stat().st_uid, far.stat().st_mode & 0o077) == (os.geteuid(), 0)
        ):
            return far
    far = Path(tempfile.mkdtemp(prefix="vmexport-", dir="/tmp"))
    named.write_text(str(far))
    return far
