"""A whole installation on a real Elasticsearch that no webhook reaches: the scheduled poller is the intake."""

from __future__ import annotations

import os

import pytest

from cli.incident import Incident
from cli.processes import wait_until
from records import deliveries, ledger

pytestmark = [pytest.mark.lab, pytest.mark.prefect, pytest.mark.timeout(600)]


@pytest.fixture
def incident(elasticsearch_url, tmp_path):
    """The lab, our services, and the logs and alerts in Elasticsearch; the environment of this process points at them."""
    before = dict(os.environ)
    with Incident(tmp_path / "incident", print, elasticsearch_url, ports=(0, 0)) as running:
        yield running
    os.environ.clear()
    os.environ.update(before)


def test_an_alert_that_only_the_poller_brings_is_responded_to(incident):
    for alert in incident.detonate("approved-migration").alerts:
        incident.elasticsearch.put(alert)
    wait_until(lambda: bool(ledger.cases()), 180, "the scheduled poller took in no alert")
    (case,) = ledger.cases()
    run = incident.wait_for_run(case)
    incident.follow(case, run, "approve")
    told = incident.summary(case, "approved-migration", run)
    assert (told["verdict"], told["severity"]) == ("expected", "low")
    assert [e.data["differences"] for e in ledger.entries(case, "alert-read-again")] == [[]]
    assert deliveries.watermarks()
    assert deliveries.alarms() == (), "an installation that only polls misses nothing"
