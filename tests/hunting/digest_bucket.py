"""A signed trail in a log bucket, and its validation there."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from decisions.digest_verdict import Integrity
from lab.trail_digests import HOUR, Signer
from tasks.hunting.buckets import Bucket, bucket
from tasks.hunting.coverage import Period
from tasks.hunting.digest_keys import FileKeys
from tasks.hunting.digests import validated
from tests.hunting.log_bucket import LIMIT, LOGS
from tests.hunting.logs_of import ACCOUNT, REGION
from tests.hunting.trails_of import FIRST, HOURS, Trail, trail

END = FIRST + (HOURS + 1) * HOUR
HERE = f"s3://{LOGS}/"
DIGESTS = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/2026/03/02/"


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Trail:
    """A trail that says that it lies in this bucket."""
    return trail(tmp_path_factory.mktemp("trail") / "logs", Signer(bucket=LOGS))


def deliver(s3: Any, mine: Trail, prefix: str = "", signed: bool = True) -> None:
    """Put the whole trail into the bucket, as CloudTrail does; without signatures: as a plain copy."""
    for path in sorted(path for path in mine.root.rglob("*") if path.is_file()):
        send(s3, mine, path, prefix, signed)


def send(s3: Any, mine: Trail, path: Path, prefix: str = "", signed: bool = True, **more: Any) -> None:
    if signed and "CloudTrail-Digest" in path.name:
        content = gzip.decompress(path.read_bytes())
        signature = mine.signer.sign(json.loads(content), content)
        more["Metadata"] = {"signature": signature, "signature-algorithm": "SHA256withRSA"} | more.get("Metadata", {})
    s3.put_object(Bucket=LOGS, Key=f"{prefix}{mine.name(path)}", Body=path.read_bytes(), **more)


def rewrite(s3: Any, key: str, change: Callable[[bytes], bytes]) -> None:
    """Another content of an object, which keeps its metadata: as somebody does who means to hide it."""
    there = s3.get_object(Bucket=LOGS, Key=key)
    content = gzip.compress(change(gzip.decompress(there["Body"].read())))
    s3.put_object(Bucket=LOGS, Key=key, Body=content, Metadata=there["Metadata"])


def without_logs(content: bytes) -> bytes:
    """A digest that names no log file."""
    return json.dumps(json.loads(content) | {"logFiles": []}).encode()


def check(mine: Trail, prefix: str = "", period: Period | None = None, signed: bool = True) -> Integrity:
    keys = FileKeys([mine.key_file()]) if signed else None
    return validated(place(prefix), period or Period(until=END), LIMIT, keys, 2)


def place(prefix: str = "") -> Bucket:
    return bucket(HERE + prefix, validate=True)


def digest_keys(mine: Trail) -> list[str]:
    return [mine.name(path) for path in mine.root.glob("**/*_CloudTrail-Digest_*")]
