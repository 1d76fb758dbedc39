"""Every fixture on every engine that is here: all must say what the fixture says, and so the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from decisions.sigma import Loaded, Rule, matches
from tasks.hunting import duckdb_engine
from tasks.hunting.fixtures import Fixture, concerned, fired, fixtures
from tasks.hunting.raw_engine import is_line

Record = Mapping[str, Any]


class Engine(Protocol):
    """What asks rules of records."""

    name: str

    def refused(self, rules: Iterable[Rule]) -> Mapping[str, str]:
        """Ids of the rules that it cannot be asked, with the reason."""
        ...

    def matched(self, rules: Sequence[Rule], records: Sequence[Record]) -> list[set[str]]:
        """For each record the ids of the rules that match it."""
        ...


class Reference:
    """The evaluator in Python: what a rule means."""

    name = "reference"

    def refused(self, rules: Iterable[Rule]) -> Mapping[str, str]:
        """It refuses none."""
        return {}

    def matched(self, rules: Sequence[Rule], records: Sequence[Record]) -> list[set[str]]:
        """One after the other."""
        return [{rule.id for rule in rules if matches(rule, record)} for record in records]


class DuckDb:
    """SQL, over a table in memory."""

    name = "duckdb"

    def refused(self, rules: Iterable[Rule]) -> Mapping[str, str]:
        """It refuses none."""
        return {}

    def matched(self, rules: Sequence[Rule], records: Sequence[Record]) -> list[set[str]]:
        """In one scan; records are told apart by a number in place of their eventID."""
        found: list[set[str]] = [set() for _ in records]
        with duckdb_engine.connect() as connection:
            numbered = [dict(record) | {"eventID": str(number)} for number, record in enumerate(records)]
            duckdb_engine.table_of(connection, "records", numbered)
            for ids, (event_id, rest) in duckdb_engine.hits(connection, "records", rules, ("eventID", "rest")):
                # A record of a shape that AWS does not write stands whole in `rest`.
                found[int(event_id if event_id is not None else json.loads(rest)["eventID"])] |= set(ids)
        return found


@dataclass
class Checked:
    """What was asked, of whom, and what was not as it should be."""

    engines: list[str]
    rules: int
    fixtures: int = 0
    problems: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    """Rules that have no fixture which they must match."""
    not_asked: list[str] = field(default_factory=list)
    """Rules that an engine cannot be asked, with the reason."""


def check(folder: Path, loaded: Loaded, engines: Sequence[Engine]) -> Checked:
    """Every fixture of a folder on the engines given."""
    told = Checked([engine.name for engine in engines], len(loaded.rules) + len(loaded.correlations))
    proven: set[str] = set()
    for rule_file in dict.fromkeys([*(r.source for r in loaded.rules), *(c.source for c in loaded.correlations)]):
        cases = fixtures(folder, rule_file)
        rules = concerned(loaded, rule_file)
        told.fixtures += len(cases)
        _unknown_names(told, loaded, cases)
        proven |= {name for case in cases for name in case.expected}
        for engine in engines:
            refused = engine.refused(rules)
            told.not_asked += [
                f"{engine.name}: {rule.title}: {refused[rule.id]}" for rule in rules if rule.id in refused
            ]
            _ask(told, engine, [rule for rule in rules if rule.id not in refused], cases, loaded, rule_file)
    everything = [*loaded.rules, *loaded.correlations]
    told.without = [f"{one.source}: {one.title}" for one in everything if not proven & {one.name, one.id}]
    told.not_asked = list(dict.fromkeys(told.not_asked))
    return told


def _ask(
    told: Checked, engine: Engine, rules: Sequence[Rule], cases: Sequence[Fixture], loaded: Loaded, rule_file: str
) -> None:
    names = {rule.id: rule.name or rule.id for rule in rules}
    records = [record for case in cases for record in case.records]
    answers = iter(engine.matched(rules, records) if records else [])
    for case in cases:
        matched = [next(answers) for _ in case.records]
        matched = [ids & _about(rules, record) for ids, record in zip(matched, case.records, strict=True)]
        if case.sequence:
            found = fired(loaded, rule_file, case.records, matched)
            wanted = set(case.expected)
        else:
            found = {names[rule_id] for rule_id in matched[0]}
            wanted = set(case.expected) & set(names.values())
        for name in sorted(found ^ wanted):
            verb = "matches and must not" if name in found else "does not match and must"
            told.problems.append(f"{case.place}: {engine.name}: {name} {verb}: {case.about}")


def _about(rules: Sequence[Rule], record: Record) -> set[str]:
    """Rules about this kind of record: of lines of access logs there are fields, and no `eventName`."""
    service = "s3access" if is_line(record) else "cloudtrail"
    return {rule.id for rule in rules if rule.service == service}


def _unknown_names(told: Checked, loaded: Loaded, cases: Sequence[Fixture]) -> None:
    names = {one.name or one.id for one in (*loaded.rules, *loaded.correlations)}
    told.problems += [
        f"{case.place}: there is no rule {name!r}" for case in cases for name in sorted(case.expected - names)
    ]
