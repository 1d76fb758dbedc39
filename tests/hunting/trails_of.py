"""A small signed trail for the tests of validation, and what somebody may do to it."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from decisions.digest_verdict import Integrity
from lab.trail_digests import Signer, Written, write_digests
from tasks.hunting.coverage import Period
from tasks.hunting.digest_keys import FileKeys
from tasks.hunting.digests import validated
from tests.hunting.logs_of import ACCOUNT, REGION, compact, event

HOURS = 8
FIRST = datetime(2026, 3, 2, 8, tzinfo=UTC)
PLACE = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2026/03/02"


@dataclass
class Trail:
    """Hour `h` begins at 08:01:31 + h and has two log files; its digest is `digests[h]`."""

    root: Path
    signer: Signer
    digests: list[Written]

    def log(self, hour: int, half: int = 0) -> Path:
        """One of the log files of an hour."""
        return sorted((self.root / PLACE).glob(f"*_{FIRST + timedelta(hours=hour):%Y%m%dT%H}*"))[half]

    def copy(self, to: Path) -> Trail:
        """The same files elsewhere."""
        shutil.copytree(self.root, to)
        moved = [Written(to / d.path.relative_to(self.root), d.key, d.content, d.signature) for d in self.digests]
        return Trail(to, self.signer, moved)

    def key_file(self) -> Path:
        """The public keys beside the folder."""
        path = self.root.with_name(f"{self.root.name}.keys.json")
        path.write_text(json.dumps(self.signer.public_keys()))
        return path

    def validated(self, signed: bool = True, period: Period | None = None) -> Integrity:
        """With the keys, or by hashes only."""
        keys = FileKeys([self.key_file()]) if signed else None
        return validated(self.root, period or Period(), 1 << 24, keys, 2)

    def name(self, path: Path) -> str:
        """As breaks name it."""
        return path.relative_to(self.root).as_posix()

    def edit(self, hour: int, change: Callable[[dict[str, Any]], None]) -> bytes:
        """Change what a digest says; answers the new content."""
        told = json.loads(gzip.decompress(self.digests[hour].path.read_bytes()))
        change(told)
        content = json.dumps(told).encode()
        self.digests[hour].path.write_bytes(gzip.compress(content))
        return content


def trail(root: Path, signer: Signer | None = None, **more: Any) -> Trail:
    """Eight hours of two log files each."""
    place = root / PLACE
    place.mkdir(parents=True)
    for hour in range(HOURS):
        for minute in (10, 40):
            at = FIRST + timedelta(hours=hour, minutes=minute)
            log_file(place, at, f"{hour:08X}{minute:08d}", compact([event(hour * 60 + minute)]))
    signer = signer or Signer()
    return Trail(root, signer, write_digests(root, signer, **more)[1:])


def log_file(place: Path, at: datetime, unique: str, text: bytes) -> Path:
    """A log file as CloudTrail names it."""
    path = place / f"{ACCOUNT}_CloudTrail_{REGION}_{at:%Y%m%dT%H%MZ}_{unique}.json.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text))
    return path


def breaks(integrity: Integrity) -> set[tuple[str, str]]:
    """Kind and name of each."""
    found = [(one.kind, one.name) for one in integrity.breaks]
    assert len(found) == len(set(found))
    return set(found)
