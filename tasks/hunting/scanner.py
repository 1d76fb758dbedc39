"""Looks for calls in log files: unpack, find texts that any answer must hold, cut those records out, parse only them.

A file that is not written exactly as CloudTrail writes it, or in which a cut is doubtful, is read whole instead.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import orjson

from tasks.hunting import cut
from tasks.hunting.inflate import TooLarge, packed, unpacked
from tasks.hunting.layout import ACCESS, CLOUDTRAIL, LogFile
from tasks.hunting.line_scanner import LineScanner
from tasks.hunting.patterns import Patterns
from tasks.hunting.reading import read
from tasks.hunting.scanned import TIRED, Scanned
from tasks.hunting.search import Record, Search

JOINED = 64
"""Pieces that are joined to one record at most; a record with more objects of that kind in it is read otherwise."""
TIME = b'"eventTime":"'
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


class Sketch(msgspec.Struct, gc=False):
    """What every record has; msgspec goes over all else without making objects of it, at a tenth of the cost."""

    eventName: str
    eventSource: str


RECORDS = msgspec.json.Decoder(list[Sketch])

Span = tuple[int, int, tuple[int, ...]]
"""Beginning and end of a record, and the numbers of the searches that it answers."""


class Scanner:
    """Searches compiled once, for any number of files."""

    def __init__(self, searches: Sequence[Search], max_bytes: int, since: str = "", until: str = "~") -> None:
        """`since` and `until`: ISO 8601 in UTC, the first 19 characters; what happened outside does not answer."""
        self._searches = [search for search in searches if search.records]
        self._max_bytes, self._since, self._until = max_bytes, since, until
        self._every = [n for n, search in enumerate(self._searches) if search.groups is None]
        self._patterns = Patterns(self._searches)
        self._lines = LineScanner([search for search in searches if search.lines], since, until)

    def scan(self, file: LogFile) -> Scanned:
        """One file; what cannot be read is said in `problems`."""
        told = Scanned(file)
        try:
            content = unpacked(packed(file.path, self._max_bytes), self._max_bytes)
        except (OSError, TooLarge) as error:
            why = error.strerror if isinstance(error, OSError) else error
            told.problems.append(f"it cannot be read: {why}")
            told.unread = True
            return told
        told.raw_bytes = len(content.text)
        if content.damage:
            told.problems.append(content.damage)
            told.unread = not content.text
        if file.kind == ACCESS:
            self._lines.scan(content.text, told)
        elif content.text and not (cut.compact(content.text) and self._compact(content.text, told)):
            self._whole(content.text, told)
        return told

    def _compact(self, text: cut.Text, told: Scanned) -> bool:
        """Whether the file could be searched by cutting; if not, nothing of it was told."""
        found = self._patterns.found(text)
        hits: dict[int, Span] = {}
        seen: Counter[int] = Counter()
        tired: set[int] = set()
        try:
            for begin, end, candidates in self._pieces(text, found, tired):
                if not (candidates := candidates - tired):
                    continue
                try:
                    record = _object(text, begin, end)
                except ValueError:
                    if not tired.issuperset(self._every):
                        raise
                    begin, end, record = _settled(text, begin)
                if matched := self._matched(record, candidates):
                    # Of a record that was cut into pieces each piece may have been found by another search.
                    known = hits[begin][2] if begin in hits else ()
                    hits[begin] = begin, end, tuple(sorted({*known, *matched})) if known else matched
                    for n in matched:
                        seen[n] += n not in known
                        if seen[n] >= TIRED and not self._searches[n].counted:
                            tired.add(n)
            # Where every piece was parsed, an object within a record has shown itself by what was no JSON before it.
            if hits and tired.issuperset(self._every) and self._needs_proof(text, hits.values()):
                hits = self._proved(text, hits.values())
        except ValueError:
            return False
        for begin, end, matched in hits.values():
            told.keep(self._ids(matched), lambda b=begin, e=end: bytes(text[b:e]), CLOUDTRAIL)
        told.tired = {self._searches[n].id for n in tired}
        told.records = cut.about_how_many(text)
        times = [when for at in (text.find(TIME), text.rfind(TIME)) if (when := _time(text, at))]
        told.first, told.last = min(times, default=""), max(times, default="")
        return True

    def _needs_proof(self, text: cut.Text, hits: Iterable[Span]) -> bool:
        """An object within a record can look like a record: where there are such, and where nobody may be deceived."""
        if any(self._searches[n].proved for *_, matched in hits for n in matched):
            return True
        return cut.lookalikes(text) if self._patterns.lookalikes is None else self._patterns.lookalikes

    def _proved(self, text: cut.Text, hits: Iterable[Span]) -> dict[int, Span]:
        """The hits that are records; instead of an object within a record the record, if it answers itself."""
        proved: dict[int, Span] = {}
        begin, end, record = 0, 0, dict[str, Any]()
        for hit in sorted(hits):
            if hit[0] >= end:
                begin, end, record = _settled(text, hit[0], end + 1 if end else 0)
            matched = hit[2] if begin == hit[0] else self._matched(record, range(len(self._searches)))
            if matched:
                known = proved[begin][2] if begin in proved else ()
                proved[begin] = begin, end, tuple(sorted({*known, *matched}))
        return proved

    def _cut(
        self, text: cut.Text, found: Sequence[tuple[int, int]], tired: set[int]
    ) -> Iterable[tuple[int, int, set[int]]]:
        """The records in which something was found, each with the searches that it may answer."""
        begin = end = 0
        candidates: set[int] = set()
        for at, pattern in found:
            if at > end:
                if candidates:
                    yield begin, end, candidates
                    candidates = set()
                if tired.issuperset(self._patterns.searches_of(pattern)):
                    continue
                begin, end = cut.around(text, at)
            candidates.update(self._patterns.searches_of(pattern))
        if candidates:
            yield begin, end, candidates

    def _pieces(
        self, text: cut.Text, found: Sequence[tuple[int, int]], tired: set[int]
    ) -> Iterable[tuple[int, int, set[int]]]:
        """Every record as long as a search needs that, each with the searches that it may answer; then those found."""
        place, pieces = 0, iter(cut.pieces(text))
        while not tired.issuperset(self._every) and (piece := next(pieces, None)):
            begin, end = piece
            candidates = set(self._every)
            while place < len(found) and found[place][0] <= end:
                candidates.update(self._patterns.searches_of(found[place][1]))
                place += 1
            yield begin, end, candidates
        yield from self._cut(text, found[place:], tired)

    def _ids(self, matched: Iterable[int]) -> list[str]:
        return [self._searches[n].id for n in matched]

    def _matched(self, record: Record, candidates: Iterable[int]) -> tuple[int, ...]:
        when = record.get("eventTime")
        # A time of another form is outside no period: whoever reads the record finds out what it is.
        if isinstance(when, str) and MOMENT.match(when) and not self._since <= when[:19] <= self._until:
            return ()
        return tuple(n for n in sorted(candidates) if self._searches[n].test(record))

    def _whole(self, text: cut.Text, told: Scanned) -> None:
        """Parse everything that can be parsed."""
        content = read(text)
        told.records = len(content.records)
        told.problems += content.problems()
        told.unread = told.unread or not content.records
        times = [
            when
            for record in content.records
            if isinstance(when := record.get("eventTime"), str) and MOMENT.fullmatch(when)
        ]
        told.first, told.last = min(times, default=""), max(times, default="")
        for record in content.records:
            matched = self._matched(record, range(len(self._searches)))
            if matched:
                told.keep(self._ids(matched), lambda r=record: json.dumps(r, ensure_ascii=False).encode(), CLOUDTRAIL)


def _settled(text: cut.Text, at: int, known: int = 0) -> tuple[int, int, dict[str, Any]]:
    """The record that holds a piece, certainly. Raises ValueError when that cannot be told.

    Some way before it, or where a record is known to begin, reading begins. Where there are whole records only, down to the
    piece, it is none of their parts. Else they are parsed piece by piece; one that is no JSON is joined with the next, as it
    was cut within a record.
    """
    head = max(cut.before(text, at), known)
    if _records_only(text, head, at - 1):
        head = at
    joined = 0
    for _, end in cut.pieces(text, head):
        try:
            record = _object(text, head, end)
        except ValueError:
            joined += 1
            if joined > JOINED:
                raise
            continue
        if head <= at < end:
            return head, end, record
        head, joined = end + 1, 0
    raise ValueError("it is in no record")


def _records_only(text: cut.Text, begin: int, end: int) -> bool:
    """Whether records and nothing else stand there; if not, how they are cut is for the caller to find out."""
    try:
        RECORDS.decode(b"[%b]" % text[begin:end])
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _object(text: cut.Text, begin: int, end: int) -> dict[str, Any]:
    """A cut piece as a record. Raises ValueError when it is none."""
    record = orjson.loads(memoryview(text)[begin:end])
    if not isinstance(record, dict) or not isinstance(record.get("eventName"), str) or "eventSource" not in record:
        raise ValueError("it is no record")
    return record


def _time(text: cut.Text, at: int) -> str:
    begin = at + len(TIME)
    told = bytes(text[begin : begin + 20]).decode("ascii", "replace") if at >= 0 else ""
    return told if MOMENT.fullmatch(told) else ""
