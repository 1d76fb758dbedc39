"""Rules over past log files with the reference evaluator: hits, rate and cost of each.

Files are read as a hunt reads them, but every record is: a rate needs to know of how many.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from decisions.access_log_schema import TIME
from decisions.hunt import HuntCoverage
from decisions.sigma import Rule, matches
from decisions.sigma_backtest import Tally
from tasks.hunting import searches
from tasks.hunting.batch import Batch
from tasks.hunting.coverage import Covered, Period
from tasks.hunting.inflate import TooLarge, packed, unpacked
from tasks.hunting.layout import ACCESS, CLOUDTRAIL, LogFile, listing
from tasks.hunting.line_scanner import fields_of
from tasks.hunting.patterns import Patterns
from tasks.hunting.reading import read
from tasks.hunting.scanned import Scanned
from tasks.hunting.source import Progress
from tasks.logs.access_line import NotALine

KINDS = {"cloudtrail": CLOUDTRAIL, "s3access": ACCESS}
"""The kind of file that rules of a service are about."""
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)

Record = Mapping[str, Any]


@dataclass
class Backtested:
    """The tallies in the order of the rules, and what they were counted over."""

    tallies: list[Tally]
    coverage: HuntCoverage
    events: int
    """Records and lines that were looked at."""
    cut: bool
    """Whether there were more than the limit."""


def backtest(
    rules: Sequence[Rule], path: Path, events_max: int, file_bytes_max: int, progress: Progress = lambda *_: None
) -> Backtested:
    """The rules over the logs below a folder by day, up to a number of records, and as many lines of access logs.

    A rule is asked only of the kind of log that it is about. Nothing raises: what could not be read is in `coverage`.
    """
    found = listing(path)
    asked = {
        kind: Asked([rule for rule in rules if KINDS[rule.service] == kind], json=kind == CLOUDTRAIL)
        for kind in (CLOUDTRAIL, ACCESS)
    }
    seen: Counter[str] = Counter()
    covered, opened = Covered(Batch()), list[LogFile]()
    total, cut = sum(file.size for file in found.files), False
    for file in found.files:
        if seen[file.kind] >= events_max:
            cut = True
            continue
        opened.append(file)
        told = Scanned(file)
        for record, raw in _records(told, file_bytes_max):
            if seen[file.kind] == events_max:
                cut = True
                break
            seen[file.kind] += 1
            told.records += 1
            asked[file.kind].take(record, raw)
        covered.batches.add(told)
        progress("backtest", len(opened), len(found.files), covered.batches.packed_bytes, total)
    gaps = [f"Only the first {events_max:,} events of each kind of log were looked at."] if cut else []
    if left := len(found.files) - len(opened):
        gaps.append(f"{left:,} file(s) were not opened for that.")
    coverage = covered.coverage(found, opened, Period(), gaps).model_copy(update={"files_outside": 0})
    tallies = {id(tally.rule): tally for kind in asked.values() for tally in kind.tallies}
    for tally in tallies.values():
        tally.events = seen[KINDS[tally.rule.service]]
    return Backtested([tallies[id(rule)] for rule in rules], coverage, seen.total(), cut)


class Asked:
    """The rules about one kind of log, as they are asked of its records one after the other."""

    def __init__(self, rules: Sequence[Rule], json: bool) -> None:
        """`json`: a text may stand escaped in the bytes of a record."""
        self.tallies = [Tally(rule) for rule in rules]
        self._costly = {number for number, rule in enumerate(rules) if rule.costly}
        self._patterns = Patterns(searches.rules(rules), json)

    def take(self, record: Record, raw: bytes) -> None:
        """A record, which each rule is asked of if it holds the rule's texts."""
        found = {number for _, pattern in self._patterns.found(raw) for number in self._patterns.searches_of(pattern)}
        for number in found | self._costly:
            tally = self.tallies[number]
            tally.parsed += 1
            start = time.perf_counter()
            if matches(tally.rule, record):
                tally.hit(record)
            tally.seconds += time.perf_counter() - start


def _records(told: Scanned, max_bytes: int) -> Iterator[tuple[Record, bytes]]:
    """Every record or line of a file, and its bytes; what cannot be read is told."""
    try:
        found = unpacked(packed(told.file.path, max_bytes), max_bytes)
    except (OSError, TooLarge) as error:
        told.problems.append(f"it cannot be read: {error.strerror if isinstance(error, OSError) else error}")
        told.unread = True
        return
    told.raw_bytes = len(found.text)
    if found.damage:
        told.problems.append(found.damage)
        told.unread = not found.text
    if told.file.kind == ACCESS:
        yield from _lines(told, found.text)
        return
    if not found.text:
        return
    held = read(found.text)
    told.problems += held.problems()
    told.unread = told.unread or not held.records
    for record in held.records:
        _timed(told, record.get("eventTime"))
        yield record, json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def _lines(told: Scanned, text: bytes | bytearray) -> Iterator[tuple[Record, bytes]]:
    unread = 0
    for line in text.split(b"\n"):
        if not line:
            continue
        try:
            fields = fields_of(line.decode("utf-8", "replace"))
        except NotALine:
            unread += 1
            continue
        _timed(told, fields[TIME])
        yield fields, bytes(line)
    if unread:
        told.problems.append(f"{unread} line(s) are no lines of an access log")


def _timed(told: Scanned, when: object) -> None:
    if isinstance(when, str) and STAMP.fullmatch(when):
        told.first, told.last = min(told.first or when, when), max(told.last, when)
