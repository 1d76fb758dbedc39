"""What is written through Kibana is what a poller finds in Elasticsearch: our queries and fields, on a real index."""

from __future__ import annotations

import pytest
from elasticsearch import Elasticsearch
from pydantic import SecretStr

from lab.elastic_mappings import create_alerts_index, install
from lab.kibana import serve
from settings import elastic
from settings.elastic import OUR_RULE, ElasticsearchSettings, KibanaSettings
from tasks.elastic.client import connected
from tasks.elastic.kibana import open_kibana


@pytest.fixture
def es(elasticsearch_url):
    with connected(ElasticsearchSettings(url=(elasticsearch_url,), retries=0)) as client:
        yield client


@pytest.fixture
def kibana(es: Elasticsearch, elasticsearch_url, namespace, monkeypatch):
    install(es)
    create_alerts_index(es, namespace)
    monkeypatch.setenv("VMEXPORT_ELASTICSEARCH_SPACES", namespace)
    elastic.elasticsearch.cache_clear()
    with serve(namespace, elasticsearch=elasticsearch_url) as running:
        settings = KibanaSettings(url=running.url, api_key=SecretStr(running.state.api_key))
        with open_kibana(settings) as opened:
            yield opened
    elastic.elasticsearch.cache_clear()


def put(es, space, alert_id, event_id, rule_id=OUR_RULE, **more):
    document = {
        "@timestamp": "2026-03-02T10:07:12.345Z", "event": {"action": "CreateInstanceExportTask"}, "kibana.space_ids": [space],
        "kibana.alert.uuid": alert_id, "kibana.alert.workflow_status": "open", "kibana.alert.workflow_tags": ["mine"],
        "kibana.alert.original_event.id": event_id, "kibana.alert.rule.rule_id": rule_id, "kibana.alert.rule.uuid": "u1",
        "kibana.alert.rule.name": "Export",
    }  # fmt: skip
    es.index(index=f".alerts-security.alerts-{space}", id=alert_id, document=document | more, refresh=True)


def count(es, space, **term):
    ((field, value),) = term.items()
    query = {"term": {f"kibana.alert.{field}": value}}
    return es.count(index=f".alerts-security.alerts-{space}", query=query)["count"]


def test_a_poller_no_longer_finds_what_was_acknowledged(es, kibana, namespace):
    put(es, namespace, "a1", "e1")
    put(es, namespace, "a2", "e1")
    put(es, namespace, "a3", "e1", rule_id="not-ours")
    put(es, namespace, "a4", "e1", **{"kibana.alert.building_block_type": "default"})
    found = kibana.alerts(["a1"], ["e1"])
    assert {(a.id, a.status, a.rule, a.rule_name, a.space) for a in found} == {
        ("a1", "open", "u1", "Export", namespace), ("a2", "open", "u1", "Export", namespace),
    }  # fmt: skip
    kibana.change_status(found, "acknowledged")
    kibana.add_tags(found, ["vm-export", "soar:VMX-20260302-ABCD"])
    assert count(es, namespace, workflow_status="open") == 2, "those that are not ours"
    assert count(es, namespace, workflow_tags="soar:VMX-20260302-ABCD") == 2
    assert count(es, namespace, workflow_tags="mine") == 4
    kibana.change_status(found, "closed", "issue_resolved")
    assert {a.status for a in kibana.alerts(["a1"], ["e1"])} == {"closed"}
