"""What a question to Elasticsearch did not cover is told: late and missing documents, patterns, clusters."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from lab.ecs import document, stamp
from tasks.logs.interface import Scope
from tests.elastic.faults import Answer, proxy
from tests.elastic.log_stores import (
    DAY,
    ELSEWHERE,
    HERE,
    OTHER,
    PERSON,
    RECORDS,
    SCOPE,
    ingested,
    store,
    stream,
)
from tests.records_of import cloudtrail_record

__all__ = ["stream"]


def now_event(event_id, ago, late, account=HERE):
    now = datetime.now(UTC).replace(microsecond=0)
    record = cloudtrail_record(event_id, eventTime=stamp(now - ago), recipientAccountId=account)
    return ingested(document(record, now), late)


def today(*accounts):
    now = datetime.now(UTC)
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return Scope(accounts=accounts, regions=("us-east-1",), since=start, until=now)


MINUTE = timedelta(minutes=1)


def recently():
    """Ago, and still today."""
    now = datetime.now(UTC)
    return min(40 * MINUTE, now - now.replace(hour=0, minute=0))


def test_a_late_account_is_told_in_minutes_and_a_quiet_one_is_not(elasticsearch_url, stream):
    quiet = now_event("quiet", recently(), MINUTE, OTHER)
    late = now_event("late", recently(), 33 * MINUTE)
    found = store(elasticsearch_url, stream(quiet, late)).exports(today(HERE, OTHER))
    (gap,) = found.coverage.gaps
    assert gap.startswith(f"Documents of account {HERE} arrive up to 33 minutes late")
    assert found.coverage.searched_to <= datetime.now(UTC) - 33 * MINUTE


def test_an_ingest_that_stands_still_is_told(elasticsearch_url, stream):
    found = store(elasticsearch_url, stream(ingested(document(cloudtrail_record("e-1"), DAY)))).exports(
        SCOPE.model_copy(update={"until": DAY + timedelta(hours=3)})
    )
    (gap,) = found.coverage.gaps
    assert "after 2026-03-02T10:06:30Z" in gap


def test_days_without_documents_are_told_with_what_is_the_oldest(elasticsearch_url, stream):
    name = stream(
        ingested(document(cloudtrail_record("e-1"), DAY)),
        ingested(document(cloudtrail_record("e-2", eventTime="2026-03-09T00:00:00Z"), DAY)),
    )
    wider = Scope(accounts=(HERE, OTHER), regions=("us-east-1",), since=DAY - timedelta(days=2), until=DAY)
    assert store(elasticsearch_url, name).exports(wider).coverage.gaps == (
        f"No CloudTrail documents of account {HERE} in us-east-1 for 2026-02-28 to 2026-03-01 (2 days); "
        "the oldest document of all is of 2026-03-02T10:03:30Z.",
        f"No CloudTrail documents of account {OTHER} in us-east-1 for 2026-02-28 to 2026-03-02 (3 days); "
        "the oldest document of all is of 2026-03-02T10:03:30Z.",
    )


def test_of_two_patterns_the_one_that_is_not_there_is_a_gap(elasticsearch_url, stream):
    there = stream(*(ingested(document(r, DAY)) for r in [*RECORDS, *ELSEWHERE]))
    found = store(elasticsearch_url, f"{there},{there}-none-*").exports(SCOPE)
    assert [r.event_id for r in found.records] == ["export", "refused"]
    (gap,) = found.coverage.gaps
    assert f"{there}-none-*: no index of that name" in gap


def test_a_cluster_that_was_skipped_is_a_gap_and_the_others_answer(elasticsearch_url, stream):
    skipped = {"total": 2, "successful": 1, "skipped": 1, "details": {"west": {"status": "skipped"}}}

    def without_west(given: Answer) -> Answer:
        return Answer(given.status, json.dumps(json.loads(given.body) | {"_clusters": skipped}).encode())

    name = stream(*(ingested(document(r, DAY)) for r in [*RECORDS, *ELSEWHERE]))
    with proxy(elasticsearch_url) as between:
        between.fault, between.left = without_west, 1_000_000
        found = store(between.url, name).by_principal([PERSON], SCOPE)
    assert "export" in {r.event_id for r in found.records}
    (gap,) = found.coverage.gaps
    assert "cluster west" in gap
