"""A folder for copies of objects while they are read: ours alone, gone at the end, and after a kill by the next run.

Copies are numbered. No path is ever made from a key: a key may hold `../`, a newline, or anything else.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from itertools import count
from pathlib import Path

NAME, MAKING, LOCK = "vmexport-spool-", "vmexport-new-spool-", "lock"


class Spool:
    """Use as a context. The folder is locked while we live, so that another run knows it from one that was left behind.

    Raises OSError where no folder can be made.
    """

    def __init__(self, parent: Path | None) -> None:
        self._parent = parent or Path(tempfile.gettempdir())
        self._numbers = count()
        self._folder = self._parent
        self._lock = -1

    def __enter__(self) -> Spool:
        sweep(self._parent)
        made = Path(tempfile.mkdtemp(prefix=MAKING, dir=self._parent))
        self._lock = os.open(made / LOCK, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._folder = made.rename(made.with_name(NAME + made.name.removeprefix(MAKING)))  # never seen unlocked
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder)
        os.close(self._lock)

    def place(self) -> Path:
        """A new path in it."""
        return self._folder / f"{next(self._numbers):08}"


def sweep(parent: Path) -> list[Path]:
    """Remove the folders of runs of ours that are no more; answers them."""
    left = [folder for folder in sorted(parent.glob(f"{NAME}*")) if _left_behind(folder)]
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)  # another run may be sweeping as well
    return left


def _left_behind(folder: Path) -> bool:
    """Whether it is a folder of this user's that nobody holds."""
    try:
        if folder.is_symlink() or folder.lstat().st_uid != os.geteuid():
            return False
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return folder.is_dir()  # it was being removed
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
