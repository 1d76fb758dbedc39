"""Validates the log files of a folder or a bucket by the digest files beside them: each log file that a digest names is hashed
once.

Names in digest files are compared with the names found and never opened: a digest file may name anything. One account and
Region after the other, so that only its names are in memory. Threads, not processes: unpacking and hashing leave Python alone.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from decisions.digest import Place, folder_day, log_name, may_lie_in, stem
from decisions.digest_chain import Held, Judged, judged, summary
from decisions.digest_keys import Keys, NoKeys
from decisions.digest_logs import DELIVERED, LogJudge, Told
from decisions.digest_verdict import KINDS, Break, BreakKind, Chain, ChainStart, Integrity
from tasks.hunting import place as places
from tasks.hunting.coverage import Period
from tasks.hunting.digest_files import (
    DIGEST_MAX,
    Hashed,
    Links,
    hashed,
    held,
    kept_signature,
    links,
    lost,
    once,
)
from tasks.hunting.digest_keys import KeySource
from tasks.hunting.layout import CLOUDTRAIL, Listing, LogFile
from tasks.hunting.source import Progress

AHEAD = 4
"""Files for each thread that are taken in advance."""
MISSING = frozenset[BreakKind]({"missing-log", "missing-digest", "no-digests"})
HIDDEN = "named by a digest file, and may lie where nothing could be listed"

Area = tuple[str, str]
"""Account and Region."""
Logs = Mapping[str, list[LogFile]]
"""By stem."""


def validated(
    where: Path | places.Place,
    period: Period,
    max_bytes: int,
    keys: KeySource | None = None,
    workers: int | None = None,
    progress: Progress = lambda *_: None,
) -> Integrity:
    """Whether the log files of a folder (by its path) or a bucket are as CloudTrail delivered them, in the hours of a period.

    Without keys only hashes are compared. What lies there raises nothing. Raises PlaceUnusable.
    """
    place = places.Folder(where) if isinstance(where, Path) else where
    count = workers or len(os.sched_getaffinity(0))
    with place.copies(DIGEST_MAX) as digests, place.copies(max_bytes) as logs, ThreadPoolExecutor(count) as pool:
        found = place.listing(period)
        hashes = _Hashes(pool, count * AHEAD, logs, max_bytes)
        return _Validation(place, found, period, _reaches(place, period), keys, digests, hashes, progress).run()


def _reaches(place: places.Place, period: Period) -> datetime | None:
    """To when digests are to be there: a folder has the days that were copied, a bucket is written to all the time."""
    now = datetime.now(UTC)
    if isinstance(place, places.Folder):
        return min(period.until, now) if period.until else None
    return min(period.until or now, now)


@dataclass
class _Hashes:
    """Hashes log files as they are taken."""

    pool: ThreadPoolExecutor
    ahead: int
    logs: places.Opened
    max_bytes: int

    def of(self, named: Iterator[LogFile]) -> Iterator[tuple[LogFile, Hashed]]:
        """Each file with its hash, in any order; few at a time are read in advance. Those that cannot be had come last."""
        already = len(self.logs.lost)
        files = self.logs.files(named)
        running: dict[Future[Hashed], LogFile] = {}
        while True:
            for file in islice(files, self.ahead - len(running)):
                running[self.pool.submit(hashed, file, self.max_bytes)] = file
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                file = running.pop(future)
                self.logs.done([file])
                yield file, future.result()
        for file, why in self.logs.lost[already:]:
            yield file, Hashed(damage=f"it cannot be read: {why}")


@dataclass
class _Validation:
    """One run."""

    place: places.Place
    found: Listing
    period: Period
    until: datetime | None
    """When digests are to reach to; None: nothing tells."""
    keys: KeySource | None
    digests: places.Opened
    hashes: _Hashes
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
        digests: dict[Area, dict[Place, Links]] = defaultdict(dict)
        for place, linked in links(self.found.digests, self.period).items():
            digests[place.account, place.region][place] = linked
        logs = self._logs()
        every = [file for file in self.found.files if file.kind == CLOUDTRAIL and self.period.delivers(file)]
        every += [file for area in digests.values() for linked in area.values() for file in linked.digests]
        self._files, self._bytes = len(every), sum(file.size for file in every)
        self.progress("integrity", 0, self._files, 0, self._bytes)
        for area in sorted({*digests, *logs}):
            self._area(area, digests.get(area, {}), logs.get(area, {}))
        self.progress("integrity", self._files, self._files, self._bytes, self._bytes)
        return self._answer()

    def _logs(self) -> dict[Area, dict[str, list[LogFile]]]:
        logs: dict[Area, dict[str, list[LogFile]]] = defaultdict(lambda: defaultdict(list))
        for file in self.found.files:
            if file.kind == CLOUDTRAIL:
                name = log_name(file.path)
                logs[name[:2] if name else (file.account, file.region)][stem(file.path)].append(file)
        return logs

    def _area(self, area: Area, digests: Mapping[Place, Links], logs: Logs) -> None:
        """One account and Region: its chains, then its log files."""
        chains = [self._chain(place, linked) for place, linked in digests.items()]
        judge, told = LogJudge(chains), Told()
        named = (
            file
            for name, said in judge.vouched.items()
            for file in logs.get(name, ())
            if self._within(said.key) or self.period.delivers(file)
        )
        for file, content in self.hashes.of(named):
            self._tell(file)
            self.hashed_bytes += content.size
            judge.hashed(told, stem(file.called), file.called, content.sha256, content.damage)
        judge.missing(told, logs, self._within)
        for name, files in logs.items():
            for file in files if name not in judge.vouched else ():
                if self.period.delivers(file):
                    at = log_name(file.path)
                    judge.unnamed(told, " ".join(area), file.path, at[2] if at else None, placed=bool(file.day))
        judge.ended(told, " ".join(area))
        self.told.add(told)
        self._take(chains)

    def _within(self, key: str) -> bool:
        """Whether a log file belongs into the period by its key; others are of no concern, and a bucket is not listed so far."""
        return self.period.delivers(LogFile("", 0, CLOUDTRAIL, day=folder_day(key) or ""))

    def _chain(self, place: Place, linked: Links) -> Judged:
        """Read and judge the digest files of the period, and the one after, which has the last one's signature."""
        digests = self._held(linked)
        if not digests:
            return judged([], linked.there, None)
        keys: Keys | None = None
        if self.keys:
            since = min(one.digest.start if one.digest else one.name.end for one in digests)
            # A backfill is signed when it is made, which may be long after its hours.
            until = None if place.backfill else max(one.name.end for one in digests)
            try:
                keys = self.keys.keys(place.account, place.region, since, until)
            except (ClientError, BotoCoreError, NoKeys) as error:
                self.breaks.append(Break(kind="no-keys", place=str(place), name=str(place), why=str(error)[:600]))
        return judged([*once(digests)], linked.there, keys)

    def _held(self, linked: Links) -> list[Held]:
        already, beyond = len(self.digests.lost), linked.after.path if linked.after else ""
        digests: list[Held] = []
        for file in self.digests.files(linked.digests):
            signature = kept_signature(linked.signatures.get(file.path))
            digests.append(held(file, signature, beyond=file.called == beyond))
            self.digests.done([file])
            self._tell(file)
        return digests + [lost(file, why, file.path == beyond) for file, why in self.digests.lost[already:]]

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
                unsigned = tuple(map(self.place.named, summed.unsigned))
                self.chains.append(summed.model_copy(update={"unsigned": unsigned, **self._ends(chain, summed)}))

    def _ends(self, chain: Judged, summed: Chain) -> dict[str, datetime | None]:
        """The ends that a chain does not reach; backfills follow no hours, and of what cannot be listed nothing is known."""
        place, since = chain.held[0].name.place, self.period.since
        if place.backfill or self._hidden(f"{place.account}/CloudTrail-Digest/{place.region}/"):
            return {}
        late = chain.first_of_copy is not None and since is not None and summed.since > since
        short = self.until is not None and summed.until + DELIVERED < self.until
        return {"late_for": since if late else None, "short_of": self.until if short else None}

    def _hidden(self, key: str) -> bool:
        return any(may_lie_in(folder, key) for folder, _ in self.found.unreadable)

    def _shown(self) -> list[Break]:
        """Without those that miss what may lie where nothing could be listed, which is named in their place."""
        shown = [Break(kind="unlisted", place="", name=path, why=why) for path, why in self.found.unreadable]
        for one in (*self.breaks, *self.told.breaks):
            if one.kind not in MISSING or not self._hidden(_key(one)):
                shown.append(one)
            elif one.kind == "missing-log":
                self.told.unproven[HIDDEN] += 1
        return [one.model_copy(update={"name": self.place.named(one.name)}) for one in shown]

    def _answer(self) -> Integrity:
        return Integrity(
            keys=self.keys.count if self.keys else None,
            chains=tuple(self.chains),
            starts=tuple(self.starts),
            breaks=tuple(sorted(self._shown(), key=lambda one: (KINDS.index(one.kind), one.place))),
            logs_proven=self.told.proven,
            logs_matching=self.told.matching,
            logs_unproven={why: count for why, count in self.told.unproven.items() if count},
            hashed_bytes=self.hashed_bytes,
        )


def _key(missing: Break) -> str:
    """What is missing: one file, or the digests of an account and Region."""
    area = missing.name == missing.place
    return missing.name.replace(" ", "/CloudTrail-Digest/") if area else missing.name
