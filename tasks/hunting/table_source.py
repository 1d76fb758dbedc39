"""A table as a source of a hunt: the Parquet store by DuckDB, Trino, Athena, all asked by the same SQL.

SQL says where something is; what is there becomes a record again and is held to the same tests as the files' records are, so the
findings and their ids are the same.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from decisions import hunt_sql
from decisions.cloudtrail import parse_record
from decisions.hunt import HuntCoverage
from decisions.hunt_sql import Spot
from decisions.sigma import Rule
from decisions.store_schema import record
from tasks.hunting.coverage import Period
from tasks.hunting.searches import EXPORT_CALLS, IsExport, Mentions
from tasks.hunting.source import EXPORTS, KEYS, OBJECTS, Followed, Found
from tasks.hunting.table import CLOUDTRAIL, Days, Table
from tasks.hunting.table_coverage import NotWhole, TableCoverage
from tasks.hunting.table_lines import Lines
from tasks.hunting.table_rules import Asked, ask

KEPT = 5000
"""Rows that are read of one question, or of the rules that the same rows match; how many there were is counted."""
TEXTS = 200
"""Keys and objects of one question: engines limit the length of a query, Athena to 262,144 bytes."""
SPOTS = 3000
"""Rows that are read by one query, for the same reason."""
NO_EVENTS = "there are no CloudTrail events in the store"
Test = Callable[[Mapping[str, Any]], bool]


@dataclass
class TableSource:
    """The events of one table and, if there are any, the access logs beside it."""

    table: Table
    period: Period
    kept: int = KEPT
    not_whole: NotWhole | None = None
    """Log files that are known not to be in the table, or not wholly."""
    _counts: Counter[str] = field(default_factory=Counter)
    _gaps: list[str] = field(default_factory=list)
    _unasked: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._days = days_of(self.period)

    def first(self, rules: Sequence[Rule]) -> Sequence[Found]:
        """Exports, and what rules match."""
        of_events = [rule for rule in rules if rule.service == "cloudtrail"]
        of_lines = [rule for rule in rules if rule.service == "s3access"]
        if not self.table.holds(CLOUDTRAIL):
            self._unasked += [(rule.source, NO_EVENTS) for rule in of_events]
            return self._lines().matched(of_lines)
        relation = self.table.relation(CLOUDTRAIL, self._days)
        irregular = bool(list(self.table.rows(hunt_sql.is_irregular(relation))))
        sql = hunt_sql.exports(relation, self.table.dialect, EXPORT_CALLS, irregular)
        found = self._held({EXPORTS: IsExport()}, relation, self._spots(EXPORTS, sql))
        asked = ask(self.table, relation, of_events, self.period, irregular, self.kept)
        self._unasked += asked.unasked
        self._counts.update(asked.counts)
        self._left_out(asked.left_out)
        found += self._ruled(relation, asked)
        return [*found, *self._lines().matched(of_lines)]

    def second(self, followed: Followed) -> Sequence[Found]:
        """What of the windows holds a key or an object's text."""
        days = days_around(followed)
        found: list[Found] = []
        if self.table.holds(CLOUDTRAIL):
            relation = self.table.relation(CLOUDTRAIL, self._days)
            wanted = [(KEYS, key) for key in followed.keys] + [(OBJECTS, text) for text in followed.objects]
            for some in _chunks(wanted, TEXTS):
                keys, objects = ([text for kind, text in some if kind == which] for which in (KEYS, OBJECTS))
                sql = hunt_sql.mentioning(relation, self.table.dialect, keys, objects, days)
                tests = {KEYS: Mentions(frozenset(keys)), OBJECTS: Mentions(frozenset(objects), part=True)}
                found += self._held(tests, relation, self._spots("keys and objects", sql))
        for some in _chunks(list(followed.objects), TEXTS):
            found += self._lines().holding(some, days)
        return found

    def counts(self) -> Mapping[str, int]:
        """By rule, as the engine counts."""
        return self._counts

    def unasked(self) -> Sequence[tuple[str, str]]:
        """Rules that this engine cannot be asked."""
        return self._unasked

    def coverage(self, gaps: Sequence[str]) -> HuntCoverage:
        """By part, row, account, Region and day."""
        return TableCoverage(self.table, self.period, self._days, self.not_whole).told([*self._gaps, *gaps])

    def _spots(self, search: str, sql: str) -> list[Spot]:
        """The answer to a question, at most so much of it as is read."""
        spots = list(dict.fromkeys(self.table.rows(sql)))
        if len(spots) > self.kept:
            self._left_out({search: len(spots) - self.kept})
            spots.sort(key=lambda spot: (spot[2], spot[0] or ""))  # the same ones in every run
        return spots[: self.kept]

    def _held(self, tests: Mapping[str, Test], relation: str, spots: Sequence[Spot]) -> list[Found]:
        """The records at these spots that pass one of the tests."""
        found: list[Found] = []
        for raw, day in self._records(relation, spots):
            passed = tuple(name for name, test in tests.items() if test(raw))
            if passed and (one := self._found(passed, raw, day)):
                found.append(one)
        return found

    def _ruled(self, relation: str, asked: Asked) -> list[Found]:
        """The records that rules match; those without eventID are asked again, as the spot does not tell which is which."""
        found: list[Found] = []
        for raw, day in self._records(relation, list(asked.matched)):
            ids = asked.of(raw, day)
            if ids and (one := self._found(ids, raw, day)):
                found.append(one)
        return found

    def _records(self, relation: str, spots: Sequence[Spot]) -> Iterable[tuple[dict[str, Any], str]]:
        """What is at these spots, of the period, with the day; day after day, so that none is read twice."""
        since, until = self.period.bounds
        for some in _chunks(sorted(spots, key=lambda spot: spot[2]), SPOTS):
            wanted = set(some)
            for cells in self.table.rows(hunt_sql.rows(relation, self.table.dialect, some)):
                row: dict[str, Any] = dict(zip(hunt_sql.WHOLE, cells, strict=True))
                if row["eventID"] is not None and (row["eventID"], row["eventName"], row["dt"]) not in wanted:
                    continue
                raw = record(row)
                when = raw.get("eventTime")
                if not isinstance(when, str) or since <= when[:19] <= until:
                    yield raw, row["dt"]

    def _found(self, searches: tuple[str, ...], raw: dict[str, Any], day: str) -> Found | None:
        """What a record is; what cannot be read is said, unless only rules asked for it: they count it."""
        origin = f"{self.table.name}, {day}"
        try:
            parsed = parse_record(raw, origin)
        except (ValueError, TypeError, AttributeError) as error:
            if {EXPORTS, KEYS, OBJECTS} & {*searches}:
                self._gaps.append(f"A record of {origin} that answers cannot be read: {str(error)[:200]}.")
            return None
        return (
            Found(searches, parsed, json.dumps(raw, ensure_ascii=False), raw)
            if self.period.holds(parsed.time)
            else None
        )

    def _left_out(self, counts: Mapping[str, int]) -> None:
        for search, count in counts.items():
            self._gaps.append(f"{count} hit(s) of {search} were counted and not kept: there are too many.")

    def _lines(self) -> Lines:
        return Lines(self.table, self.period, self._days, self.kept, self._gaps, self._counts, self._unasked)


def days_of(period: Period) -> Days | None:
    """The partitions that a period is in."""
    if period.since is None and period.until is None:
        return None
    since, until = period.bounds
    return since[:10] or "0000", until[:10]


def days_around(followed: Followed) -> list[tuple[str, str]]:
    """The days of the windows: accounts are told apart by whoever asked."""
    return hunt_sql.joined([(one.since.date().isoformat(), one.until.date().isoformat()) for one in followed.windows])


def _chunks(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (items[begin : begin + size] for begin in range(0, len(items), size))
