"""Rules over past log files with the reference evaluator: hits, rate and cost of each."""

from __future__ import annotations

import json
import re
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from decisions.sigma import ESCAPED, Literal, Rule, matches
from decisions.sigma_backtest import Tally
from tasks.logs.files import unpacked


@dataclass
class Backtested:
    """What was looked at, and the tallies in the order of the rules."""

    tallies: list[Tally]
    events: int = 0
    files: int = 0
    cut: bool = False
    """Whether there were more events than the limit."""
    unread: list[str] = field(default_factory=list)
    """Files that could not be read, each with the reason."""


def backtest(rules: Sequence[Rule], path: Path, events_max: int, file_bytes_max: int) -> Backtested:
    """The rules over the CloudTrail files below a folder, in the order of their names, up to a number of events."""
    told = Backtested([Tally(rule) for rule in rules])
    needs = [_needed(rule) for rule in rules]
    for record in _records(path, file_bytes_max, told):
        if told.events == events_max:
            told.cut = True
            break
        told.events += 1
        raw = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        for tally, need in zip(told.tallies, needs, strict=True):
            if need is not None and not need.search(raw):
                continue
            tally.parsed += 1
            start = time.perf_counter()
            if matches(tally.rule, record):
                tally.hit(record)
            tally.seconds += time.perf_counter() - start
    return told


def _needed(rule: Rule) -> re.Pattern[bytes] | None:
    """What a record's bytes must hold to be parsed for a rule: its most telling group; None: every record is parsed."""
    if rule.literals is None:
        return None
    return re.compile(b"|".join([*map(_expression, rule.literals[0]), ESCAPED]))


def _expression(literal: Literal) -> bytes:
    return b"(?i:%b)" % literal.pattern if literal.caseless else b"(?:%b)" % literal.pattern


def _records(path: Path, file_bytes_max: int, told: Backtested) -> Iterator[Mapping[str, Any]]:
    files: Iterable[Path] = [path] if path.is_file() else sorted([*path.rglob("*.json"), *path.rglob("*.json.gz")])
    for file in files:
        try:
            found = json.loads(unpacked(file, file_bytes_max))
        except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
            told.unread.append(f"{file}: {error}")
            continue
        listed = cast("dict[str, Any]", found).get("Records") if isinstance(found, dict) else found
        if not isinstance(listed, list):
            told.unread.append(f"{file}: there are no CloudTrail records in it")
            continue
        told.files += 1
        for record in listed:
            if isinstance(record, dict) and "eventName" in record:
                yield cast("dict[str, Any]", record)
