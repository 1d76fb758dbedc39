"""CloudTrail in Elasticsearch (`logs-aws.cloudtrail-*`): the same questions as to files, with the same answers.

The answer is read page by page, and no more than its newest records are kept. What Elasticsearch did not answer, cannot
answer any more, or keeps in a form that has no certain reading is a gap; what was found until then is kept.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch

from decisions.activity import LogAnswer, LogRecord
from decisions.ecs_record import SOURCE, Read, read_hit
from settings.elastic import ElasticsearchSettings
from tasks.elastic.client import Pages, Unanswered, connected
from tasks.logs.elasticsearch_coverage import reach
from tasks.logs.elasticsearch_names import resolve
from tasks.logs.elasticsearch_query import FAILED, of_query, period
from tasks.logs.interface import DELAY, Query, Scope, Searching, answer

LATE = timedelta(days=3)
"""A document that could not be parsed bears the time of its ingest: so much later it is searched for as well."""


class Newest:
    """The newest records of a stream that is ordered by time, each once, and how many there were before them."""

    def __init__(self, at_most: int) -> None:
        self._kept: deque[LogRecord] = deque(maxlen=at_most)
        self._now: tuple[datetime | None, set[str]] = (None, set())
        self._given = 0

    def add(self, record: LogRecord) -> None:
        """Take a record; the copies of an event have the same time, so only the ids of one moment are remembered."""
        moment, ids = self._now
        if moment != record.time:
            ids = set()
        elif record.event_id in ids:
            return
        ids.add(record.event_id)
        self._now = (record.time, ids)
        self._given += 1
        self._kept.append(record)

    @property
    def records(self) -> list[LogRecord]:
        """What is kept, in the order in which it came."""
        return list(self._kept)

    @property
    def left_out(self) -> int:
        """How many older ones there were."""
        return self._given - len(self._kept)


class ElasticsearchLogs(Searching):
    """The CloudTrail indices of one cluster, other clusters by their names (CCS) included."""

    def __init__(self, settings: ElasticsearchSettings, max_records: int) -> None:
        self._settings, self._max_records = settings, max_records
        self._indices = settings.cloudtrail_indices

    def search(self, query: Query, scope: Scope) -> LogAnswer:
        """Records of the scope's accounts and Regions. Nothing is raised: what went wrong is a gap."""
        now = datetime.now(UTC)
        found, failed, gaps = Newest(self._max_records), Newest(self._max_records), list[str]()
        delay = DELAY
        try:
            with connected(self._settings) as es:
                self._events(es, query, scope, found, gaps)
                self._not_parsed(es, query, scope, failed, gaps)
                gaps_of_ingest, delay = reach(es, self._indices, scope, now)
                gaps += gaps_of_ingest
        except Unanswered as error:
            gaps.append(str(error))
        left_out = found.left_out + failed.left_out
        return answer([*found.records, *failed.records], scope, gaps, now, self._max_records, left_out, delay)

    def _events(self, es: Elasticsearch, query: Query, scope: Scope, found: Newest, gaps: list[str]) -> None:
        """What answers, added to `found`. Raises Unanswered."""
        named = resolve(es, self._indices, query, scope, gaps)
        pages = self._pages(es, of_query(query, scope, named.arns, tuple(named.identities)))
        # Where a text was left out, its document may answer, whatever it says of parameters.
        certain = query.model_copy(update={"mentions": (), "place": None})
        unread, uncertain = 0, 0
        try:
            for hit in pages:
                try:
                    read = read_hit(hit)
                except ValueError:
                    unread += 1
                    continue
                if not _placed(read.record, scope):
                    continue
                record = named.completed(read.record)
                uncertain += bool(read.left_out) and certain.matches(record)
                if query.matches(record):
                    found.add(record)
        finally:
            gaps += pages.gaps
            gaps += (
                [f"{unread} document(s) that may answer are no CloudTrail events that can be read."] if unread else []
            )
            if uncertain:
                gaps.append(
                    f"Of {uncertain} document(s) a text of parameters has no certain reading and was left out: "
                    "keep event.original or the flattened fields in the AWS integration."
                )

    def _not_parsed(self, es: Elasticsearch, query: Query, scope: Scope, found: Newest, gaps: list[str]) -> None:
        """Events that the pipeline could not parse, read from their raw text and added to `found`. Raises Unanswered."""
        pages = self._pages(es, {"bool": {"filter": [FAILED, period(scope.since, scope.until + LATE)]}})
        unread = 0
        for hit in pages:
            read = _raw(hit)
            if read is None:
                unread += 1
            elif _placed(read.record, scope) and query.matches(read.record):
                found.add(read.record)
        if unread:
            gaps.append(f"{unread} document(s) that the ingest pipeline could not parse cannot be read here either.")

    def _pages(self, es: Elasticsearch, dsl: dict[str, Any]) -> Pages:
        return Pages(es, self._indices, dsl, source=(*SOURCE, "message"), page_size=self._settings.page_size)


def _raw(hit: dict[str, Any]) -> Read | None:
    """The event in a document's raw text; None where it holds none that can be read."""
    source = hit["_source"]
    event = source.get("event")
    text = source.get("event.original") or (event.get("original") if isinstance(event, dict) else None)
    for raw in (text, source.get("message")):
        try:
            read = read_hit({**hit, "_source": {"event": {"original": raw}}})
        except ValueError:
            continue
        return read
    return None


def _placed(record: LogRecord, scope: Scope) -> bool:
    """Whether a record is of the scope; where it names no account or Region, it may be of any."""
    account, region = record.recipient_account, record.region
    here = (account is None or account in scope.accounts) and (region is None or region in scope.regions)
    return here and scope.covers(record.time)
