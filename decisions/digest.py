"""What a CloudTrail digest file says: which log files were delivered in an hour, their hashes, and the digest before it.

Sources: AWS's "CloudTrail digest file structure" and "Custom implementations of CloudTrail log file integrity validation";
aws-cli's `validate-logs` for what the pages leave open (`null` in the signed text, a chain of its own for backfill digests).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast

from decisions.reading import moment

LOGS_MAX = 200_000
"""Log files of one digest. CloudTrail delivers a few dozen an hour and place: what names more was not written by it."""
_NAME = re.compile(
    r"(?P<account>[0-9]{12})_CloudTrail-Digest_(?P<region>[a-z0-9-]+)_(?P<trail>[A-Za-z0-9._-]{1,128})_(?P<home>[a-z0-9-]+)"
    r"_(?P<end>[0-9]{8}T[0-9]{6}Z)(?P<backfill>_backfill)?\.json(?:\.gz)?"
)
_LOG = re.compile(
    r"(?P<account>[0-9]{12})_CloudTrail_(?P<region>[a-z0-9-]+)_(?P<at>[0-9]{8}T[0-9]{4}Z)_[A-Za-z0-9]+\.json"
)
_PREVIOUS = (
    "previousDigestS3Bucket",
    "previousDigestS3Object",
    "previousDigestHashValue",
    "previousDigestHashAlgorithm",
    "previousDigestSignature",
)
ALGORITHM = "SHA256withRSA"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DAY = re.compile(r"/([0-9]{4})/([0-9]{2})/([0-9]{2})/[^/]*$")
_OF_ACCOUNT = re.compile(r"(?:.*/)?([0-9]{12}/.*)", re.DOTALL)


class NotADigest(ValueError):
    """A file is no digest file, or says something that cannot be checked; the sentence says what."""


class Place(NamedTuple):
    """What has digests of its own: every trail has them for each account and Region, and for backfills a second chain."""

    account: str
    region: str
    trail: str
    home_region: str
    backfill: bool = False

    def __str__(self) -> str:
        return f"{self.account} {self.region} {self.trail}{' (backfill)' if self.backfill else ''}"


@dataclass(frozen=True, slots=True)
class DigestName:
    """What the name of a digest file tells."""

    place: Place
    end: datetime


@dataclass(frozen=True, slots=True)
class NamedLog:
    """A log file as a digest names it: its S3 key and the hash of its unpacked content."""

    key: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Previous:
    """The digest before: its S3 key, the hash of its unpacked content, its signature in hex."""

    key: str
    sha256: str
    signature: str


@dataclass(frozen=True, slots=True)
class Digest:
    """One digest file."""

    bucket: str
    key: str
    start: datetime
    end: datetime
    end_text: str
    fingerprint: str
    sha256: str
    """Of the file's own content, unpacked."""
    previous: Previous | None
    """None: the chain starts here."""
    logs: tuple[NamedLog, ...]


def stem(key: str) -> str:
    """The last part of an S3 key or a path without `.gz`: how a file is known wherever it was copied to, packed or not."""
    return key.rpartition("/")[2].removesuffix(".gz")


def folder_day(key: str) -> str | None:
    """The day of the folder that a file lies in, as ISO 8601; None: its key or path tells none."""
    found = _DAY.search(key)
    return "-".join(found.groups()) if found else None


def may_lie_in(folder: str, key: str) -> bool:
    """Whether what has a key may lie in (or be) a folder, whatever stands before the account in either."""
    there, sought = (_OF_ACCOUNT.fullmatch(f"{one.rstrip('/')}/") for one in (folder, key))
    if there is None or sought is None:
        return True
    return sought[1].startswith(there[1]) or there[1].startswith(sought[1])


def signature_in(metadata: Mapping[str, str]) -> str:
    """The signature that the metadata of a digest's S3 object tells; empty: none, or of another algorithm."""
    return metadata.get("signature", "") if metadata.get("signature-algorithm") == ALGORITHM else ""


