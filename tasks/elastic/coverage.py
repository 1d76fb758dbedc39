"""What Elasticsearch can be asked here: whether its fields can be searched, and how far the logs of each account reach.

No hit proves nothing where the field has the wrong type, an account sends no log, or data events are off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from elasticsearch import ApiError, Elasticsearch

from tasks.elastic.client import Unanswered, answered, search_once
from tasks.elastic.failures import body_of
from tasks.elastic.fields import Field

PERIOD = timedelta(days=7)
"""How far back accounts are looked at."""
SAMPLE = 50
"""Newest events of an account from which its delay is taken."""
BUCKETS = 100
ACCOUNT = "aws.cloudtrail.recipient_account_id"
CATEGORY = "aws.cloudtrail.event_category"
BUCKET = "aws.cloudtrail.flattened.request_parameters.bucketName"


@dataclass(frozen=True)
class FieldFault:
    """Why queries on a field find less than there is."""

    field: str
    sentence: str
    serious: bool
    """Whether answers are wrong because of it, rather than poorer."""


@dataclass(frozen=True)
class AccountCoverage:
    """The logs of one account within PERIOD; times in UTC."""

    account: str
    events: int
    last_event: datetime | None
    delay: timedelta | None
    """Median time from event to index of the newest events; None: they do not say when they were ingested."""
    data_events: int
    data_buckets: tuple[str, ...]
    """Buckets with data events, the busiest first, 100 at most."""

    @property
    def events_per_day(self) -> float:
        """On average over PERIOD."""
        return self.events / PERIOD.days


def server_version(es: Elasticsearch) -> str | None:
    """The server's version, or None where it does not tell. Raises Unanswered, with OLDER_SERVER's sentence for 8.x."""
    with answered(es, "for its version"):
        try:
            told = es.info()
        except ApiError as error:
            if error.meta.status in (403, 404, 405):  # a key without the privilege, a distribution without the route
                return None
            raise
    number = (body_of(told, es, "for its version").get("version") or {}).get("number")
    return str(number) if number else None


def field_faults(es: Elasticsearch, indices: Sequence[str], fields: Iterable[Field]) -> tuple[FieldFault, ...]:
    """What is wrong with the mapping of these fields in these indices. Raises Unanswered, also where no index matches."""
    asked, fields = f"for the fields of {', '.join(indices)}", tuple(fields)
    with answered(es, asked):
        response = es.field_caps(
            index=",".join(indices),
            fields=[field.name for field in fields],
            include_unmapped=True,
            ignore_unavailable=True,
            allow_no_indices=True,
        )
    told = body_of(response, es, asked)
    if told.get("failed_indices"):
        raise Unanswered(f"{told['failed_indices']} index(es) did not answer {asked}. Look at the cluster's health.")
    if not told.get("indices"):
        raise Unanswered(f"No index matches {', '.join(indices)}, or our key may not see one (view_index_metadata).")
    faults = (_fault(field, told["fields"].get(field.name, {}), len(told["indices"])) for field in fields)
    return tuple(fault for fault in faults if fault)


def _fault(field: Field, types: Mapping[str, Any], indices: int) -> FieldFault | None:
    mapped = {name: caps for name, caps in types.items() if name != "unmapped"}
    wrong = sorted(set(mapped) - field.types)
    if not mapped:
        why = "no index has it: no such event has come yet, or a setting of the integration drops it; queries on it find nothing"
        return FieldFault(field.name, f"{field.name}: {why}.", field.needed)
    if wrong:
        where = sorted(name for kind in wrong for name in mapped[kind].get("indices", ()))
        at = f"{', '.join(where[:3])}{' and more' if len(where) > 3 else ''}" if where else "every index"
        why = f"it is {' and '.join(wrong)} in {at}, not {field.right}: queries on it miss documents. Map it so and reindex"
        return FieldFault(field.name, f"{field.name}: {why}.", True)
    if any(not caps.get("searchable", True) for caps in mapped.values()):
        return FieldFault(field.name, f"{field.name}: its mapping says index: false, so it cannot be searched.", True)
    if missing := types.get("unmapped", {}).get("indices"):
        some = [missing] if isinstance(missing, str) else missing
        why = f"{len(some)} of {indices} indices do not have it"
        return FieldFault(field.name, f"{field.name}: {why}.", False)
    return None


def accounts(
    es: Elasticsearch, indices: Sequence[str], ids: Sequence[str], now: datetime
) -> tuple[AccountCoverage, ...]:
    """The coverage of each account, in this order. Raises Unanswered."""
    if not ids:
        return ()
    data = {"filter": {"term": {CATEGORY: "Data"}}, "aggs": {"buckets": {"terms": {"field": BUCKET, "size": BUCKETS}}}}
    newest = {
        "top_hits": {
            "size": SAMPLE,
            "sort": [{"@timestamp": "desc"}],
            "_source": False,
            "fields": ["@timestamp", {"field": "event.ingested", "include_unmapped": True}],
        }
    }
    found = search_once(
        es,
        indices,
        {
            "size": 0,
            "track_total_hits": False,
            "query": {"bool": {"filter": [_within(now), {"terms": {ACCOUNT: list(ids)}}]}},
            "aggs": {
                "accounts": {
                    "filters": {"filters": {id_: {"term": {ACCOUNT: id_}} for id_ in ids}},
                    "aggs": {"last": {"max": {"field": "@timestamp"}}, "newest": newest, "data": data},
                }
            },
        },
    )
    buckets = found["aggregations"]["accounts"]["buckets"]
    return tuple(_account(id_, buckets[id_]) for id_ in ids)


def last_event(es: Elasticsearch, indices: Sequence[str], query: Mapping[str, Any] | None = None) -> datetime | None:
    """When the newest document was, of all time; None: there is none. Raises Unanswered."""
    body: dict[str, Any] = {"size": 0, "track_total_hits": False, "aggs": {"last": {"max": {"field": "@timestamp"}}}}
    found = search_once(es, indices, body | ({"query": query} if query else {}))
    return _moment(found["aggregations"]["last"]["value"])


def last_alert(es: Elasticsearch, index: str, rule_ids: Sequence[str]) -> datetime | None:
    """When the newest alert of these rules was made; None: there is none. Raises Unanswered."""
    return last_event(es, [index], {"bool": {"filter": [{"terms": {"kibana.alert.rule.rule_id": list(rule_ids)}}]}})


def _within(now: datetime) -> dict[str, Any]:
    return {"range": {"@timestamp": {"gte": (now - PERIOD).isoformat(), "lte": (now + timedelta(hours=1)).isoformat()}}}


def _account(id_: str, bucket: Mapping[str, Any]) -> AccountCoverage:
    hits = bucket["newest"]["hits"]["hits"]
    delays = [delay for hit in hits if (delay := _delay(hit.get("fields", {}))) is not None]
    data = bucket["data"]
    return AccountCoverage(
        account=id_,
        events=bucket["doc_count"],
        last_event=_moment(bucket["last"]["value"]),
        delay=timedelta(seconds=median(delays)) if delays else None,
        data_events=data["doc_count"],
        data_buckets=tuple(str(one["key"]) for one in data["buckets"]["buckets"]),
    )


def _delay(fields: Mapping[str, Any]) -> float | None:
    try:
        event, ingested = (datetime.fromisoformat(fields[name][0]) for name in ("@timestamp", "event.ingested"))
        return (ingested - event).total_seconds()
    except (KeyError, IndexError, TypeError, ValueError):  # it does not say when it was ingested, or not as a date
        return None


def _moment(milliseconds: float | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
