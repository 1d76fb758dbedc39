"""The days of the logs in Elasticsearch, asked one after the other; what is finished of a day is not asked again.

A day is asked again when it has another number of documents than it had, and while it is young: events come late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

from elasticsearch import Elasticsearch

from tasks.elastic.client import Pages, search_once
from tasks.elastic.failures import NothingThere
from tasks.elastic.hunt_checkpoint import Checkpoint
from tasks.elastic.hunt_queries import BARE, FAILED, FAILED_NAME, Asked, Dsl, between
from tasks.logs.elasticsearch_query import RECIPIENT, REGION

DAY = timedelta(days=1)
YOUNG = timedelta(hours=48)
"""A day is always asked again until it has been over for so long."""
FIRST, LAST = datetime(2006, 1, 1, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)
"""Outside there are no plausible times of events."""
PLACES = 1000
"""Pairs of account and Region in one answer."""


@dataclass(frozen=True)
class Day:
    """One day in UTC that has documents."""

    begin: datetime
    documents: int

    @property
    def date(self) -> date:
        """Its date."""
        return self.begin.date()

    @property
    def end(self) -> datetime:
        """The beginning of the next."""
        return self.begin + DAY

    def parts(self, number: int) -> Iterator[tuple[datetime, datetime]]:
        """So many parts of equal length."""
        ends = [self.begin + DAY * n / number for n in range(number + 1)]
        return zip(ends, ends[1:], strict=False)


def days_of(es: Elasticsearch, index: str, begin: datetime, end: datetime, gaps: list[str]) -> list[Day]:
    """The days with documents, in order. Raises Unanswered, also where no index of that name is there."""
    histogram = {"date_histogram": {"field": "@timestamp", "calendar_interval": "day", "min_doc_count": 1}}
    body = {"size": 0, "track_total_hits": False, "query": between(begin, end), "aggs": {"days": histogram}}
    buckets = search_once(es, [index], body, gaps)["aggregations"]["days"]["buckets"]
    return [Day(datetime.fromtimestamp(bucket["key"] / 1000, UTC), bucket["doc_count"]) for bucket in buckets]


@dataclass(frozen=True)
class Look:
    """What a day holds, before any document of it is fetched."""

    documents: int
    bare: int
    """Documents that keep nothing of what was asked and answered."""
    first: float | None
    last: float | None
    """Milliseconds since 1970."""
    counts: Mapping[str, int]
    """By search, how many documents may answer."""
    places: Sequence[Sequence[str]]
    """Account and Region."""


@dataclass
class Slices:
    """Asks the days of one kind of logs."""

    es: Elasticsearch
    indices: Sequence[str]
    checkpoint: Checkpoint
    now: datetime
    page_size: int
    gaps: list[str] = field(default_factory=list)
    """Clusters that were skipped."""

    def part(self, day: Day, question: Sequence[Any], ask: Callable[[list[str]], dict[str, Any]]) -> dict[str, Any]:
        """What is told of a part of a day: from the checkpoint, else by `ask`, which adds to a list what was skipped.

        Raises what `ask` raises; then nothing of the part is kept.
        """
        key = [list(self.indices), day.begin.isoformat(), day.documents, *question]
        settled = day.end <= self.now - YOUNG
        if settled and (known := self.checkpoint.get(key)) is not None:
            return known
        skipped: list[str] = []
        told = ask(skipped)
        self.gaps += [gap for gap in skipped if gap not in self.gaps]
        if settled and not skipped:
            self.checkpoint.put(key, told)
        return told

    def look(self, day: Day, asked: Sequence[Asked]) -> Look:
        """How many documents of a day may answer each question, and of what accounts and Regions it has documents."""
        question = ["look", [one.identity[:2] for one in asked]]
        return Look(**self.part(day, question, lambda skipped: self._look(day, asked, skipped)))

    def hits(
        self, query: Dsl, source: Sequence[str], skipped: list[str], at_most: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """The documents of a query, page by page, the oldest first. Raises Unanswered."""
        pages = Pages(self.es, self.indices, query, source=source, page_size=self.page_size)
        with closing(iter(pages)) as found:
            yield from islice(found, at_most)
        skipped += pages.gaps

    def _look(self, day: Day, asked: Sequence[Asked], skipped: list[str]) -> dict[str, Any]:
        filters = {one.name: one.query for one in asked} | {FAILED_NAME: FAILED}
        body: dict[str, Any] = {
            "size": 0,
            "track_total_hits": True,
            "query": between(day.begin, day.end),
            "aggs": {
                "asked": {"filters": {"filters": filters}},
                "bare": {"filter": BARE},
                "first": {"min": {"field": "@timestamp"}},
                "last": {"max": {"field": "@timestamp"}},
            },
        }
        found = search_once(self.es, self.indices, body, skipped)
        told = found["aggregations"]
        return {
            "documents": found["hits"]["total"]["value"],
            "bare": told["bare"]["doc_count"],
            "first": told["first"]["value"],
            "last": told["last"]["value"],
            "counts": {name: bucket["doc_count"] for name, bucket in told["asked"]["buckets"].items()},
            "places": list(self._places(day, skipped)),
        }

    def _places(self, day: Day, skipped: list[str]) -> Iterator[list[str]]:
        """Every account and Region with documents; a composite aggregation leaves none out."""
        sources = [{"account": {"terms": {"field": RECIPIENT}}}, {"region": {"terms": {"field": REGION}}}]
        composite: dict[str, Any] = {"size": PLACES, "sources": sources}
        while True:
            body = {"size": 0, "track_total_hits": False, "query": between(day.begin, day.end)}
            page = search_once(self.es, self.indices, body | {"aggs": {"places": {"composite": composite}}}, skipped)
            told = page["aggregations"]["places"]
            yield from ([str(one["key"]["account"]), str(one["key"]["region"])] for one in told["buckets"])
            if len(told["buckets"]) < PLACES:
                return
            composite["after"] = told["after_key"]


def reachable(
    es: Elasticsearch, patterns: Sequence[str], begin: datetime, end: datetime, gaps: list[str]
) -> dict[str, list[Day]]:
    """The days of each pattern; one of which no index is there is a gap. Raises Unanswered, NothingThere when there is none."""
    told: dict[str, list[Day]] = {}
    failed: list[NothingThere] = []
    for pattern in patterns:
        try:
            told[pattern] = days_of(es, pattern, begin, end, gaps)
        except NothingThere as error:
            failed.append(error)
    if failed and not told:
        raise failed[0]
    gaps += [str(error) for error in failed]
    return told


def joined(told: Mapping[str, Sequence[Day]]) -> list[Day]:
    """The days of several patterns as one, in order."""
    sums: dict[datetime, int] = {}
    for day in (day for days in told.values() for day in days):
        sums[day.begin] = sums.get(day.begin, 0) + day.documents
    return [Day(begin, sums[begin]) for begin in sorted(sums)]