def digest_name(name: str) -> DigestName | None:
    """What a digest file's name (or key) tells; None: it is no name of a digest file."""
    found = _NAME.fullmatch(name.rpartition("/")[2])
    end = moment(found["end"]) if found else None
    if found is None or end is None:
        return None
    place = Place(found["account"], found["region"], found["trail"], found["home"], bool(found["backfill"]))
    return DigestName(place, end)


def log_name(name: str) -> tuple[str, str, datetime] | None:
    """Account, Region and minute of delivery from a log file's name (or key); None: it is no name that CloudTrail gives."""
    found = _LOG.fullmatch(stem(name))
    at = moment(found["at"]) if found else None
    return (found["account"], found["region"], at) if found and at else None


def parse_digest(content: bytes | bytearray) -> Digest:
    """A digest file's unpacked content, strictly: what is said twice, in part or with another algorithm is refused.

    Raises NotADigest.
    """
    try:
        told = json.loads(content, object_pairs_hook=_once)
    except NotADigest:
        raise
    except (ValueError, RecursionError) as error:
        raise NotADigest(f"it is no JSON ({str(error)[:100]})") from error
    if not isinstance(told, dict):
        raise NotADigest("it is no JSON object")
    said = cast("dict[str, Any]", told)
    if _text(said, "digestSignatureAlgorithm") != ALGORITHM:
        raise NotADigest(f"it was not signed by {ALGORITHM}")
    end_text = _text(said, "digestEndTime")
    start, end = _moment(said, "digestStartTime"), _moment(said, "digestEndTime")
    if start > end:
        raise NotADigest("it ends before it begins")
    return Digest(
        bucket=_text(said, "digestS3Bucket"),
        key=_text(said, "digestS3Object"),
        start=start,
        end=end,
        end_text=end_text,
        fingerprint=_text(said, "digestPublicKeyFingerprint"),
        sha256=hashlib.sha256(content).hexdigest(),
        previous=_previous(said),
        logs=_logs(said),
    )


def text_to_sign(digest: Digest) -> bytes:
    """What CloudTrail signs of a digest: four lines, without a line end after the last."""
    before = digest.previous.signature if digest.previous else "null"
    return f"{digest.end_text}\n{digest.bucket}/{digest.key}\n{digest.sha256}\n{before}".encode(
        "utf-8", "surrogatepass"
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise NotADigest("it says something twice")
    return made


def _previous(said: dict[str, Any]) -> Previous | None:
    there = [name for name in _PREVIOUS if said.get(name) is not None]
    if not there and all(name in said for name in _PREVIOUS):
        return None
    if len(there) < len(_PREVIOUS):
        raise NotADigest("it tells of the digest before it only in part")
    if said["previousDigestHashAlgorithm"] != "SHA-256":
        raise NotADigest("it has the digest before it under another hash than SHA-256")
    return Previous(
        _text(said, "previousDigestS3Object"), _hash(said, "previousDigestHashValue"), _text(said, _PREVIOUS[-1])
    )


def _logs(said: dict[str, Any]) -> tuple[NamedLog, ...]:
    files = said.get("logFiles")
    if not isinstance(files, list):
        raise NotADigest("it has no list of log files")
    listed = cast("list[object]", files)
    if len(listed) > LOGS_MAX:
        raise NotADigest(f"it names more than {LOGS_MAX} log files")
    logs: list[NamedLog] = []
    for file in listed:
        if not isinstance(file, dict):
            raise NotADigest("its list of log files holds something else")
        one = cast("dict[str, Any]", file)
        if one.get("hashAlgorithm") != "SHA-256":
            raise NotADigest("it has a log file under another hash than SHA-256")
        logs.append(NamedLog(_text(one, "s3Object"), _hash(one, "hashValue")))
    return tuple(logs)


def _hash(said: dict[str, Any], name: str) -> str:
    value = _text(said, name).lower()
    if not _SHA256.fullmatch(value):
        raise NotADigest(f"its {name} is no SHA-256 hash")
    return value


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str) or not value:
        raise NotADigest(f"its {name} is missing or no text")
    return value


def _moment(said: dict[str, Any], name: str) -> datetime:
    value = moment(_text(said, name))
    if value is None:
        raise NotADigest(f"its {name} is no time")
    return value
