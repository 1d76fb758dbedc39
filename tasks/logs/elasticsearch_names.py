"""Names that no exact term of Elasticsearch finds: they stand at the end of an ARN, or only in the call that began a session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from elasticsearch import Elasticsearch

from decisions.activity import LogRecord
from decisions.ecs_record import SOURCE, read_hit
from tasks.elastic.client import Pages, search_once
from tasks.logs.elasticsearch_query import ACTION, ARN, RESPONSE, absent, any_of, names_of, period, terms, within
from tasks.logs.interface import ROLE_CALLS, Query, Scope

LONGEST_SESSION = timedelta(hours=12)
"""A role session that was begun earlier has ended; users' own sessions (36 hours) bear no source identity."""
NAMES_AT_ONCE = 1000
"""Callers of one page when their ARNs are listed."""


class Named(NamedTuple):
    """What stands for the names of a query."""

    arns: tuple[str, ...] = ()
    """Of callers whose last part is one of the names."""
    identities: dict[str, str] = {}
    """Access key of a session -> the name that it was given as source identity, which its own events do not tell here."""

    def completed(self, record: LogRecord) -> LogRecord:
        """The record with the source identity of its session."""
        known = self.identities.get(record.access_key_id or "")
        if known is None or record.source_identity is not None:
            return record
        return record.model_copy(update={"source_identity": known})


def resolve(es: Elasticsearch, indices: Sequence[str], query: Query, scope: Scope, gaps: list[str]) -> Named:
    """What stands for the names among the query's principals. Raises Unanswered; clusters that were skipped are gaps."""
    names = set(names_of(query))
    if not names:
        return Named()
    filters = [*within(scope), period(scope.since, scope.until)]
    filters += [terms(ACTION, query.event_names)] if query.event_names else []
    arns = tuple(arn for arn in _callers(es, indices, filters, gaps) if arn.rpartition("/")[2] in names)
    return Named(arns, _identities(es, indices, names, scope, gaps))


def _callers(
    es: Elasticsearch, indices: Sequence[str], filters: list[dict[str, Any]], gaps: list[str]
) -> Iterator[str]:
    """Every caller's ARN, once each; a composite aggregation leaves none out."""
    composite: dict[str, Any] = {"size": NAMES_AT_ONCE, "sources": [{"arn": {"terms": {"field": ARN}}}]}
    body = {"size": 0, "track_total_hits": False, "query": {"bool": {"filter": filters}}}
    while True:
        page = search_once(es, indices, body | {"aggs": {"callers": {"composite": composite}}}, gaps)
        callers = page["aggregations"]["callers"]
        yield from (str(bucket["key"]["arn"]) for bucket in callers["buckets"])
        if "after_key" not in callers:
            return
        composite["after"] = callers["after_key"]


def _identities(
    es: Elasticsearch, indices: Sequence[str], names: set[str], scope: Scope, gaps: list[str]
) -> dict[str, str]:
    """The keys of sessions that bear one of the names as source identity; whoever passes it on is told in each answer of STS."""
    told = any_of(terms(f"{RESPONSE}.sourceIdentity", sorted(names)), absent(RESPONSE))
    filters = [terms(ACTION, ROLE_CALLS), told, period(scope.since - LONGEST_SESSION, scope.until)]
    pages = Pages(es, indices, {"bool": {"filter": filters}}, source=SOURCE)
    found: dict[str, str] = {}
    for hit in pages:
        try:
            answered = read_hit(hit).record.response_elements
        except ValueError:
            continue  # it is counted where the events themselves are read
        identity, given = answered.get("sourceIdentity"), answered.get("credentials")
        key = given.get("accessKeyId") if isinstance(given, dict) else None
        if isinstance(key, str) and isinstance(identity, str) and identity in names:
            found[key] = identity
    gaps += pages.gaps
    return found
