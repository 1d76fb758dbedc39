"""Raw log files as a source of a hunt: one pass for each question, the second over the accounts and days concerned only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from decisions.cloudtrail import parse_record
from decisions.hunt import HuntCoverage
from decisions.sigma import Rule
from tasks.hunting import pool, searches
from tasks.hunting.batch import Batch
from tasks.hunting.coverage import LATE, Covered, Period
from tasks.hunting.layout import ACCESS, CLOUDTRAIL, Listing, LogFile
from tasks.hunting.place import Folder, Place
from tasks.hunting.scanned import TIRED, Hit
from tasks.hunting.search import Search
from tasks.hunting.source import EXPORTS, KEYS, OBJECTS, Followed, Found, Progress
from tasks.logs.access_logs import parse_line, to_record
from tasks.logs.text import parse


@dataclass
class FileSource:
    """The files of one place: a folder, or what another kind of place holds."""

    root: Path | Place
    period: Period
    max_bytes: int
    workers: int | None = None
    progress: Progress = lambda *_: None
    _listing: Listing = field(default_factory=Listing)
    _files: list[LogFile] = field(default_factory=list)
    _covered: Covered = field(default_factory=Covered)
    _gaps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._where = Folder(self.root) if isinstance(self.root, Path) else self.root

    def first(self, rules: Sequence[Rule]) -> Sequence[Found]:
        """All files of the period, once."""
        self._listing = self._where.listing(self.period)
        self._files = [file for file in self._listing.files if self.period.delivers(file)]
        batches = self._scan("exports", self._files, [searches.exports(EXPORTS), *searches.rules(rules)])
        for batch in batches:
            self._covered.add(batch)
        return self._found(batches)

    def second(self, followed: Followed) -> Sequence[Found]:
        """The files of the accounts and days that exports concern."""
        looked_for = [searches.keys(KEYS, followed.keys)] if followed.keys else []
        looked_for += [searches.objects(OBJECTS, followed.objects)] if followed.objects else []
        batches = self._scan("activity", pruned(self._files, followed), looked_for)
        for batch in batches:
            self._covered.read_again(batch)
        return self._found(batches)

    def counts(self) -> Mapping[str, int]:
        """Of the first pass."""
        return {name: count for name, count in self._covered.batches.counts.items() if name != EXPORTS}

    def unasked(self) -> Sequence[tuple[str, str]]:
        """Every rule is asked."""
        return ()

    def coverage(self, gaps: Sequence[str]) -> HuntCoverage:
        """By file, bytes, event, day."""
        return self._covered.coverage(self._listing, self._files, self.period, [*self._gaps, *gaps])

    def _scan(self, name: str, files: Sequence[LogFile], looked_for: Sequence[Search]) -> list[Batch]:
        """One pass; progress is told batch by batch."""
        since, until = self.period.bounds
        what = pool.Pass(tuple(looked_for), self.max_bytes, since, until)
        total, done, size, batches = sum(file.size for file in files), 0, 0, []
        self.progress(name, 0, len(files), 0, total)
        for batch in self._where.scan(files, what, self.workers):
            done, size = done + batch.files, size + batch.packed_bytes
            self.progress(name, done, len(files), size, total)
            batches.append(batch)
        for search, count in sum((batch.left_out for batch in batches), Counter()).items():
            self._gaps.append(f"{count} hit(s) of {search} were counted and not kept: there are too many.")
        for search, count in sum((batch.tired for batch in batches), Counter()).items():
            self._gaps.append(
                f"{TIRED} or more records of each of {count} file(s) answer {search}: it was not asked of their others."
            )
        return batches

    def _found(self, batches: Sequence[Batch]) -> list[Found]:
        hits = (hit for batch in batches for hit in batch.hits)
        return [found for hit in hits if (found := self._of(hit)) and self.period.holds(found.record.time)]

    def _of(self, hit: Hit) -> Found | None:
        """What a hit is; what cannot be read is said, unless only rules asked for it: they count it."""
        try:
            if hit.kind == ACCESS:
                line = hit.raw.decode("utf-8", "replace")
                return Found(hit.searches, to_record(parse_line(line), self._place(hit)), line)
            raw: Any = parse(hit.raw)
            return Found(hit.searches, parse_record(raw, self._place(hit)), hit.raw.decode("utf-8", "replace"), raw)
        # A hit may hold anything where a text or a map belongs.
        except (ValueError, TypeError, AttributeError) as error:
            if {EXPORTS, KEYS, OBJECTS} & {*hit.searches}:
                why = str(error)[:200]
                self._gaps.append(f"A record of {self._place(hit)} that answers cannot be read: {why}.")
            return None

    def _place(self, hit: Hit) -> str:
        """The file as the finding names it."""
        return self._where.named(hit.path)


def pruned(files: Sequence[LogFile], followed: Followed) -> list[LogFile]:
    """The files of the accounts and days that exports concern, and those of which nothing tells."""
    windows: dict[str, list[tuple[str, str]]] = {}
    for window in followed.windows:
        begin = window.since.date().isoformat()
        end = {kind: (window.until + late).date().isoformat() for kind, late in LATE.items()}
        windows.setdefault(window.account or "", []).append((begin, end[CLOUDTRAIL]))
        windows.setdefault(ACCESS, []).append((begin, end[ACCESS]))
    everywhere = "" in windows  # an export that does not tell its account
    anywhere = [window for found in windows.values() for window in found]
    kept: list[LogFile] = []
    for file in files:
        place = ACCESS if file.kind == ACCESS else file.account
        days = anywhere if everywhere and file.kind != ACCESS else windows.get(place, [])
        if not file.day or (not file.account and file.kind != ACCESS) or any(a <= file.day <= b for a, b in days):
            kept.append(file)
    return kept
