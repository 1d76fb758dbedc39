"""`make bench`: an actor's 50,000 calls out of 200,000 documents, as a ratio to a bare loop of the client over the same pages.

python -m tests.bench_elastic
"""

from __future__ import annotations

import copy
import os
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk

from lab.alert import alert_of
from lab.ecs import document, stamp
from lab.elastic_mappings import create_alerts_index, install
from lab.elasticsearch import start
from lab.java_server import NoServer
from settings.elastic import ElasticsearchSettings
from tasks.elastic.client import connected
from tasks.logs.elasticsearch import SOURCE, ElasticsearchLogs
from tasks.logs.elasticsearch_query import of_query
from tasks.logs.interface import Query, Scope
from tests.records_of import cloudtrail_record

ACTORS, OTHERS, ALERTS = 50_000, 130_000, 20_000
ROUNDS = 3
KEY = "ASIAEXAMPLEEXAMPLE01"
PAGE = 1000
NAME = "bench"
NOW = datetime.now(UTC).replace(microsecond=0)
SCOPE = Scope(accounts=("111122223333",), regions=("us-east-1",), since=NOW - timedelta(hours=23), until=NOW)
QUERY = Query(access_key_ids=(KEY,))


@contextmanager
def server() -> Iterator[str]:
    """VMEXPORT_TEST_ELASTICSEARCH_URL, else a server of our own."""
    if given := os.environ.get("VMEXPORT_TEST_ELASTICSEARCH_URL"):
        yield given
        return
    running = start()
    try:
        yield running.url
    finally:
        running.stop()


def documents(stream: str, alerts: str) -> Iterator[dict[str, Any]]:
    """All of them, spread over the last day."""
    base = document(cloudtrail_record())
    alert = alert_of(cloudtrail_record(), NOW)["_source"]
    for n in range(ACTORS + OTHERS):
        made = copy.deepcopy(base)
        at = stamp(NOW - timedelta(seconds=n % 80_000))
        made["@timestamp"], made["event"]["id"], made["event"]["ingested"] = at, f"e-{n}", at
        if n >= ACTORS:
            made["aws"]["cloudtrail"]["user_identity"]["access_key_id"] = f"AKIAOTHER{n % 50:07}"
        yield {"_op_type": "create", "_index": stream, "_id": f"e-{n}", "_source": made}
    for n in range(ALERTS):
        yield {"_op_type": "create", "_index": alerts, "_id": f"a-{n}", "_source": alert}


def bare(es: Elasticsearch, stream: str) -> int:
    """What the client costs by itself: the same pages, looked at by nobody."""
    pit = es.open_point_in_time(index=stream, keep_alive="3m")["id"]
    body: dict[str, Any] = {
        "size": PAGE, "query": of_query(QUERY, SCOPE), "sort": [{"@timestamp": "asc"}], "_source": [*SOURCE, "message"],
        "track_total_hits": False, "pit": {"id": pit, "keep_alive": "3m"},
    }  # fmt: skip
    seen = 0
    while hits := es.search(body=body)["hits"]["hits"]:
        seen += len(hits)
        body["search_after"] = hits[-1]["sort"]
    es.close_point_in_time(id=pit)
    return seen


def timed(work: Any) -> tuple[float, Any]:
    """Seconds, and what came out."""
    begun = time.monotonic()
    done = work()
    return time.monotonic() - begun, done


def main() -> None:
    """Load, ask in turn, print both medians, their ratio and the memory."""
    with server() as url, Elasticsearch(url, request_timeout=60) as es:
        install(es)
        stream = f"logs-aws.cloudtrail-{NAME}{int(time.time())}"
        alerts = create_alerts_index(es, stream.rpartition("-")[2])
        loading, _ = timed(lambda: bulk(es, documents(stream, alerts), chunk_size=2000, refresh=True))
        print(f"loaded       {ACTORS + OTHERS + ALERTS:,} documents in {loading:.0f} s")
        settings = ElasticsearchSettings(url=url, cloudtrail_indices=stream, page_size=PAGE)
        store = ElasticsearchLogs(settings, max_records=5000)
        with connected(settings) as client:
            bare(client, stream), store.search(QUERY, SCOPE)  # both warm
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            pairs = []
            for _ in range(ROUNDS):
                plain, seen = timed(lambda: bare(client, stream))
                asked, answer = timed(lambda: store.search(QUERY, SCOPE))
                pairs.append((plain, asked))
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    plain, asked = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"bare loop    {plain:6.2f} s   {seen:,} documents, median of {ROUNDS}")
    print(f"activity     {asked:6.2f} s   {len(answer.records):,} kept: {answer.coverage.gaps[0]}")
    print(f"ratio        {asked / plain:6.2f}     aim <= 1.3")
    print(f"memory       {grown / 1024:6.1f} MB more at its peak than after the first answer")


if __name__ == "__main__":
    try:
        main()
    except NoServer as error:
        sys.exit(f"no Elasticsearch: {error}")
