"""Alerts and events in a real Elasticsearch, in the space and data stream of one test; the settings point there."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lab.alert import alert_of
from lab.elastic_mappings import create_alerts_index, install
from settings.elastic import elasticsearch
from tasks.elastic.client import connected
from tests.records_of import cloudtrail_record

NOW = datetime.now(UTC).replace(microsecond=0)
BLOCK = {"kibana.alert.building_block_type": "default"}


def record(n, **change):
    """The n-th export of one actor."""
    return cloudtrail_record(event_id=f"event-{n}", task=f"export-i-{n:017x}", **change)


def without(document, *starts):
    return {name: value for name, value in document.items() if not name.startswith(starts)}


class Space:
    """What one test puts into Elasticsearch."""

    def __init__(self, es, namespace):
        self.es, self.name = es, namespace
        self.events = f"logs-aws.cloudtrail-{namespace}"
        install(es)
        self.alerts = create_alerts_index(es, namespace)

    def alert(self, n=1, at=NOW, drop=(), refresh=True, **change):
        """The alert of the n-th export, made at `at`; `change` sets fields, `drop` leaves out those that start so. Its id."""
        hit = alert_of(record(n), at)
        name = change.pop("id", f"{self.name}-alert-{n}")
        source = without(hit["_source"], *drop) if drop else hit["_source"]
        document = source | {"kibana.space_ids": [self.name], "kibana.alert.uuid": name} | change
        self.es.index(index=self.alerts, id=name, document=document, refresh=refresh)
        return name

    def event(self, n, at=None, **change):
        """The event of the n-th export, as the AWS integration stores it."""
        source = alert_of(record(n), NOW)["_source"]
        document = without(source, "kibana.", "event.kind") | {"@timestamp": (at or NOW).isoformat()} | change
        self.es.create(index=self.events, id=f"event-{n}", document=document, refresh=True)

    def shell(self, *ancestors, **change):
        """An alert that tells of no event itself, of a sequence; `ancestors`: numbers of its events. Its id."""
        name = f"{self.name}-shell"
        told = [{"id": f"event-{n}", "type": "event", "index": "logs-elsewhere", "depth": 0} for n in ancestors]
        fields = {
            "kibana.alert.group.id": f"{self.name}-group",
            "kibana.alert.ancestors": told,
            "kibana.alert.rule.type": "eql",
        }
        nothing = ("event", "aws", "user", "source", "cloud", "kibana.alert.original")
        return self.alert(99, drop=nothing, id=name, **fields | change)

    def block(self, n):
        return self.alert(n, **BLOCK, **{"kibana.alert.group.id": f"{self.name}-group", "kibana.alert.group.index": n})


def exports(events):
    return sorted(event.event_id for event in events)


def settle_settings():
    elasticsearch.cache_clear()


@pytest.fixture
def space(elasticsearch_url, namespace, monkeypatch):
    """A space of this test alone; a second one, `NAMESPACE-other`, is not in the settings."""
    monkeypatch.setenv("VMEXPORT_ELASTICSEARCH_URL", elasticsearch_url)
    monkeypatch.setenv("VMEXPORT_ELASTICSEARCH_SPACES", namespace)
    monkeypatch.setenv("VMEXPORT_ELASTICSEARCH_CLOUDTRAIL_INDICES", f"logs-aws.cloudtrail-{namespace}")
    monkeypatch.setenv("VMEXPORT_ELASTICSEARCH_RETRIES", "0")
    settle_settings()
    with connected() as es:
        yield Space(es, namespace)
    settle_settings()
