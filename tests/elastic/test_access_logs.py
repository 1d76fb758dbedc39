"""S3 server access logs give the same records from Elasticsearch as from files, those that the integration cannot parse too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from elasticsearch import Elasticsearch

from lab import access_log_ecs
from lab.ecs import stamp
from lab.elastic_mappings import install
from settings.elastic import ElasticsearchSettings
from tasks.logs.access_logs import BEST_EFFORT, AccessLogFiles
from tasks.logs.elasticsearch_access import ElasticsearchAccessLogs
from tasks.logs.interface import ObjectPlace, Scope

AT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
SCOPE = Scope(
    accounts=("111122223333",), regions=("us-east-1",), since=AT - timedelta(minutes=5), until=AT + timedelta(minutes=5)
)
KEY = "vm/export-i-0123456789abcdef0.ova"
PLACE = ObjectPlace(bucket="example-drop", key=KEY)
ROLE = "arn:aws:sts::111122223333:assumed-role/ops"


def line(n, requester=f"{ROLE}/jo", key=KEY, operation="REST.GET.OBJECT", at=AT, agent="aws-cli/2.17.60", status=200):
    time = at.strftime("%d/%b/%Y:%H:%M:%S +0000")
    return (
        f"{'a' * 64} example-drop [{time}] 203.0.113.9 {requester} REQUEST{n} {operation} {key} "
        f'"GET /{key} HTTP/1.1" {status} - 4096 4096 12 10 "-" "{agent}" - host= SigV4 '
        "TLS_AES_128_GCM_SHA256 AuthHeader example-drop.s3.us-east-1.amazonaws.com TLSv1.3 - -"
    )


@pytest.fixture
def both(elasticsearch_url, namespace, tmp_path):
    """Asks both stores who read the object, after these lines were delivered to each."""

    def ask(*lines, place=PLACE):
        (tmp_path / f"{AT:%Y-%m-%d}-00-00-00-0123456789ABCDEF").write_text("\n".join(lines) + "\n")
        index = f"logs-aws.s3access-{namespace}"
        with Elasticsearch(elasticsearch_url) as es:
            install(es)
            for text in lines:
                document = access_log_ecs.document(text)
                document["event"]["ingested"] = stamp(datetime.now(UTC))
                es.create(index=index, id=str(hash(text)), document=document, refresh=True)
        settings = ElasticsearchSettings(url=elasticsearch_url, access_log_indices=index, retries=0, page_size=2)
        files = AccessLogFiles(tmp_path, 2**20, 100).object_reads(place, SCOPE)
        return files, ElasticsearchAccessLogs(settings, 100).object_reads(place, SCOPE)

    return ask


def read(answer):
    """Records without where they were read, and without fields that have no value."""
    shown = (r.model_dump(exclude={"origin"}) for r in answer.records)
    return [r | {"additional": {k: v for k, v in r["additional"].items() if v is not None}} for r in shown]


def test_both_stores_tell_the_same_of_ordinary_lines(both):
    files, elastic = both(*(line(n, at=AT + timedelta(seconds=n)) for n in range(7)))
    assert len(files.records) == 7
    assert read(elastic) == read(files)
    assert (elastic.coverage.complete, elastic.coverage.gaps) == (False, (BEST_EFFORT,))


@pytest.mark.parametrize("session", ["jo+x@example.com", "a=b", "one,two"])
def test_a_session_whose_name_the_integration_cannot_parse_does_not_hide(both, session):
    files, elastic = both(line(1, requester=f"{ROLE}/{session}"))
    (found,) = elastic.records
    assert found.principal_arn == f"{ROLE}/{session}"
    assert found.time == AT, "its own time, not that of the ingest"
    assert read(elastic) == read(files)


def test_other_objects_and_other_calls_are_not_of_the_place(both):
    files, elastic = both(line(1, key="vm/other.ova"), line(2, operation="REST.PUT.OBJECT"), line(3))
    assert [r.additional["request_id"] for r in elastic.records] == ["REQUEST3"]
    assert read(elastic) == read(files)


def test_a_prefix_finds_keys_that_are_written_with_escapes(both):
    place = ObjectPlace(bucket="example-drop", key="vm export/", key_is_prefix=True)
    files, elastic = both(line(1, key="vm%20export/x.ova"), place=place)
    assert len(elastic.records) == 1
    assert read(elastic) == read(files)


def test_without_an_index_it_is_said(elasticsearch_url, namespace):
    settings = ElasticsearchSettings(
        url=elasticsearch_url, access_log_indices=f"logs-aws.s3access-{namespace}-none", retries=0
    )
    found = ElasticsearchAccessLogs(settings, 100).object_reads(PLACE, SCOPE)
    assert found.records == ()
    assert any(namespace in gap for gap in found.coverage.gaps)
