"""Digest files and log files as a validation reads them: which digest files a period needs, and what is in each file."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from decisions.digest import NotADigest, Place, digest_name, parse_digest, stem
from decisions.digest_chain import Held
from decisions.digest_logs import DELIVERED
from tasks.hunting.coverage import Period
from tasks.hunting.inflate import TooLarge, unpacked
from tasks.hunting.layout import CLOUDTRAIL, LogFile

DIGEST_MAX = 64 * 1024 * 1024
"""Unpacked bytes of a digest file. One that names a thousand log files has half a million."""
SIGNATURE = ".signature"
"""A file of this suffix beside a digest file in a folder holds its signature, which copying a bucket loses, in hex."""
SIGNATURE_MAX = 4096


@dataclass
class Links:
    """The digest files of one place."""

    there: dict[str, datetime] = field(default_factory=dict)
    """The ends of all that were found, by stem."""
    mine: list[LogFile] = field(default_factory=list)
    """Those of the period, by their ends."""
    after: LogFile | None = None
    """The one after them, which has the last one's signature."""
    signatures: dict[str, LogFile] = field(default_factory=dict)
    """Files that keep the signature of one of `mine`, by its path."""

    @property
    def digests(self) -> list[LogFile]:
        """Those that are read, the one after as the last."""
        return [*self.mine, *((self.after,) if self.after else ())]


def links(found: Iterable[LogFile], period: Period) -> dict[Place, Links]:
    """The digest files among what was found, by their place."""
    places: dict[Place, list[tuple[datetime, str, LogFile]]] = defaultdict(list)
    beside: dict[str, LogFile] = {}
    for file in found:
        if name := digest_name(file.path):
            places[name.place].append((name.end, file.path, file))
        elif file.path.endswith(SIGNATURE) and file.size <= SIGNATURE_MAX and not file.etag:
            beside[file.path.removesuffix(SIGNATURE)] = file
    return {place: _links(sorted(ends), period, beside) for place, ends in sorted(places.items())}


def _links(ends: list[tuple[datetime, str, LogFile]], period: Period, beside: dict[str, LogFile]) -> Links:
    made = Links({stem(path): end for end, path, _ in ends})
    for end, path, file in ends:
        if _of_period(end, period):
            made.mine.append(file)
            made.after = None
            if path in beside:
                made.signatures[path] = beside[path]
        elif made.mine and made.after is None:
            made.after = file
    return made


def _of_period(end: datetime, period: Period) -> bool:
    """Whether a digest may name log files of the period: it is written after its hour, on the next day perhaps."""
    days = {(end - late).date().isoformat() for late in (timedelta(0), DELIVERED)}
    return any(period.delivers(LogFile("", 0, CLOUDTRAIL, day=day)) for day in days)


@dataclass(frozen=True, slots=True)
class Hashed:
    """A log file's content; without a hash `damage` says why."""

    sha256: str = ""
    size: int = 0
    damage: str | None = None


def hashed(file: LogFile, max_bytes: int) -> Hashed:
    """The SHA-256 of a file's unpacked content, as far as it can be unpacked; nothing raises."""
    try:
        if file.size > max_bytes:
            raise TooLarge(f"it has more than {max_bytes} bytes")
        content = unpacked(Path(file.path).read_bytes(), max_bytes)
    except OSError as error:
        return Hashed(damage=f"it cannot be read: {error.strerror}")
    except TooLarge as error:
        return Hashed(damage=str(error))
    return Hashed(hashlib.sha256(content.text).hexdigest(), len(content.text), content.damage)


def held(file: LogFile, signature: str | None, beyond: bool = False) -> Held:
    """A digest file with what is in it, or why nothing is; its signature is the object's own, or one that was kept."""
    digest, damage, unread = None, "", False
    try:
        if file.size > DIGEST_MAX:
            raise TooLarge(f"it has more than {DIGEST_MAX} bytes")
        content = unpacked(Path(file.path).read_bytes(), DIGEST_MAX)
        damage = content.damage or ""
        digest = parse_digest(content.text) if content.text else None
    except OSError as error:
        damage, unread = f"it cannot be read: {error.strerror}", True
    except (TooLarge, NotADigest) as error:
        damage = damage or str(error)
    name = digest_name(file.called)
    assert name  # noqa: S101 - only files with such a name are asked for
    return Held(file.called, name, digest, damage, file.signature or signature, unread, beyond)


def lost(file: LogFile, why: str, beyond: bool = False) -> Held:
    """A digest file that cannot be had."""
    name = digest_name(file.path)
    assert name  # noqa: S101 - only files with such a name are asked for
    return Held(file.path, name, None, f"it cannot be read: {why}", unread=True, beyond=beyond)


def kept_signature(file: LogFile | None) -> str | None:
    """What was kept beside a digest; one that cannot be read is none: then nothing vouches for the digest, and that is said."""
    with suppress(OSError):
        return Path(file.path).read_bytes().decode("ascii", "replace").strip().strip('"') if file else None
    return None


def once(digests: Iterable[Held]) -> Iterator[Held]:
    """Without second copies of the same digest."""
    yield from {(one.stem, one.digest.sha256 if one.digest else one.path): one for one in digests}.values()
