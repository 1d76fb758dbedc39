"""CloudTrail in Elasticsearch (`logs-aws.cloudtrail-*`): the same questions as to files, with the same answers.

The answer is read page by page, newest first, and of what exceeds the records that are kept only the number is asked. What Elasticsearch did not answer, cannot
answer any more, or keeps in a form that has no certain reading is a gap; what was found until then is kept.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch

from decisions.activity import LogAnswer, LogRecord
from decisions.ecs_record import SOURCE, Read, read_hit
from settings.elastic import ElasticsearchSettings
from tasks.elastic.client import Pages, Unanswered, connected
from tasks.logs.elasticsearch_coverage import reach
from tasks.logs.elasticsearch_names import resolve
from tasks.logs.elasticsearch_query import FAILED, Dsl, exact, of_query, period
from tasks.logs.interface import DELAY, Query, Scope, Searching, answer

LATE = timedelta(days=3)
"""A document that could not be parsed bears the time of its ingest: so much later it is searched for as well."""
COUNTED = 10_000
"""Documents of one page of which nothing but the id is fetched."""


class Newest:
    """The newest records of a stream that comes newest first, each once, and how many older ones there are."""

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self._moment: datetime | None = None
        self._ids: set[str] = set()
        self._given = 0
        self.records: list[LogRecord] = []
        """Newest first."""

    def add(self, record: LogRecord) -> None:
        """Keep a record, or count it where enough are kept."""
        if self.count(record.time, record.event_id) and not self.full:
            self.records.append(record)

    def count(self, moment: datetime, event_id: str) -> bool:
        """Count an event; False for a copy. Copies have the same time, so only the ids of one moment are remembered."""
        if moment != self._moment:
            self._moment, self._ids = moment, set()
        elif event_id in self._ids:
            return False
        self._ids.add(event_id)
        self._given += 1
        return True

    @property
    def full(self) -> bool:
        """Whether no record is kept any more."""
        return len(self.records) == self._at_most

    @property
    def left_out(self) -> int:
        """How many older ones there were."""
        return self._given - len(self.records)


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
        dsl = of_query(query, scope, named.arns, tuple(named.identities))
        pages = self._pages(es, dsl)
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
                if found.full and exact(query):
                    self._count(es, dsl, found, record.time, gaps)
                    break
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

    def _count(self, es: Elasticsearch, dsl: Dsl, found: Newest, until: datetime, gaps: list[str]) -> None:
        """How many more there are: of these nothing but the id is fetched. Raises Unanswered."""
        older = {"bool": {"filter": [dsl, {"range": {"@timestamp": {"lte": until.isoformat()}}}]}}
        pages = Pages(
            es, self._indices, older, newest_first=True, source=(), doc_values=("event.id",), page_size=COUNTED
        )
        for hit in pages:
            named = hit.get("fields", {}).get("event.id") or [hit["_id"]]
            found.count(datetime.fromtimestamp(hit["sort"][0] / 1000, UTC), str(named[0]))
        gaps += pages.gaps

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

    def _pages(self, es: Elasticsearch, dsl: Dsl) -> Pages:
        fetched = (*SOURCE, "message")
        return Pages(es, self._indices, dsl, newest_first=True, source=fetched, page_size=self._settings.page_size)


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
