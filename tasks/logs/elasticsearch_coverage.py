"""How far Elasticsearch can answer: days without a document, data past its retention, and how late the ingest is.

One ingest is assumed to serve all accounts: an account without new documents is taken as quiet as long as documents of
any account arrive. As with files, a day without a document of an account and Region is a gap: nothing tells a quiet day
from a lost one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from elasticsearch import Elasticsearch

from decisions import ecs
from decisions.evidence import utc
from decisions.reading import moment
from tasks.elastic.client import Unanswered, search_once
from tasks.logs.elasticsearch_query import RECIPIENT, REGION, period, terms
from tasks.logs.interface import DELAY, Scope

STANDSTILL = timedelta(hours=1)
"""Without any document for this long, in any account, the ingest may have stopped."""
RECENT = timedelta(days=1)
NEWEST = 20
"""Documents of an account by which its delay is measured."""
Days = dict[tuple[str, str], set[str]]


class Reach(NamedTuple):
    """What is missing, in sentences, and how long an event may take to arrive."""

    gaps: list[str]
    delay: timedelta


def reach(es: Elasticsearch, indices: Sequence[str], scope: Scope, now: datetime) -> Reach:
    """How far the indices reach for a scope; what could not be asked is a gap."""
    gaps: list[str] = []
    seen: Days = defaultdict(set)
    for pattern in indices:
        try:
            _days(es, pattern, scope, now, seen, gaps)
        except Unanswered as error:
            gaps.append(str(error))
    delay = DELAY
    try:
        if scope.until > now - RECENT:
            delay, late = _delay(es, indices, scope, now, gaps)
            gaps += late
        gaps += _without_documents(seen, scope, now, _edge(es, indices, "min", "@timestamp", gaps))
        gaps += _standstill(es, indices, scope, now, gaps)
    except Unanswered as error:
        gaps.append(str(error))
    return Reach(list(dict.fromkeys(gaps)), delay)


def _days(es: Elasticsearch, pattern: str, scope: Scope, now: datetime, seen: Days, gaps: list[str]) -> None:
    """Which days have a document, for each account and Region, added to `seen`."""
    days = _asked_days(scope, now)
    first = datetime.combine(days[0], datetime.min.time(), UTC)
    last = datetime.combine(days[-1], datetime.max.time(), UTC)
    per_day = {"date_histogram": {"field": "@timestamp", "calendar_interval": "day", "min_doc_count": 1}}
    per_region = {"terms": {"field": REGION, "size": len(scope.regions)}, "aggs": {"days": per_day}}
    per_account = {"terms": {"field": RECIPIENT, "size": len(scope.accounts)}, "aggs": {"regions": per_region}}
    filters = [period(first, last), terms(RECIPIENT, scope.accounts), terms(REGION, scope.regions)]
    found = search_once(es, [pattern], _body(filters, {"accounts": per_account}), gaps)
    for account in found["aggregations"]["accounts"]["buckets"]:
        for region in account["regions"]["buckets"]:
            named = (str(account["key"]), str(region["key"]))
            seen[named] |= {str(day["key_as_string"])[:10] for day in region["days"]["buckets"]}


def _without_documents(seen: Days, scope: Scope, now: datetime, oldest: datetime | None) -> Iterable[str]:
    days = [day.isoformat() for day in _asked_days(scope, now)]
    for account in scope.accounts:
        for region in scope.regions:
            missing = [day for day in days if day not in seen[account, region]]
            if not missing:
                continue
            which = missing[0] if len(missing) == 1 else f"{missing[0]} to {missing[-1]} ({len(missing)} days)"
            ends = f"; the oldest document of all is of {utc(oldest)}" if oldest else ""
            past = ends if oldest and oldest.date().isoformat() > missing[0] else ""
            yield f"No CloudTrail documents of account {account} in {region} for {which}{past}."


def _delay(
    es: Elasticsearch, indices: Sequence[str], scope: Scope, now: datetime, skipped: list[str]
) -> tuple[timedelta, list[str]]:
    """The longest delay of the accounts' newest documents, and a sentence for each account that is late."""
    newest = {
        "top_hits": {
            "size": NEWEST,
            "sort": [{"@timestamp": {"order": "desc"}}],
            "_source": ["@timestamp", "event.ingested"],
        }
    }
    accounts = {"terms": {"field": RECIPIENT, "size": len(scope.accounts)}, "aggs": {"newest": newest}}
    filters = [period(now - RECENT, now), terms(RECIPIENT, scope.accounts)]
    found = search_once(es, indices, _body(filters, {"accounts": accounts}), skipped)
    longest, gaps = DELAY, []
    for account in found["aggregations"]["accounts"]["buckets"]:
        delays = [taken for hit in account["newest"]["hits"]["hits"] if (taken := _took(hit["_source"])) is not None]
        took = max(delays, default=DELAY)
        if took > DELAY and scope.until > now - took:
            longest = max(longest, took)
            gaps.append(
                f"Documents of account {account['key']} arrive up to {took // timedelta(minutes=1)} minutes late: "
                f"what was called there after {utc(now - took)} may be missing."
            )
    return longest, gaps


def _standstill(
    es: Elasticsearch, indices: Sequence[str], scope: Scope, now: datetime, skipped: list[str]
) -> list[str]:
    edges = (_edge(es, indices, "max", field, skipped) for field in ("event.ingested", "@timestamp"))
    last = next((edge for edge in edges if edge is not None), None)
    if last is None or last >= min(scope.until, now) - STANDSTILL:
        return []
    return [
        f"Nothing was ingested into {', '.join(indices)} after {utc(last)}, of any account: what was called since may be "
        "missing, unless nobody called anything."
    ]


def _edge(es: Elasticsearch, indices: Sequence[str], which: str, field: str, skipped: list[str]) -> datetime | None:
    """The first or last moment that a field has in any document."""
    found = search_once(es, indices, _body([], {"edge": {which: {"field": field}}}), skipped)
    value = found["aggregations"]["edge"]["value"]
    return datetime.fromtimestamp(value / 1000, UTC) if value is not None else None


def _took(source: dict[str, Any]) -> timedelta | None:
    """From event to ingest; None where a document does not tell."""
    happened, ingested = ([moment(str(v)) for v in ecs.scalars(source, p)] for p in ("@timestamp", "event.ingested"))
    if len(happened) != 1 or len(ingested) != 1 or happened[0] is None or ingested[0] is None:
        return None
    return ingested[0] - happened[0]


def _asked_days(scope: Scope, now: datetime) -> list[date]:
    first, last = scope.since.astimezone(UTC).date(), min(scope.until, now).astimezone(UTC).date()
    return [first + timedelta(days=n) for n in range((last - first).days + 1)] or [first]


def _body(filters: Sequence[dict[str, Any]], aggregations: dict[str, Any]) -> dict[str, Any]:
    return {
        "size": 0,
        "track_total_hits": False,
        "query": {"bool": {"filter": list(filters)}},
        "aggs": aggregations,
    }
