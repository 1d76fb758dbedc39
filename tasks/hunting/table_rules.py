"""A pack of rules asked of a table: which rows match, and how many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from decisions.hunt_sql import Spot
from decisions.hunt_sql_rules import SEPARATOR, Bounds, capped, few, matched, names_told
from decisions.sigma import Rule, matches
from decisions.sigma_sql import Names
from tasks.hunting.coverage import Period
from tasks.hunting.table import Table, TableUnanswered


@dataclass
class Asked:
    """What rules match."""

    rules: Sequence[Rule]
    matched: dict[Spot, set[str]] = field(default_factory=dict)
    """Ids of rules by spot."""
    counts: Counter[str] = field(default_factory=Counter)
    """Rows by rule."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Rows by rule that are counted and not among `matched`."""
    unasked: list[tuple[str, str]] = field(default_factory=list)

    def of(self, record: Mapping[str, Any], day: str) -> tuple[str, ...]:
        """The rules that a record at one of the spots matches. A spot without eventID is not of one record: all are asked."""
        event, name = record.get("eventID"), record.get("eventName")
        ids = self.matched.get((event, name, day)) if isinstance(event, str) and isinstance(name, str) else None
        if ids is None:
            return tuple(rule.id for rule in self.rules if matches(rule, record))
        return tuple(rule.id for rule in self.rules if rule.id in ids)


def ask(table: Table, relation: str, rules: Sequence[Rule], period: Period, irregular: bool, kept: int) -> Asked:
    """All rules in one question; those that the engine refuses are named. Raises TableUnanswered."""
    if not rules:
        return Asked(())
    names, since, until = names_told(list(table.rows(few(relation)))), *period.bounds
    bounds = Bounds(since or None, until if period.until else None)
    try:
        return _asked(table, relation, rules, names, bounds, irregular, kept)
    except TableUnanswered:
        refused = _refused(table, relation, rules, names)
        if not refused:
            raise
    good = [rule for rule in rules if rule.id not in refused]
    told = _asked(table, relation, good, names, bounds, irregular, kept)
    told.unasked += [(rule.source, refused[rule.id]) for rule in rules if rule.id in refused]
    return told


def _asked(
    table: Table, relation: str, rules: Sequence[Rule], names: Names, bounds: Bounds, irregular: bool, kept: int
) -> Asked:
    told = Asked(rules)
    for some, query in _queries(table, relation, rules, names, bounds, irregular, kept):
        _add(told, some, table.rows(query))
    return told


def _queries(
    table: Table, relation: str, rules: Sequence[Rule], names: Names, bounds: Bounds, irregular: bool, kept: int
) -> Iterator[tuple[Sequence[Rule], str]]:
    """One question of all rules; where the engine does not take one so long, as few as it takes, each of some of the rules."""
    queries = matched(relation, table.dialect, rules, names, bounds, irregular)
    if not queries:
        return
    query = capped(queries, kept)
    if table.statement_bytes and len(rules) > 1 and len(query.encode()) > table.statement_bytes:
        middle = len(rules) // 2
        for some in (rules[:middle], rules[middle:]):
            yield from _queries(table, relation, some, names, bounds, irregular, kept)
    else:
        yield rules, query


def _add(told: Asked, rules: Sequence[Rule], rows: Iterable[tuple[Any, ...]]) -> None:
    totals: dict[str, int] = {}
    given: Counter[str] = Counter()
    for which, total, *spot in rows:
        ids = {rules[int(place)].id for place in which.split(SEPARATOR) if place}
        told.matched.setdefault(tuple(spot), set()).update(ids)
        totals[which] = total
        given[which] += 1
    for which, total in totals.items():
        for rule_id in (rules[int(place)].id for place in which.split(SEPARATOR) if place):
            told.counts[rule_id] += total
            if total > given[which]:
                told.left_out[rule_id] += total - given[which]


def _refused(table: Table, relation: str, rules: Sequence[Rule], names: Names) -> dict[str, str]:
    """Rules that the engine does not take, each asked by itself of no row."""
    found: dict[str, str] = {}
    nothing = f"(SELECT * FROM {relation} WHERE false) AS nothing"  # noqa: S608 - text of ours
    for rule in rules:
        # Of an unknown eventName too: a rule of which no eventName is in the table would not be asked at all.
        of_it = {name: values for name, values in names.items() if name != "eventName"}
        for query in matched(nothing, table.dialect, [rule], of_it, Bounds(), True):
            try:
                list(table.rows(query))
            except TableUnanswered as error:
                found[rule.id] = str(error)
                break
    return found
