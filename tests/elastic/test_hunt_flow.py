"""Scheduled hunts in a real Elasticsearch: an export becomes a case once, and a cluster that did not answer is asked again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from settings import elastic as elastic_settings
from settings import home as home_settings
from tasks.elastic.failures import Unanswered
from tests.elastic.faults import Answer, Proxy, proxy
from tests.elastic.hunted import indexed
from tests.flows.harness import prefect
from tests.flows.hunts_of import (
    EXPORT,
    FIRST,
    RECENT,
    assert_nights,
    assert_unanswered,
    configure,
    forgetting,
    run,
    summaries,
)
from tests.hunting.logs_of import event

__all__ = ["prefect"]

pytestmark = pytest.mark.usefixtures("prefect")
SKIPPED = {"total": 2, "successful": 1, "skipped": 1, "details": {"west": {"status": "skipped"}}}


@dataclass
class Cluster:
    """A proxy before the server."""

    between: Proxy

    @contextmanager
    def broken(self, name: str) -> Iterator[None]:
        """Every search is answered so."""
        self.between.inject(name)
        try:
            yield
        finally:
            self.between.left = 0

    @contextmanager
    def without_west(self) -> Iterator[None]:
        """A remote cluster is skipped (`skip_unavailable`), and the rest answers."""

        def fault(given: Answer) -> Answer:
            return Answer(given.status, json.dumps(json.loads(given.body) | {"_clusters": SKIPPED}).encode())

        self.between.fault, self.between.left = fault, 1_000_000
        try:
            yield
        finally:
            self.between.left = 0


@pytest.fixture
def cluster_of_logs(
    database: str, elasticsearch_url: str, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cluster]:
    """Data streams with an export, configured as the source `siem`."""
    there = indexed(elasticsearch_url, namespace, tmp_path / "hunts")
    there.put([event(0), EXPORT, RECENT])
    own = there.settings()
    with proxy(elasticsearch_url) as between:
        given = {
            "VMEXPORT_HOME": str(tmp_path),
            "VMEXPORT_ELASTICSEARCH_URL": between.url,
            "VMEXPORT_ELASTICSEARCH_RETRIES": "0",
            "VMEXPORT_ELASTICSEARCH_CLOUDTRAIL_INDICES": own.cloudtrail_indices[0],
            "VMEXPORT_ELASTICSEARCH_ACCESS_LOG_INDICES": own.access_log_indices[0],
        }
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        configure(tmp_path, monkeypatch, f'[[source]]\nname = "siem"\nkind = "elasticsearch"\n{FIRST}\n')
        with forgetting(elastic_settings.elasticsearch, home_settings.home):
            yield Cluster(between)


@pytest.mark.usefixtures("cluster_of_logs")
def test_an_export_in_elasticsearch_is_a_case_once(tmp_path: Path) -> None:
    assert_nights("siem", tmp_path, "Searched 2 of 2 days")


@pytest.mark.parametrize("fault", ["partial shards", "timed out", "401"])
def test_elasticsearch_without_a_whole_answer_ends_the_run_with_the_reason(
    cluster_of_logs: Cluster, fault: str
) -> None:
    assert_unanswered("siem", lambda: cluster_of_logs.broken(fault), Unanswered, "Elasticsearch at 127.0.0.1")


def test_what_a_cluster_holds_that_was_skipped_is_looked_for_when_it_answers_again(cluster_of_logs: Cluster) -> None:
    """Its days may be older by then than the overlap reaches: the next run begins where this one did."""
    whole = run("siem")
    with cluster_of_logs.without_west():
        part = run("siem")
    assert not part.complete
    assert "The cluster west was not searched whole" in summaries("retro-hunt-siem")[-1]
    again = run("siem")
    assert whole.until > again.since == part.since
    assert run("siem").since > again.since
