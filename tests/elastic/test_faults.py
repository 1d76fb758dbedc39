"""Whatever breaks between us and Elasticsearch: an answer is whole, or says what was not looked at; nothing is called absent."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk

from lab.ecs import document, stamp
from lab.elastic_mappings import install
from settings.elastic import ElasticsearchSettings
from tasks.logs.elasticsearch import ElasticsearchLogs
from tasks.logs.interface import Query, Scope
from tests.elastic.faults import AT_FIRST, FAULTS, PASSING, proxy
from tests.records_of import cloudtrail_record

NOW = datetime.now(UTC).replace(microsecond=0)
ACTIVITY = Query(access_key_ids=("ASIAEXAMPLEEXAMPLE01",))
ABSENT = Query(access_key_ids=("ASIANOBODYEXAMPLE000",))
EVENTS, PAGE = 25, 10
SCOPE = Scope(accounts=("111122223333",), regions=("us-east-1",), since=NOW - timedelta(minutes=40), until=NOW)
STAYING = {
    "429 with Retry-After": "429", "503": "503", "reset in mid-body": "broke off", "HTML with 200": "no JSON object",
    "truncated JSON": "no whole JSON", "slow": "REQUEST_TIMEOUT", "401": "401", "403": "403", "partial shards": "shard",
    "timed out": "time", "missing product header": "X-Elastic-Product", "point in time gone": "points in time",
    "8.x server": "8.x server",
}  # fmt: skip
"""What each fault is called where it stays."""


def event(n):
    record = cloudtrail_record(f"e-{n:02}", eventTime=stamp(NOW - timedelta(minutes=n + 1)))
    made = document(record)
    made["event"]["ingested"] = stamp(NOW - timedelta(minutes=n))
    return made


@pytest.fixture(scope="module")
def between(elasticsearch_url):
    """A proxy before a data stream with 25 calls of one key, three pages of them."""
    name = f"logs-aws.cloudtrail-faults{secrets.token_hex(4)}"
    with Elasticsearch(elasticsearch_url) as es:
        install(es)
        actions = ({"_op_type": "create", "_index": name, "_id": n, "_source": event(n)} for n in range(EVENTS))
        bulk(es, actions, refresh=True)
    with proxy(elasticsearch_url) as made:
        made.index = name
        yield made


def asked(between, query=ACTIVITY, retries=0):
    settings = ElasticsearchSettings(
        url=between.url,
        cloudtrail_indices=between.index,
        retries=retries,
        page_size=PAGE,
        request_timeout=timedelta(seconds=1.5),
    )
    return ElasticsearchLogs(settings, max_records=5000).search(query, SCOPE)


def ids(answer):
    return [r.event_id for r in answer.records]


@pytest.fixture(scope="module")
def whole(between):
    """The answer without a fault."""
    between.fault = None
    found = asked(between, retries=2)
    assert len(found.records) == EVENTS
    return found


def test_every_fault_has_its_words():
    assert set(STAYING) == set(FAULTS)


@pytest.mark.parametrize("after", [0, 1], ids=["at once", "in the middle"])
@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_leaves_no_trace(between, whole, fault, after):
    between.inject(fault, times=1, after=after)
    found = asked(between, retries=2)
    assert between.broken == 1
    assert ids(found) == ids(whole)
    assert found.coverage.gaps == whole.coverage.gaps


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_stays_is_a_gap_and_nothing_is_called_absent(between, whole, fault):
    between.inject(fault)
    found = asked(between, ABSENT)
    assert between.broken
    assert found.records == ()
    assert not found.coverage.complete
    assert STAYING[fault] in " ".join(found.coverage.gaps)


@pytest.mark.parametrize("fault", [f for f in FAULTS if f not in (*PASSING, *AT_FIRST)])
def test_what_was_read_before_it_broke_is_kept(between, whole, fault):
    between.inject(fault, after=1)
    found = asked(between)
    assert set(ids(found)) < set(ids(whole))
    assert len(found.records) >= PAGE
    assert not found.coverage.complete


def test_a_server_that_is_away_is_a_gap(between):
    settings = ElasticsearchSettings(url="http://127.0.0.1:9", retries=0)
    found = ElasticsearchLogs(settings, max_records=10).search(ACTIVITY, SCOPE)
    assert found.records == ()
    assert "127.0.0.1:9" in " ".join(found.coverage.gaps)


def test_an_index_that_is_not_there_is_a_gap(between):
    between.fault = None
    settings = ElasticsearchSettings(url=between.url, cloudtrail_indices=f"{between.index}-none-*", retries=0)
    found = ElasticsearchLogs(settings, max_records=10).search(ACTIVITY, SCOPE)
    assert not found.coverage.complete
    assert f"{between.index}-none-*" in " ".join(found.coverage.gaps)
