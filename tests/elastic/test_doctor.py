"""`vmexport doctor` on a real Elasticsearch: what is late, missing or off is said account by account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cli.checks.check import Result
from cli.checks.elastic import elasticsearch
from lab.elastic_mappings import create_alerts_index, install
from settings import elastic as elastic_settings
from settings import organization as organization_settings
from tasks.elastic.client import connected
from tests.elastic.test_coverage import DEVELOPMENT, PRODUCTION, SILENT, event, write

NOW = datetime.now(UTC)


@pytest.fixture
def checks(elasticsearch_url, namespace, monkeypatch):
    """What the doctor says of this test's own indices, by name; several of one name as the worst of them."""
    for name, value in {
        "URL": elasticsearch_url,
        "CLOUDTRAIL_INDICES": f"logs-aws.cloudtrail-{namespace}",
        "ACCESS_LOG_INDICES": f"logs-aws.s3access-{namespace}",
        "SPACES": namespace,
        "RETRIES": "0",
    }.items():
        monkeypatch.setenv(f"VMEXPORT_ELASTICSEARCH_{name}", value)
    monkeypatch.setenv("VMEXPORT_ORGANIZATION", str(organization_settings.EXAMPLE))
    forget_settings()
    yield lambda: {
        check.name: check for check in sorted(elasticsearch(), key=lambda check: list(Result).index(check.result))
    }
    forget_settings()


def forget_settings():
    elastic_settings.elasticsearch.cache_clear()
    organization_settings.organization.cache_clear()


def test_each_account_and_log_has_its_own_line(checks, namespace):
    with connected() as es:
        install(es)
        create_alerts_index(es, namespace)
        read = event(PRODUCTION, NOW - timedelta(minutes=9), category="Data", bucket="example-drop")
        late = event(DEVELOPMENT, NOW - timedelta(days=2), late=timedelta(hours=5))
        write(es, f"logs-aws.cloudtrail-{namespace}", read, late)
    told = checks()
    assert told[f"logs of {PRODUCTION} production"].result is Result.OK
    assert told[f"data events of {PRODUCTION}"].sentence == "on for 1 bucket(s): example-drop"
    assert told[f"logs of {DEVELOPMENT} development"].result is Result.WARNING
    assert "last event 2 days ago" in told[f"logs of {DEVELOPMENT} development"].sentence
    assert "delay 5 h" in told[f"logs of {DEVELOPMENT} development"].sentence
    assert told[f"data events of {DEVELOPMENT}"].result is Result.WARNING
    assert told[f"logs of {SILENT} forensics"].result is Result.PROBLEM
    assert told["access logs in Elasticsearch"].result is Result.WARNING, "there is no such index"
    assert told[f"alerts in space {namespace}"].sentence == "our rules have raised none yet"


def test_accounts_are_unknown_where_the_account_cannot_be_searched(checks, namespace):
    properties = {"aws.cloudtrail.recipient_account_id": {"type": "text"}, "@timestamp": {"type": "date"}}
    with connected() as es:
        template = {"name": namespace, "index_patterns": [f"logs-aws.cloudtrail-{namespace}"], "priority": 900}
        es.indices.put_index_template(**template, data_stream={}, template={"mappings": {"properties": properties}})
        write(es, f"logs-aws.cloudtrail-{namespace}", event(PRODUCTION, NOW))
    told = checks()
    assert told["logs by account"].result is Result.PROBLEM
    assert "unknown" in told["logs by account"].sentence
    assert f"logs of {PRODUCTION} production" not in told


def test_indices_that_are_not_there_are_a_problem(checks):
    told = checks()
    assert told["CloudTrail fields"].result is Result.PROBLEM
    assert told["CloudTrail in Elasticsearch"].result is Result.PROBLEM
