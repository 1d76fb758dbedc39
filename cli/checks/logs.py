"""Log files that are searched in place: the folders are there, and something still arrives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cli.checks.check import SECONDS, Check, ago, not_configured, ok, problem, side_by_side, warning

CLOUDTRAIL_LATE = timedelta(hours=1)
ACCESS_LOGS_LATE = timedelta(hours=24)
"""S3 delivers most within a few hours, and where nobody comes there is nothing to log."""


def files() -> Iterator[Check]:
    """Both folders; the age is that of the newest file."""
    from settings.logs import logs

    yield from _folder(
        "CloudTrail files", logs().cloudtrail_dir, CLOUDTRAIL_LATE, "VMEXPORT_CLOUDTRAIL_DIR",
        "without them and without Elasticsearch only 90 days of management events can be asked for, account by account",
    )  # fmt: skip
    yield from _folder(
        "access log files", logs().s3_access_logs_dir, ACCESS_LOGS_LATE, "VMEXPORT_S3_ACCESS_LOGS_DIR",
        "without them and without data events nobody can tell who read an export",
    )  # fmt: skip


def _folder(name: str, folder: Path | None, late: timedelta, variable: str, why: str) -> Iterator[Check]:
    if folder is None:
        yield not_configured(name, f"{variable} is not set; {why}", "Set it, if such files lie on a disk here.")
        return
    if not folder.is_dir():
        yield problem(name, f"{folder} is no folder that we can see", f"Correct {variable}, or mount it.")
        return
    found = side_by_side({name: partial(newest, folder)})[name]
    now = datetime.now(UTC)
    if isinstance(found, OSError):
        yield problem(
            name, f"{folder} cannot be read ({found.strerror})", "Let the account that runs vmexport read it."
        )
    elif isinstance(found, Exception):
        raise found
    elif found is None:
        yield warning(
            name, f"{folder} could not be looked through within {SECONDS:.0f} s", "See the disk or the network."
        )
    elif found == NEVER:
        yield problem(name, f"there is no file in {folder}", "See that the copy from the log bucket runs.")
    elif now - found > late:
        yield warning(name, f"the newest in {folder} is from {ago(found, now)}", "See that the copy still runs.")
    else:
        yield ok(name, f"the newest in {folder} is from {ago(found, now)}")


NEVER = datetime.min.replace(tzinfo=UTC)


def newest(folder: Path) -> datetime:
    """When the newest file was written, or NEVER. Of folders that are dates only the last is looked into. Raises OSError."""
    latest = 0.0
    waiting = [folder]
    while waiting:
        dated: list[Path] = []
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    (dated if entry.name.isdigit() and len(entry.name) <= 4 else waiting).append(Path(entry.path))
                else:
                    latest = max(latest, entry.stat().st_mtime)
        if dated:
            waiting.append(max(dated, key=lambda path: int(path.name)))
    return datetime.fromtimestamp(latest, UTC) if latest else NEVER
