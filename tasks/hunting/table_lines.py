"""The access logs beside a table of events: lines that hold an object's text, and lines that rules match."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from decisions.hunt_sql import lines, lines_of
from decisions.sigma import Rule, matches
from tasks.hunting.coverage import Period
from tasks.hunting.line_scanner import fields_of
from tasks.hunting.source import OBJECTS, Found
from tasks.hunting.table import ACCESS_LOG, Days, Table
from tasks.logs.access_line import NotALine, parse_line
from tasks.logs.access_logs import to_record

NO_TABLE = "there are no S3 access logs in the store"
COSTLY = "it holds no text to look for in lines of access logs: ask it of the files"


@dataclass(frozen=True)
class Lines:
    """Asks the table of access logs, if there is one. What is found of it is told to the lists and counters given."""

    table: Table
    period: Period
    days: Days | None
    kept: int
    gaps: list[str]
    counts: Counter[str]
    unasked: list[tuple[str, str]]

    def holding(self, texts: Sequence[str], spans: Sequence[tuple[str, str]]) -> list[Found]:
        """Lines of these days that hold a text."""
        if not texts or not self.table.holds(ACCESS_LOG):
            return []
        relation = self.table.relation(ACCESS_LOG, self.days)
        found = [
            self._found((OBJECTS,), line, day)
            for line, day in self.table.rows(lines(relation, self.table.dialect, texts, spans))
        ]
        if len(found) > self.kept:
            self.gaps.append(
                f"{len(found) - self.kept} hit(s) of {OBJECTS} were counted and not kept: there are too many."
            )
        return [one for one in found[: self.kept] if one]

    def matched(self, rules: Sequence[Rule]) -> list[Found]:
        """Lines that rules match: SQL finds lines with the texts that a rule must have, the reference says which match."""
        if rules and not self.table.holds(ACCESS_LOG):
            self.unasked.extend((rule.source, NO_TABLE) for rule in rules)
            return []
        found: list[Found] = []
        for rule in rules:
            if rule.literals is None:
                self.unasked.append((rule.source, COSTLY))
                continue
            texts = [(one.text, one.caseless) for one in rule.literals[0]]
            relation = self.table.relation(ACCESS_LOG, self.days)
            for line, day in self.table.rows(lines_of(relation, self.table.dialect, texts)):
                one = self._found((rule.id,), line, day) if _matches(rule, line) else None
                self.counts[rule.id] += one is not None
                if one and self.counts[rule.id] <= self.kept:
                    found.append(one)
            if (more := self.counts[rule.id] - self.kept) > 0:
                self.gaps.append(f"{more} hit(s) of {rule.id} were counted and not kept: there are too many.")
        return found

    def _found(self, searches: tuple[str, ...], line: str, day: str) -> Found | None:
        """A line; one that holds an object's text and is no line of an access log is said."""
        try:
            record = to_record(parse_line(line), f"{self.table.name}, access_log, {day}")
        except NotALine as error:
            self.gaps.append(f"A line of {self.table.name}, {day}, that answers cannot be read: {str(error)[:200]}.")
            return None
        return Found(searches, record, line) if self.period.holds(record.time) else None


def _matches(rule: Rule, line: str) -> bool:
    try:
        return matches(rule, fields_of(line))
    except NotALine:
        return False
