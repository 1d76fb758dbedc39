"""Other alerts around an export, asked of a real Elasticsearch whose alerts index maps what Kibana's does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from decisions.related_alerts import CONCEALMENT, Shared
from lab.elastic_mappings import create_alerts_index, install
from settings.elastic import ElasticsearchSettings
from tasks.elastic.client import Unanswered
from tasks.elastic.related import search

NOW = datetime(2026, 3, 2, 10, 7, 12, tzinfo=UTC)
DAY = timedelta(hours=24)
SUSPENDED = next(iter(CONCEALMENT))
CASE = Shared(
    accounts=("111122223333",),
    access_keys=("ASIAEXAMPLEEXAMPLE01",),
    principal_ids=("AROAEXAMPLEEXAMPLE:jo.contractor@example.com",),
    buckets=("example-drop",),
)


def alert(rule_id="another", created=NOW, key="ASIAEXAMPLEEXAMPLE01", user="AIDA1", account="111122223333", **more):
    document = json.loads((Path(__file__).parent.parent / "alerts" / "nested.json").read_text())
    document["@timestamp"] = created.isoformat()
    document["kibana"]["alert"]["rule"]["rule_id"] = rule_id
    document["user"] = {"id": user}
    document["cloud"]["account"]["id"] = account
    document["aws"]["cloudtrail"] = {
        "recipient_account_id": account, "user_identity": {"access_key_id": key},
        **({"flattened": {"request_parameters": {"bucketName": more.pop("bucket")}}} if "bucket" in more else {}),
    }  # fmt: skip
    if "block" in more:
        document["kibana"]["alert"]["building_block_type"] = more.pop("block")
    return document


@pytest.fixture
def asked(elasticsearch_url, namespace):
    """Puts alerts into this test's space, and asks for those related to CASE."""
    es = Elasticsearch(elasticsearch_url)
    install(es)

    def ask(*documents, own=(), spaces=(namespace,)):
        index = create_alerts_index(es, namespace)
        for n, document in enumerate(documents):
            es.index(index=index, id=f"a{n}", document=document, refresh=True)
        settings = ElasticsearchSettings(url=elasticsearch_url, spaces=",".join(spaces), retries=0)
        return search(settings, CASE, NOW - DAY, NOW + DAY, own)

    yield ask
    es.close()


def test_what_shares_actor_or_bucket_and_what_hides_in_the_account_is_related(asked):
    stranger = {"key": "AKIAOTHER", "user": "AIDA2"}
    found = asked(
        alert(),
        alert(key="AKIAOTHER", user="AROAEXAMPLEEXAMPLE:jo.contractor@example.com", account="444455556666"),
        alert(**stranger, account="444455556666", bucket="example-drop"),
        alert(**stranger, rule_id=SUSPENDED),
        alert(**stranger),
        alert(**stranger, rule_id=SUSPENDED, account="444455556666"),
    )
    assert [a.alert_id for a in found.alerts] == ["a0", "a1", "a2", "a3"]
    assert [a.actor for a in found.alerts] == [True, True, False, False]
    assert (found.alerts[2].bucket, found.alerts[3].conceals) == ("example-drop", True)
    assert found.coverage.complete


def test_other_times_building_blocks_and_the_cases_own_alerts_are_not(asked):
    found = asked(
        alert(created=NOW - DAY * 2), alert(created=NOW + DAY * 2), alert(block="default"), alert(), own=("a3",)
    )
    assert found.alerts == ()
    assert found.coverage.complete


def test_a_space_without_alerts_is_a_gap_and_hides_nothing_of_the_others(asked, namespace):
    found = asked(alert(), spaces=(namespace, f"{namespace}-none"))
    assert [a.alert_id for a in found.alerts] == ["a0"]
    assert not found.coverage.complete
    assert f"{namespace}-none" in " ".join(found.coverage.gaps)


def test_without_an_address_nobody_is_asked_and_that_is_said():
    with pytest.raises(Unanswered, match="VMEXPORT_ELASTICSEARCH_URL"):
        search(ElasticsearchSettings(url=""), CASE, NOW - DAY, NOW + DAY, ())
