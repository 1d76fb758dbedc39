"""Looks for reads in S3 access logs: lines that hold a text, and of rules only the lines that match when they are parsed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from decisions.access_log_schema import LINE, TIME, Row, row
from tasks.hunting.cut import Text
from tasks.hunting.layout import ACCESS
from tasks.hunting.patterns import Patterns
from tasks.hunting.scanned import TIRED, Scanned
from tasks.hunting.search import Search
from tasks.logs.access_line import NotALine, parse_line


class LineScanner:
    """Searches compiled once, for any number of access logs."""

    def __init__(self, searches: Sequence[Search], since: str, until: str) -> None:
        self._searches, self._since, self._until = searches, since, until
        self._every = {n for n, search in enumerate(searches) if search.groups is None}
        self._patterns = Patterns(searches, json=False)

    def scan(self, text: Text, told: Scanned) -> None:
        """All lines of a file."""
        told.records = text.count(b"\n") + (0 if text.endswith(b"\n") or not text else 1)
        if not self._searches:
            return
        seen: Counter[int] = Counter()
        tired: set[int] = set()
        unread = 0
        for begin, end, candidates in self._lines(text):
            line = bytes(text[begin:end])
            try:
                matched = self._matched(line, candidates - tired)
            except NotALine:
                unread += 1
                continue
            if matched:
                told.keep([self._searches[n].id for n in matched], lambda found=line: found, ACCESS)
                seen.update(matched)
                tired |= {n for n in matched if seen[n] >= TIRED and not self._searches[n].records}
        told.tired = {self._searches[n].id for n in tired}
        if unread:
            told.problems.append(f"{unread} line(s) that may answer are no lines of an access log")

    def _lines(self, text: Text) -> Iterator[tuple[int, int, set[int]]]:
        """Lines in which something was found (with a costly rule: all lines), each with the searches that it may answer."""
        found = self._patterns.found(text)
        if self._every:
            found = sorted([*found, *((at, -1) for at in _ends(text))])
        begin = end = -1
        candidates: set[int] = set()
        for at, pattern in found:
            if at > end:
                if candidates:
                    yield begin, end, candidates
                begin, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at)
                end = len(text) if end < 0 else end
                candidates = set()
            candidates.update(self._every if pattern < 0 else self._patterns.searches_of(pattern))
        if candidates:
            yield begin, end, candidates

    def _matched(self, line: bytes, candidates: set[int]) -> list[int]:
        """The searches that a line answers. Raises NotALine, unless one asks for no more than the text."""
        told = line.decode("utf-8", "replace")
        whole = {n for n in candidates if self._searches[n].records}
        held = {n for n in whole if self._searches[n].test({LINE: told})}
        rest = candidates - whole
        if not rest:
            return sorted(held)
        try:
            fields = fields_of(told)
        except NotALine:
            if held:
                return sorted(held)
            raise
        when = str(fields[TIME])
        if self._since <= when[:19] <= self._until:
            held |= {n for n in rest if self._searches[n].test(fields)}
        return sorted(held)


def fields_of(line: str) -> Row:
    """What rules are asked of: the row of the table `access_log`, the whole line included. Raises NotALine."""
    return row(line, parse_line(line))


def _ends(text: Text) -> Iterable[int]:
    """Where lines that hold something end."""
    begin = 0
    while begin < len(text):
        end = text.find(b"\n", begin)
        end = len(text) if end < 0 else end
        if end > begin:
            yield end
        begin = end + 1
