"""Digest files beside log files, as CloudTrail's log file validation writes them, signed with a key of our own.

One an hour for each account and Region, empty hours too, each with the hash and the signature of the one before. Signatures
are answered, as S3 holds them in the metadata of the object and no file does.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HOUR = timedelta(hours=1)
OFFSET = timedelta(minutes=1, seconds=31)
"""Hours of digests begin when the trail was made, not at the full hour."""
STAMP = "%Y%m%dT%H%M%SZ"


@dataclass
class Signer:
    """A trail with log file validation."""

    trail: str = "management-events"
    home_region: str = "us-east-1"
    bucket: str = "example-trail-logs"
    key: RSAPrivateKey = field(default_factory=lambda: generate_private_key(65537, 2048))

    @property
    def der(self) -> bytes:
        """The public key, as ListPublicKeys gives it."""
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)

    @property
    def fingerprint(self) -> str:
        """Of the public key."""
        return hashlib.md5(self.der, usedforsecurity=False).hexdigest()

    def public_keys(self) -> dict[str, Any]:
        """As `aws cloudtrail list-public-keys` prints it."""
        one = {"Fingerprint": self.fingerprint, "Value": base64.b64encode(self.der).decode()}
        return {
            "PublicKeyList": [
                one | {"ValidityStartTime": "2026-01-01T00:00:00Z", "ValidityEndTime": "2027-01-01T00:00:00Z"}
            ]
        }

    def sign(self, digest: dict[str, Any], content: bytes) -> str:
        """The signature of a digest in hex."""
        before = digest["previousDigestSignature"] or "null"
        path = f"{digest['digestS3Bucket']}/{digest['digestS3Object']}"
        text = f"{digest['digestEndTime']}\n{path}\n{hashlib.sha256(content).hexdigest()}\n{before}"
        return self.key.sign(text.encode(), PKCS1v15(), SHA256()).hex()


@dataclass
class Written:
    """A digest file, with what its next needs of it."""

    path: Path
    key: str
    content: bytes
    signature: str

    def before(self) -> dict[str, str]:
        """The fields of the next digest about it, without the bucket."""
        return {
            "previousDigestS3Object": self.key,
            "previousDigestHashValue": hashlib.sha256(self.content).hexdigest(),
            "previousDigestHashAlgorithm": "SHA-256",
            "previousDigestSignature": self.signature,
        }


def write_trail(root: Path) -> None:
    """Digest files below `root` signed with a new key, and its public part beside the folder, in `ROOT.keys.json`."""
    signer = Signer()
    write_digests(root, signer)
    root.with_name(f"{root.name}.keys.json").write_text(json.dumps(signer.public_keys(), indent=1))


def write_digests(root: Path, signer: Signer, restarts: Sequence[datetime] = ()) -> list[Written]:
    """Digest files for all log files below `root`, which is the bucket: keys are the paths from there.

    At `restarts` a chain begins anew with the digest that ends then or next.
    """
    written: list[Written] = []
    for region in sorted(root.glob("**/CloudTrail/*/")):
        logs = sorted((_delivered(path), path) for path in region.glob("*/*/*/*.json.gz"))
        if not logs:
            continue
        before: Written | None = None
        begun = set(restarts)
        first = logs[0][0].replace(minute=0, second=0) - HOUR + OFFSET
        for start, end, files in _hours(first, logs):
            if due := {at for at in begun if at <= end}:
                before, begun = None, begun - due
            before = write_digest(root, region, signer, start, end, files, before)
            written.append(before)
    return written


def write_digest(
    root: Path,
    region: Path,
    signer: Signer,
    start: datetime,
    end: datetime,
    files: Sequence[Path],
    before: Written | None,
    backfill: bool = False,
) -> Written:
    """One digest file. `region`: the folder of the log files of an account and Region."""
    account = region.parents[1].name
    name = f"{account}_CloudTrail-Digest_{region.name}_{signer.trail}_{signer.home_region}_{end:{STAMP}}"
    path = region.parents[1] / "CloudTrail-Digest" / region.name / f"{end:%Y/%m/%d}"
    path = path / f"{name}{'_backfill' if backfill else ''}.json.gz"
    logs = [_log(root, signer, file) for file in files]
    events = [log[name] for log in logs for name in ("oldestEventTime", "newestEventTime")]
    none = dict.fromkeys(
        ["previousDigestS3Object", "previousDigestHashValue", "previousDigestHashAlgorithm", "previousDigestSignature"]
    )
    digest = {
        "awsAccountId": account,
        "digestStartTime": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "digestEndTime": f"{end:%Y-%m-%dT%H:%M:%SZ}",
        "digestS3Bucket": signer.bucket,
        "digestS3Object": path.relative_to(root).as_posix(),
        "digestPublicKeyFingerprint": signer.fingerprint,
        "digestSignatureAlgorithm": "SHA256withRSA",
        "newestEventTime": max(events, default=None),
        "oldestEventTime": min(events, default=None),
        "previousDigestS3Bucket": signer.bucket if before else None,
        **(before.before() if before else none),
        "logFiles": logs,
    }
    content = json.dumps(digest, separators=(",", ":")).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, mtime=0))
    return Written(path, str(digest["digestS3Object"]), content, signer.sign(digest, content))


def _hours(start: datetime, logs: list[tuple[datetime, Path]]) -> Iterator[tuple[datetime, datetime, list[Path]]]:
    rest = list(logs)
    while rest:
        end = start + HOUR
        here = [path for at, path in rest if at < end]
        rest = rest[len(here) :]
        yield start, end, here
        start = end


def _log(root: Path, signer: Signer, path: Path) -> dict[str, str]:
    content = gzip.decompress(path.read_bytes())
    times = sorted(str(record["eventTime"]) for record in json.loads(content)["Records"]) or [""]
    return {
        "s3Bucket": signer.bucket,
        "s3Object": path.relative_to(root).as_posix(),
        "hashValue": hashlib.sha256(content).hexdigest(),
        "hashAlgorithm": "SHA-256",
        "newestEventTime": times[-1],
        "oldestEventTime": times[0],
    }


def _delivered(path: Path) -> datetime:
    return datetime.strptime(path.name.split("_")[3], "%Y%m%dT%H%MZ").replace(tzinfo=UTC)
