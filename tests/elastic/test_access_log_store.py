"""Access logs in Elasticsearch answer as their files, and once where both have them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from elasticsearch import Elasticsearch

from lab import access_log_ecs
from lab.elastic_mappings import install
from settings.elastic import ElasticsearchSettings
from tasks.logs.access_logs import AccessLogFiles
from tasks.logs.combined import Combined
from tasks.logs.elasticsearch_access import ElasticsearchAccessLogs
from tests.elastic.log_stores import (
    DAY,
    HERE,
    PLACE,
    SCOPE,
    UNDER,
    files,
    ingested,
    put,
)
from tests.tasks.logs.test_access_logs import line

__all__ = ["files"]


LINES = [
    line(),
    line(requester=f"arn:aws:sts::{HERE}:assumed-role/admin/a+b=c"),
    line(key="vm/else", operation="REST.HEAD.OBJECT"),
    line(key="other"),
    line(operation="REST.PUT.OBJECT"),
]


@pytest.fixture
def access(elasticsearch_url, namespace, tmp_path):
    """Both stores of the same lines."""
    name = f"logs-aws.s3access-{namespace}"
    with Elasticsearch(elasticsearch_url) as es:
        install(es)
        # The line that is not parsed bears the time at which it was read, a day later.
        put(es, name, [ingested(access_log_ecs.document(text, DAY + timedelta(days=1))) for text in LINES])
    (tmp_path / "2026-03-02-11-00-00-0123456789ABCDEF").write_text("\n".join(LINES))
    settings = ElasticsearchSettings(url=elasticsearch_url, access_log_indices=name, page_size=2)
    return ElasticsearchAccessLogs(settings, 100), AccessLogFiles(tmp_path, 10_000_000, 100)


@pytest.mark.parametrize("place", [PLACE, UNDER], ids=["object", "prefix"])
def test_access_logs_answer_as_their_files_lines_that_elastic_cannot_parse_included(access, place):
    there, files = access
    found, expected = there.object_reads(place, SCOPE), files.object_reads(place, SCOPE)
    assert [r.event_id for r in found.records] == [r.event_id for r in expected.records]
    assert found.records
    assert found.coverage == expected.coverage
    for one, other in zip(found.records, expected.records, strict=True):
        assert one.model_copy(update={"origin": ""}) == other.model_copy(update={"origin": ""})


def test_a_line_in_both_stores_is_one_record(access, files):
    both = Combined([files], access)
    reads = both.object_reads(PLACE, SCOPE).records
    assert len([r for r in reads if r.category == "access-log"]) == len({line(), LINES[1]}) - 1


def test_access_logs_that_are_not_in_elasticsearch_are_read_from_files(access, files):
    _, on_disk = access
    settings = ElasticsearchSettings(url="http://127.0.0.1:9", retries=0)
    both = Combined([files], [ElasticsearchAccessLogs(settings, 100), on_disk])
    assert [r for r in both.object_reads(PLACE, SCOPE).records if r.category == "access-log"]
