"""What documents that may answer do answer: each is read, and decided on what it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from decisions.activity import LogRecord
from tasks.elastic.hunt_documents import Event, Unreadable, event, kept, line, restored, unparsed
from tasks.elastic.hunt_queries import FAILED_NAME
from tasks.hunting.source import OBJECTS, Found

Hit = Mapping[str, Any]
Holds = Callable[[LogRecord], bool]
Decide = Callable[[Event, tuple[str, ...]], tuple[str, ...]]
"""Of an event and the names of the clauses that found it (none: any): the searches that it answers."""


@dataclass
class Told:
    """What some documents answer."""

    found: list[Found] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """By search, how many answer."""
    unread: int = 0
    """Documents that may answer and cannot be read."""
    unparsed: int = 0
    """Those of them that the pipeline could not parse either."""
    uncertain: int = 0
    """Documents that may answer by a text that has no certain reading."""

    def add(self, more: Told) -> None:
        """Take in what others answer."""
        self.found += more.found
        self.counts.update(more.counts)
        self.unread += more.unread
        self.unparsed += more.unparsed
        self.uncertain += more.uncertain

    def json(self) -> dict[str, Any]:
        """For a checkpoint; `of_json` reads it."""
        numbers = {"unread": self.unread, "unparsed": self.unparsed, "uncertain": self.uncertain}
        return {"found": [kept(one) for one in self.found], "counts": dict(self.counts), **numbers}


def of_json(told: Mapping[str, Any]) -> Told:
    """What `json` gave."""
    found = [restored(one) for one in told["found"]]
    return Told(found, Counter(told["counts"]), told["unread"], told["unparsed"], told["uncertain"])


def events(hits: Iterable[Hit], decide: Decide, holds: Holds) -> Told:
    """Of documents of CloudTrail; `holds`: whether a record is of the time and place that is asked for."""
    told = Told()
    for hit in hits:
        names = tuple(hit.get("matched_queries", ()))
        failed = FAILED_NAME in names
        try:
            one = unparsed(hit) if failed else event(hit)
        except Unreadable:
            told.unparsed += failed
            told.unread += not failed
            continue
        if not holds(one.record):
            continue
        searches = decide(one, () if failed else names)
        told.counts.update(searches)
        told.uncertain += one.uncertain and not searches
        if searches:
            told.found.append(one.found(searches))
    return told


def lines(hits: Iterable[Hit], objects: Iterable[str], holds: Holds) -> Told:
    """Of documents of access logs: those that hold an object's text."""
    told, wanted = Told(), tuple(objects)
    for hit in hits:
        try:
            record, text = line(hit)
        except Unreadable:
            told.unparsed += 1
            continue
        if holds(record) and any(one in text for one in wanted):
            told.counts.update((OBJECTS,))
            told.found.append(Found((OBJECTS,), record, text))
    return told
