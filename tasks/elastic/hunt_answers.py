"""What documents that may answer do answer: each is read, and decided on what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from decisions.activity import LogRecord
from tasks.elastic.hunt_documents import Event, Unreadable, event, kept, line, restored, unparsed
from tasks.elastic.hunt_queries import FAILED_NAME
from tasks.hunting.source import OBJECTS, Found

Hit = Mapping[str, Any]
Decide = Callable[[Event, tuple[str, ...]], tuple[str, ...]]
"""Of an event and the names of the clauses that found it (none: any): the searches that it answers."""


@dataclass
class Told:
    """What some documents answer, whenever and wherever it happened."""

    found: list[Found] = field(default_factory=list)
    unread: int = 0
    """Documents that may answer and cannot be read."""
    unparsed: int = 0
    """Those that the pipeline could not parse, and we neither."""
    uncertain: int = 0
    """Documents that may answer by a text that has no certain reading."""

    def add(self, more: Told, holds: Callable[[LogRecord], bool]) -> None:
        """Take in what others answer, of the time and place that is asked for."""
        self.found += (one for one in more.found if holds(one.record))
        self.unread += more.unread
        self.unparsed += more.unparsed
        self.uncertain += more.uncertain

    def json(self) -> dict[str, Any]:
        """For a checkpoint; `of_json` reads it."""
        numbers = {"unread": self.unread, "unparsed": self.unparsed, "uncertain": self.uncertain}
        return {"found": [kept(one) for one in self.found], **numbers}


def of_json(told: Mapping[str, Any]) -> Told:
    """What `json` gave."""
    found = [restored(one) for one in told["found"]]
    return Told(found, told["unread"], told["unparsed"], told["uncertain"])


def events(hits: Iterable[Hit], decide: Decide) -> Told:
    """Of documents of CloudTrail."""
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
        searches = decide(one, () if failed else names)
        told.uncertain += one.uncertain and not searches
        if searches:
            told.found.append(one.found(searches))
    return told


def lines(hits: Iterable[Hit], objects: Iterable[str]) -> Told:
    """Of documents of access logs: those that hold an object's text."""
    told, wanted = Told(), tuple(objects)
    for hit in hits:
        try:
            record, text = line(hit)
        except Unreadable:
            told.unparsed += 1
            continue
        if any(one in text for one in wanted):
            told.found.append(Found((OBJECTS,), record, text))
    return told
