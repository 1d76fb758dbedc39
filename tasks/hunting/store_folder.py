"""Makes the folder of a store hold what its manifest (records.store_parts) decided; whoever lists a day sees it before or after.

New parts are renamed in. Where parts are replaced, the day's folder is made anew beside it, of hard links, and exchanged with
the old one in one step, which Linux's own file systems can (renameat2(2), RENAME_EXCHANGE).
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from records.manifest import Part, by_day
from tasks.hunting.store import Store

STAGING, NAMED = "_staging", "_store.json"
AT_FDCWD, RENAME_EXCHANGE = -100, 2
_libc = ctypes.CDLL(None, use_errno=True)


class StoreUnusable(RuntimeError):
    """The folder cannot be used as a store; the sentence says why, and what to do."""


def staging(store: Store) -> Path:
    """Where parts are written until they are whole; it is on the same file system."""
    return store.root / STAGING


def opened(store: Store) -> str:
    """The id of the store in a folder, which is made at first use. Raises StoreUnusable."""
    named = store.root / NAMED
    try:
        staging(store).mkdir(parents=True, exist_ok=True)
        if not named.exists():
            _check_exchange(store)
            made = staging(store) / f"{uuid4()}.json"
            made.write_text(json.dumps({"store": str(uuid4())}) + "\n")
            with suppress(FileExistsError):  # another process was quicker
                os.link(made, named)
            made.unlink()
        return identity(store)
    except OSError as error:
        raise StoreUnusable(f"{store.root} cannot be a store: {error.strerror}") from error


def identity(store: Store) -> str:
    """The id of the store in a folder. Raises StoreUnusable where there is none."""
    try:
        told = json.loads((store.root / NAMED).read_text())
    except FileNotFoundError:
        raise StoreUnusable(
            f"{store.root} is no store. `vmexport store ingest PATH --to {store.root}` makes one"
        ) from None
    except (OSError, ValueError) as error:
        raise StoreUnusable(f"{store.root / NAMED} cannot be read: {error}") from error
    if not isinstance(told, dict) or not isinstance(told.get("store"), str):
        raise StoreUnusable(f"{store.root / NAMED} does not name a store")
    return told["store"]


def settle(store: Store, parts: Iterable[Part]) -> None:
    """Do what was decided about parts that are staged or leaving; what is done already is left. Raises StoreUnusable."""
    for (table, day), pending in by_day(part for part in parts if part.pending).items():
        added = {part.name for part in pending if part.state == "staged"}
        leaving = {part.name for part in pending if part.state == "leaving"}
        _settle_day(store, store.folder(table, day), added, leaving)


def clean(store: Store) -> None:
    """Delete what was staged and never decided about; only the one writer may, after `settle`."""
    for entry in staging(store).iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def synced(path: Path) -> None:
    """Wait until a file's content (or a folder's list) is on disk: what the manifest says must be true after a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _settle_day(store: Store, folder: Path, added: set[str], leaving: set[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    present = set(os.listdir(folder))
    missing = [name for name in added - present if not (staging(store) / name).exists()]
    if missing:
        raise StoreUnusable(f"{folder} lacks {missing[0]}, which was written and is gone")
    if not leaving & present:
        for name in sorted(added - present):
            os.rename(staging(store) / name, folder / name)
        synced(folder)
        return
    made = staging(store) / f"{uuid4()}"
    made.mkdir()
    for name in present - leaving:
        os.link(folder / name, made / name)
    for name in added - present:
        os.link(staging(store) / name, made / name)
    synced(made)
    _exchange(made, folder)
    synced(folder.parent)
    shutil.rmtree(made)  # what it was before
    for name in added:
        (staging(store) / name).unlink(missing_ok=True)
    if not os.listdir(folder):
        folder.rmdir()


def _exchange(one: Path, other: Path) -> None:
    arguments = (AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)
    if _libc.renameat2(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(other))


def _check_exchange(store: Store) -> None:
    """Whether the file system exchanges folders, before anything is written."""
    one, other = (staging(store) / f"{uuid4()}" for _ in range(2))
    one.mkdir()
    other.mkdir()
    try:
        _exchange(one, other)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EXDEV, errno.EOPNOTSUPP):
            raise
        raise StoreUnusable(
            f"the file system of {store.root} cannot exchange two folders in one step, so that readers never see an event"
            " twice or not at all. Put the store on a local Linux file system (ext4, XFS, Btrfs), and copy it from there"
        ) from error
    finally:
        one.rmdir()
        other.rmdir()
