"""Validates the log files of a folder by the digest files beside them: each log file that a digest names is hashed once.

Names in digest files are compared with the names found in the folder and never opened: a digest file may name anything.
One account and Region after the other, so that only its names are in memory. Threads, not processes: unpacking and hashing
leave Python alone.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from decisions.digest import NotADigest, Place, digest_name, log_name, parse_digest, stem
from decisions.digest_chain import Held, Judged, judged, summary
from decisions.digest_keys import Keys
from decisions.digest_logs import DELIVERED, LogJudge, Told
from decisions.digest_verdict import KINDS, Break, Chain, ChainStart, Integrity
from tasks.hunting.coverage import Period
from tasks.hunting.digest_keys import KeySource
from tasks.hunting.inflate import TooLarge, unpacked
from tasks.hunting.layout import CLOUDTRAIL, Listing, LogFile, listing

DIGEST_MAX = 64 * 1024 * 1024
"""Unpacked bytes of a digest file. One that names a thousand log files has half a million."""
SIGNATURE = ".signature"
"""A file of this suffix beside a digest file holds its signature, which copying a bucket loses, in hex."""
SIGNATURE_MAX = 4096
AHEAD = 4
"""Files for each thread that are taken in advance."""

Progress = Callable[[str, int, int, int, int], None]
Area = tuple[str, str]
"""Account and Region."""
Logs = Mapping[str, list[LogFile]]
"""By stem."""


def validated(
    root: Path,
    period: Period,
    max_bytes: int,
    keys: KeySource | None = None,
    workers: int | None = None,
    progress: Progress = lambda *_: None,
) -> Integrity:
    """Whether the log files below a folder are as CloudTrail delivered them, in the hours of a period.

    Without keys only hashes are compared. What lies in the folder raises nothing; raises what the keys' source raises.
    """
    found = listing(root)
    return _Validation(root, found, period, max_bytes, keys, workers or len(os.sched_getaffinity(0)), progress).run()


@dataclass(frozen=True, slots=True)
class Hashed:
    """A log file's content; without a hash `damage` says why."""

    sha256: str = ""
    size: int = 0
    damage: str | None = None


