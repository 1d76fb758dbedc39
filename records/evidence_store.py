"""Where the bytes of evidence lie. Today a folder; another store (S3 with Object Lock) offers the same methods."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol


class EvidenceStore(Protocol):
    """Keeps bytes under paths that are written once."""

    def write(self, path: str, content: bytes) -> None:
        """Keep `content` durably and whole, or raise; what lay there before is set aside, never overwritten."""
        ...

    def read(self, path: str, at_most: int | None = None) -> bytes:
        """The bytes, or the first `at_most` of them. Raises OSError (FileNotFoundError where there is nothing)."""
        ...

    def listing(self, case_id: str) -> tuple[str, ...]:
        """Paths of everything that lies there for the case, sorted."""
        ...

    def location(self, path: str) -> str:
        """Where a person finds it: a file's path, a URL."""
        ...


class Folder:
    """Evidence in a folder that only we may enter: `<case>/EV-0001-<what>.json`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, content: bytes) -> None:
        """Written aside, flushed to disk, then linked into place: a reader sees all of it or nothing."""
        target = self.locate(path)
        for folder in (self.root, target.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.path.lexists(target):
            # Its entry was never committed, or it is not ours: keep it, out of the way of the one that counts.
            self._set_aside(target)
        with tempfile.NamedTemporaryFile(dir=self.root, prefix=".incoming-") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o400)
            os.fsync(file.fileno())
            os.link(file.name, target)
        _flush_folder(target.parent)
        _flush_folder(self.root)

    def read(self, path: str, at_most: int | None = None) -> bytes:
        """The bytes of a regular file: a link may lead anywhere, a pipe may never end."""
        handle = os.open(self.locate(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError(errno.EINVAL, "not a regular file", path)
        with os.fdopen(handle, "rb") as file:
            return file.read() if at_most is None else file.read(at_most)

    def listing(self, case_id: str) -> tuple[str, ...]:
        """Everything below the case's folder that is not a folder, links included."""
        return tuple(sorted(p.relative_to(self.root).as_posix() for p in files_below(self.root / inside(case_id))))

    def location(self, path: str) -> str:
        """The absolute path on this machine."""
        return str(self.locate(path).absolute())

    def locate(self, path: str) -> Path:
        """The path on disk. Raises ValueError if it leads out of the folder."""
        return self.root / inside(path)

    def _set_aside(self, target: Path) -> None:
        aside = self.root / "set-aside"
        aside.mkdir(exist_ok=True, mode=0o700)
        place = Path(tempfile.mkdtemp(dir=aside))
        target.rename(place / target.name)


def inside(path: str) -> PurePosixPath:
    """A relative path that stays where it is put. Raises ValueError."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path:
        raise ValueError(f"{path!r} leads out of the evidence folder")
    return PurePosixPath(*parts)


def files_below(folder: Path) -> Iterator[Path]:
    """Everything below a folder that is not a folder; links are not followed."""
    for parent, folders, names in os.walk(folder):
        for name in [*names, *(f for f in folders if (Path(parent) / f).is_symlink())]:
            yield Path(parent) / name


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
