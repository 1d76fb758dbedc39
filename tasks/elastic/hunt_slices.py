"""The days of the logs in Elasticsearch, asked one after the other; what is finished of a day is not asked again.

A day is asked again when it has another number of documents than it had, and while it is young: events come late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import islice, pairwise
from typing import Any

from elasticsearch import Elasticsearch

from tasks.elastic.client import Pages, answered, search_once
from tasks.elastic.failures import NothingThere, Skipped, body_of
from tasks.elastic.hunt_checkpoint import Checkpoint
from tasks.elastic.hunt_queries import BARE, FAILED, FAILED_NAME, Asked, Dsl, between
from tasks.logs.elasticsearch_query import RECIPIENT, REGION

DAY = timedelta(days=1)
YOUNG = timedelta(hours=48)
"""A day is always asked again until it has been over for so long."""
FIRST, LAST = datetime(2006, 1, 1, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)
"""Outside there are no plausible times of events."""
PLACES = 5000
"""Days of accounts and Regions in one answer."""
BLOCK_DAYS, BLOCK_DOCUMENTS = 31, 10_000_000
"""What is counted by one search, at most; a day at least."""
PER_DAY = {"date_histogram": {"field": "@timestamp", "calendar_interval": "day", "min_doc_count": 1}}


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
        return pairwise(ends)


def days_of(
    es: Elasticsearch, index: str, begin: datetime, end: datetime, gaps: list[str], only: Dsl | None = None
) -> list[Day]:
    """The days with documents (`only`: such documents), in order. Raises Unanswered, NothingThere without an index."""
    query = {"bool": {"filter": [between(begin, end), *([only] if only else [])]}}
    body = {"size": 0, "track_total_hits": False, "query": query, "aggs": {"days": PER_DAY}}
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
        key, settled = self._key(day, question), self._settled(day)
        if settled and (known := self.checkpoint.get(key)) is not None:
            return known
        skipped: list[str] = []
        told = ask(skipped)
        self.gaps += [gap for gap in skipped if gap not in self.gaps]
        if settled and not skipped:
            self.checkpoint.put(key, told)
        return told

    def looks(self, days: Sequence[Day], asked: Sequence[Asked], question: str) -> Iterator[tuple[Day, Look]]:
        """How many documents of each day may answer, and of what accounts and Regions it has documents.

        Many days are counted by one search: it costs much to prepare the questions, and little to answer them. Raises
        Unanswered.
        """
        for block in blocks(days):
            missing = [day for day in block if not self._known(day, ["look", question])]
            answers: dict[date, dict[str, Any]] = {}
            skipped: list[str] = []
            if missing:
                answers = self._look(missing[0].begin, missing[-1].end, asked, skipped)

            def ask(
                told: list[str], day: date, answers: Any = answers, skipped: Sequence[str] = skipped
            ) -> dict[str, Any]:
                told += skipped
                return answers.get(day) or _nothing(asked)

            # All that the search counted is kept before any document is asked for.
            looks = [self.part(day, ["look", question], partial(ask, day=day.date)) for day in block]
            yield from ((day, Look(**look)) for day, look in zip(block, looks, strict=True))

    def hits(
        self, query: Dsl, source: Sequence[str], skipped: list[str], at_most: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """The documents of a query, page by page, the oldest first. Raises Unanswered."""
        pages = Pages(self.es, self.indices, query, source=source, page_size=self.page_size)
        with closing(iter(pages)) as found:
            yield from islice(found, at_most)
        skipped += pages.gaps

    def _known(self, day: Day, question: Sequence[Any]) -> bool:
        return self._settled(day) and self.checkpoint.has(self._key(day, question))

    def _settled(self, day: Day) -> bool:
        return day.end <= self.now - YOUNG

    def _key(self, day: Day, question: Sequence[Any]) -> list[Any]:
        return [list(self.indices), day.begin.isoformat(), day.documents, *question]

    def _look(
        self, begin: datetime, end: datetime, asked: Sequence[Asked], skipped: list[str]
    ) -> dict[date, dict[str, Any]]:
        filters = {one.name: one.query for one in asked} | {FAILED_NAME: FAILED}
        edges = {"first": {"min": {"field": "@timestamp"}}, "last": {"max": {"field": "@timestamp"}}}
        body: dict[str, Any] = {
            "size": 0,
            "track_total_hits": False,
            "query": between(begin, end),
            "aggs": {
                "asked": {"filters": {"filters": filters}, "aggs": {"days": PER_DAY}},
                "bare": {"filter": BARE, "aggs": {"days": PER_DAY}},
                "days": PER_DAY | {"aggs": edges},
            },
        }
        told = search_once(self.es, self.indices, body, skipped)["aggregations"]
        days = {_date(bucket): _nothing(asked) for bucket in told["days"]["buckets"]}
        for bucket in told["days"]["buckets"]:
            moments = {name: bucket[name]["value"] for name in edges}
            days[_date(bucket)] |= {"documents": bucket["doc_count"], **moments}
        for bucket in told["bare"]["days"]["buckets"]:
            days[_date(bucket)]["bare"] = bucket["doc_count"]
        for name, found in told["asked"]["buckets"].items():
            for bucket in found["days"]["buckets"]:
                days[_date(bucket)]["counts"][name] = bucket["doc_count"]
        for bucket in self._places(begin, end, skipped):
            if day := days.get(_date(bucket["key"])):  # else its first document came after they were counted
                day["places"].append([str(bucket["key"][name]) for name in ("account", "region")])
        return days

    def _places(self, begin: datetime, end: datetime, skipped: list[str]) -> Iterator[dict[str, Any]]:
        """Every day of an account and Region with documents; a composite aggregation leaves none out."""
        sources = [
            {"key": {"date_histogram": {"field": "@timestamp", "calendar_interval": "day"}}},
            {"account": {"terms": {"field": RECIPIENT}}},
            {"region": {"terms": {"field": REGION}}},
        ]
        composite: dict[str, Any] = {"size": PLACES, "sources": sources}
        while True:
            body = {"size": 0, "track_total_hits": False, "query": between(begin, end)}
            page = search_once(self.es, self.indices, body | {"aggs": {"places": {"composite": composite}}}, skipped)
            told = page["aggregations"]["places"]
            yield from told["buckets"]
            if len(told["buckets"]) < PLACES:
                return
            composite["after"] = told["after_key"]


def blocks(days: Sequence[Day]) -> Iterator[list[Day]]:
    """Days that are counted together: so many that the answer does not take too long."""
    block: list[Day] = []
    for day in days:
        full = len(block) == BLOCK_DAYS or sum(one.documents for one in block) + day.documents > BLOCK_DOCUMENTS
        if block and full:
            yield block
            block = []
        block.append(day)
    if block:
        yield block


def _nothing(asked: Sequence[Asked]) -> dict[str, Any]:
    """Of a day without documents: they were deleted since the days were listed."""
    counts = dict.fromkeys((*(one.name for one in asked), FAILED_NAME), 0)
    return {"documents": 0, "bare": 0, "first": None, "last": None, "counts": counts, "places": []}


def _date(bucket: Mapping[str, Any]) -> date:
    return datetime.fromtimestamp(bucket["key"] / 1000, UTC).date()


def reachable(
    es: Elasticsearch,
    patterns: Sequence[str],
    begin: datetime,
    end: datetime,
    gaps: list[str],
    unreached: list[str],
    only: Dsl | None = None,
) -> dict[str, list[Day]]:
    """The days of each pattern; one of which no index is there is a gap. Raises Unanswered, NothingThere when there is none.

    `unreached`: takes the sentences for clusters that were skipped.
    """
    told: dict[str, list[Day]] = {}
    failed: list[NothingThere] = []
    for pattern in patterns:
        try:
            told[pattern] = days_of(es, pattern, begin, end, unreached, only)
        except NothingThere as error:
            failed.append(error)
    if failed and not told:
        raise failed[0]
    for error in failed:
        (unreached if isinstance(error, Skipped) else gaps).append(str(error))
    return told


def all_have(es: Elasticsearch, indices: Sequence[str], fields: Sequence[str], kind: str) -> bool:
    """Whether these fields are of this type in every index. Raises Unanswered."""
    asked = f"for the fields of {', '.join(indices)}"
    with answered(es, asked):
        response = es.field_caps(
            index=",".join(indices), fields=list(fields), include_unmapped=True, ignore_unavailable=True
        )
    told = body_of(response, es, asked)["fields"]
    return all(set(told.get(field, {})) == {kind} for field in fields)


def joined(told: Mapping[str, Sequence[Day]]) -> list[Day]:
    """The days of several patterns as one, in order."""
    sums: dict[datetime, int] = {}
    for day in (day for days in told.values() for day in days):
        sums[day.begin] = sums.get(day.begin, 0) + day.documents
    return [Day(begin, sums[begin]) for begin in sorted(sums)]
