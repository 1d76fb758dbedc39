"""What a hunt asks of logs, and what every kind of store answers: raw files, our Parquet store, Elasticsearch, Trino, Athena.

A source finds; what a find means is decided in tasks/hunting/hunt.py, the same for all, so that the same event is the same
finding wherever it was read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from decisions.activity import LogRecord
from decisions.hunt import HuntCoverage
from decisions.sigma import Rule

EXPORTS, KEYS, OBJECTS = "exports", "keys", "objects"
"""What a find answers, beside the ids of rules."""
Progress = Callable[[str, int, int, int, int], None]
"""Told of long work: what it is, files done and to do, bytes done and to do."""


@dataclass(frozen=True, slots=True)
class Found:
    """One record or access log line, with what it answers: EXPORTS, KEYS, OBJECTS, ids of rules."""

    searches: tuple[str, ...]
    record: LogRecord
    text: str
    """All that it says: JSON of the record, or the line."""
    raw: Mapping[str, Any] | None = None
    """The record as CloudTrail writes it; None of an access log."""


@dataclass(frozen=True)
class Window:
    """Where and when something is looked for; account None is everywhere."""

    account: str | None
    since: datetime
    until: datetime

    def holds(self, record: LogRecord) -> bool:
        """Whether a record is of it; access logs tell no account, and what tells none may be of any."""
        account = None if record.category == "access-log" else record.recipient_account
        return (None in (self.account, account) or account == self.account) and self.since <= record.time <= self.until


@dataclass(frozen=True)
class Followed:
    """What is looked for around exports, each text with the ids of the export findings that it belongs to."""

    keys: Mapping[str, Sequence[str]]
    """Access keys: each the whole value of some field, in records of the windows' accounts."""
    objects: Mapping[str, Sequence[str]]
    """Part of some field: what only the exported object's key holds. Access logs tell no account; they are always asked."""
    windows: Sequence[Window]


class Source(Protocol):
    """Logs that can be asked; each question once, in this order."""

    def first(self, rules: Sequence[Rule]) -> Sequence[Found]:
        """Every request to export, whatever came of it, and every record of the period that a rule matches."""
        ...

    def second(self, followed: Followed) -> Sequence[Found]:
        """Records of the period and the windows that hold a key, and records or lines that hold an object's text."""
        ...

    def counts(self) -> Mapping[str, int]:
        """By rule, how many records match, those included that were too many to be given back."""
        ...

    def unasked(self) -> Sequence[tuple[str, str]]:
        """Rules (their file) that could not be asked here, each with the reason."""
        ...

    def coverage(self, gaps: Sequence[str]) -> HuntCoverage:
        """What was searched; `gaps` are sentences of the hunt's own to be taken in."""
        ...