@dataclass
class _Validation:
    """One run."""

    root: Path
    found: Listing
    period: Period
    max_bytes: int
    keys: KeySource | None
    workers: int
    progress: Progress
    chains: list[Chain] = field(default_factory=list)
    starts: list[ChainStart] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    told: Told = field(default_factory=Told)
    hashed_bytes: int = 0
    _done: int = 0
    _size: int = 0
    _files: int = 0
    _bytes: int = 0

    def run(self) -> Integrity:
        """All accounts and Regions, one after the other."""
        digests, signatures = self._digests()
        logs = self._logs()
        every = [file for file in self.found.files if file.kind == CLOUDTRAIL and self.period.delivers(file)]
        self._files = len(every) + len(self.found.digests)
        self._bytes = sum(file.size for file in (*every, *self.found.digests))
        self.progress("integrity", 0, self._files, 0, self._bytes)
        with ThreadPoolExecutor(self.workers) as pool:
            for area in sorted({*digests, *logs}):
                self._area(pool, area, digests.get(area, {}), signatures, logs.get(area, {}))
        self.progress("integrity", self._files, self._files, self._bytes, self._bytes)
        return self._answer()

    def _digests(self) -> tuple[dict[Area, dict[Place, list[LogFile]]], dict[str, LogFile]]:
        """Digest files by account and Region, and files with a signature by the path of their digest."""
        digests: dict[Area, dict[Place, list[LogFile]]] = defaultdict(lambda: defaultdict(list))
        signatures = {f.path.removesuffix(SIGNATURE): f for f in self.found.digests if f.path.endswith(SIGNATURE)}
        for file in self.found.digests:
            if name := digest_name(file.path):
                digests[name.place.account, name.place.region][name.place].append(file)
        return digests, signatures

    def _logs(self) -> dict[Area, dict[str, list[LogFile]]]:
        logs: dict[Area, dict[str, list[LogFile]]] = defaultdict(lambda: defaultdict(list))
        for file in self.found.files:
            if file.kind == CLOUDTRAIL:
                name = log_name(file.path)
                logs[name[:2] if name else (file.account, file.region)][stem(file.path)].append(file)
        return logs

    def _area(
        self,
        pool: ThreadPoolExecutor,
        area: Area,
        places: Mapping[Place, list[LogFile]],
        signatures: Mapping[str, LogFile],
        logs: Logs,
    ) -> None:
        """One account and Region: its chains, then its log files."""
        chains = [self._chain(place, files, signatures) for place, files in sorted(places.items())]
        judge, told = LogJudge(chains), Told()
        named = (file for name in judge.vouched for file in logs.get(name, ()))
        for file, hashed in self._hashes(pool, named):
            self.hashed_bytes += hashed.size
            judge.hashed(told, stem(file.path), file.path, hashed.sha256, hashed.damage)
        judge.missing(told, logs)
        for name, files in logs.items():
            for file in files if name not in judge.vouched else ():
                if self.period.delivers(file):
                    at = log_name(file.path)
                    judge.unnamed(told, " ".join(area), file.path, at[2] if at else None, placed=bool(file.day))
        judge.ended(told, " ".join(area))
        self.told.add(told)
        self._take(chains)

    def _chain(self, place: Place, files: list[LogFile], signatures: Mapping[str, LogFile]) -> Judged:
        """Read and judge the digest files of the period, and the one after, which has the last one's signature."""
        ends = sorted((name.end, file.path, file) for file in files if (name := digest_name(file.path)))
        there = {stem(path): end for end, path, _ in ends}
        inside = [at for at, (end, _, _) in enumerate(ends) if self._in_period(end)]
        if not inside:
            return judged([], there, None)
        held: list[Held] = []
        for at in inside:
            held.append(_held(ends[at][2], signatures.get(ends[at][1])))
            self._tell(ends[at][2])
        if inside[-1] + 1 < len(ends):
            held.append(replace(_held(ends[inside[-1] + 1][2], None), beyond=True))
        keys: Keys | None = None
        if self.keys:
            since = min(one.digest.start if one.digest else one.name.end for one in held)
            # A backfill is signed when it is made, which may be long after its hours.
            until = None if place.backfill else held[-1].name.end
            keys = self.keys.keys(place.account, place.region, since, until)
        return judged(_once(held), there, keys)

    def _in_period(self, end: datetime) -> bool:
        """Whether a digest may name log files of the period: it is written after its hour, on the next day perhaps."""
        days = {(end - late).date().isoformat() for late in (timedelta(0), DELIVERED)}
        return any(self.period.delivers(LogFile("", 0, CLOUDTRAIL, day=day)) for day in days)

    def _hashes(self, pool: ThreadPoolExecutor, files: Iterator[LogFile]) -> Iterator[tuple[LogFile, Hashed]]:
        """Each file with its hash, in any order; few at a time are read in advance."""
        ahead = self.workers * AHEAD
        running: dict[Future[Hashed], LogFile] = {}
        while True:
            for file in islice(files, ahead - len(running)):
                running[pool.submit(hashed, file, self.max_bytes)] = file
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                file = running.pop(future)
                self._tell(file)
                yield file, future.result()

    def _tell(self, file: LogFile) -> None:
        """One file more; files that nothing names are done at the end."""
        self._done, self._size = self._done + 1, self._size + file.size
        self.progress("integrity", min(self._done, self._files), self._files, min(self._size, self._bytes), self._bytes)

    def _take(self, chains: list[Judged]) -> None:
        """Keep what is told of chains, not the chains: a digest names all its log files."""
        for chain in chains:
            self.breaks += chain.breaks
            self.starts += chain.starts
            if summed := summary(chain):
                unsigned = tuple(self._named(path) for path in summed.unsigned)
                self.chains.append(summed.model_copy(update={"unsigned": unsigned}))

    def _named(self, path: str) -> str:
        """As findings name a file: from the folder on; keys of S3 stay as they are."""
        return path.removeprefix(f"{self.root}/")

    def _answer(self) -> Integrity:
        breaks = [one.model_copy(update={"name": self._named(one.name)}) for one in (*self.breaks, *self.told.breaks)]
        return Integrity(
            keys=self.keys.count if self.keys else None,
            chains=tuple(self.chains),
            starts=tuple(self.starts),
            breaks=tuple(sorted(breaks, key=lambda one: (KINDS.index(one.kind), one.place))),
            logs_proven=self.told.proven,
            logs_matching=self.told.matching,
            logs_unproven={why: count for why, count in self.told.unproven.items() if count},
            hashed_bytes=self.hashed_bytes,
        )


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


def _held(file: LogFile, signature: LogFile | None) -> Held:
    """A digest file with what is in it, or why nothing is."""
    name = digest_name(file.path)
    assert name  # noqa: S101 - only files with such a name are asked for
    digest, damage = None, ""
    try:
        if file.size > DIGEST_MAX:
            raise TooLarge(f"it has more than {DIGEST_MAX} bytes")
        content = unpacked(Path(file.path).read_bytes(), DIGEST_MAX)
        damage = content.damage or ""
        digest = parse_digest(content.text) if content.text else None
    except OSError as error:
        damage = f"it cannot be read: {error.strerror}"
    except (TooLarge, NotADigest) as error:
        damage = damage or str(error)
    return Held(file.path, name, digest, damage, _signature(signature))


def _signature(file: LogFile | None) -> str | None:
    """What was kept beside a digest; one that cannot be read is none."""
    if file is None or file.size > SIGNATURE_MAX:
        return None
    with suppress(OSError):
        return Path(file.path).read_bytes().decode("ascii", "replace").strip().strip('"')
    return None


def _once(held: Iterable[Held]) -> list[Held]:
    """Without second copies of the same digest."""
    return list({(one.stem, one.digest.sha256 if one.digest else one.path): one for one in held}.values())
