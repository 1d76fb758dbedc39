"""Fixtures beside rules: events that a rule must match and events that it must not, and sequences for correlations.

`<name>.fixtures.jsonl` beside `<name>.yml`, one JSON object a line: `about` in words; `match`, the names of the rules that
must match `record` (every other rule of the file, and every rule that its correlations are about, must not); or `fire`, the
names of the correlations that `records` must set off, in the order of their times.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from decisions.sigma import Loaded, Rule, load_rules
from decisions.sigma_correlation import Hit, correlate

PACK = Path(__file__).resolve().parents[2] / "hunts"


class FixturesUnusable(Exception):
    """A folder or a line of fixtures cannot be used; the text says which and why."""


@dataclass(frozen=True)
class Fixture:
    """One line: what must match a record, or what a sequence of records must set off."""

    place: str
    about: str
    expected: frozenset[str]
    records: tuple[Mapping[str, Any], ...]
    sequence: bool


def rule_texts(folder: Path) -> dict[str, str]:
    """The YAML files below a folder, or one file, by name. Raises FixturesUnusable when there is none."""
    files = [folder] if folder.is_file() else sorted([*folder.rglob("*.yml"), *folder.rglob("*.yaml")])
    if not files:
        raise FixturesUnusable(f"there is no rule (*.yml) in {folder}")
    root = folder.parent if folder.is_file() else folder
    return {str(file.relative_to(root)): file.read_text(encoding="utf-8", errors="replace") for file in files}


def load(folder: Path = PACK) -> Loaded:
    """The rules of a folder, or of one file."""
    return load_rules(rule_texts(folder))


def fixtures(folder: Path, rule_file: str) -> list[Fixture]:
    """The fixtures beside a rule file (its name as in `rule_texts`); none when there is no such file."""
    root = folder.parent if folder.is_file() else folder
    file = (root / rule_file).with_suffix(".fixtures.jsonl")
    if not file.is_file():
        return []
    lines = file.read_text(encoding="utf-8").splitlines()
    return [_fixture(f"{file.name}:{number}", line) for number, line in enumerate(lines, 1) if line.strip()]


def concerned(loaded: Loaded, rule_file: str) -> list[Rule]:
    """The rules of a file, and those that its correlations are about."""
    about = {rule for found in loaded.correlations if found.source == rule_file for rule in found.rules}
    return [rule for rule in loaded.rules if rule.source == rule_file or rule.id in about]


def fired(
    loaded: Loaded, rule_file: str, records: Sequence[Mapping[str, Any]], matched: Sequence[set[str]]
) -> set[str]:
    """Names of the correlations of a file that go off, given the ids of the rules that each record matches."""
    hits = [
        Hit(rule_id, datetime.fromisoformat(str(record["eventTime"])), record)
        for record, ids in zip(records, matched, strict=True)
        for rule_id in sorted(ids)
    ]
    hits.sort(key=lambda hit: hit.time)
    mine = {found.id: found for found in loaded.correlations if found.source == rule_file}
    gone = {correlated.correlation_id for correlated in correlate(loaded.correlations, hits)}
    return {mine[found].name or found for found in gone if found in mine}


def _fixture(place: str, line: str) -> Fixture:
    try:
        given = json.loads(line)
        sequence = "fire" in given
        expected = frozenset(given["fire"] if sequence else given["match"])
        records = tuple(given["records"]) if sequence else (given["record"],)
        return Fixture(place, str(given["about"]), expected, records, sequence)
    except (ValueError, KeyError, TypeError) as error:
        raise FixturesUnusable(f"{place} is no fixture: {error!r}") from error
