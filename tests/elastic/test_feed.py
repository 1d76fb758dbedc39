"""What the lab has on disk stands in Elasticsearch, with the mappings of the AWS integration, once."""

import gzip
import json
import time
from datetime import UTC, datetime

import pytest
from elasticsearch import Elasticsearch
from elasticsearch.helpers import BulkIndexError

from lab.alert import alert_of
from lab.alert_variants import eql_sequence, suppressed, threshold
from lab.ecs import Integration, Retain
from lab.elastic_feed import Feed, prepare, put_alert
from tests.lab.test_ecs import LINE
from tests.records_of import cloudtrail_record

NOW = datetime(2026, 3, 2, 10, 5, 2, tzinfo=UTC)
HOME = "cloudtrail/AWSLogs/o-exampleorgid/111122223333/CloudTrail/us-east-1/2026/03/02"


@pytest.fixture
def es(elasticsearch_url):
    with Elasticsearch(elasticsearch_url) as client:
        yield client


@pytest.fixture
def deliver(tmp_path):
    """Write records as a trail's file, lines as an access log."""

    def written(*records, lines=(), name="1"):
        for path, body in (
            (
                tmp_path / HOME / f"111122223333_CloudTrail_us-east-1_20260302T1005Z_{name}.json.gz",
                gzip.compress(json.dumps({"Records": records}).encode()),
            ),
            (tmp_path / "s3-access-logs" / "logs" / f"2026-03-02-10-50-00-{name:0>16}", "\n".join(lines).encode()),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        return tmp_path

    return written


@pytest.fixture
def found(es, namespace):
    """Ids, and whole hits, of a query in a dataset of this test."""

    def hits(query, dataset="cloudtrail"):
        return es.search(index=f"logs-aws.{dataset}-{namespace}", query=query)["hits"]["hits"]

    return hits


def test_a_record_is_found_by_what_was_asked_for_and_a_second_load_adds_nothing(es, namespace, deliver, found):
    folder = deliver(cloudtrail_record())
    prepare(es, namespace, namespace)
    feed = Feed(es, folder, namespace)
    assert (feed.load(), feed.load(), Feed(es, folder, namespace).load()) == (1, 0, 0)
    for field, value in (
        ("aws.cloudtrail.flattened.request_parameters.exportToS3.s3Bucket", "example-drop"),
        ("aws.cloudtrail.user_identity.session_context.mfa_authenticated", "false"),
        ("aws.cloudtrail.management_event", "true"),
        ("source.ip", "198.51.100.0/24"),
        ("event.id", "5e68a70c-9e8b-49c3-a6c5-63ab2bc2685a"),
        ("data_stream.namespace", namespace),
    ):
        (hit,) = found({"term": {field: value}})
        assert hit["_id"] == hit["_source"]["event"]["id"]
    assert found({"range": {"@timestamp": {"gte": "2026-03-02T10:03:30Z", "lte": "2026-03-02T10:03:30Z"}}})
    assert (
        hit["_source"]["event"]["ingested"] == "2026-03-02T10:06:00.000Z"
    )  # the minute in which its file was delivered


def test_what_arrives_later_is_loaded_while_the_feed_follows(es, namespace, deliver, found):
    prepare(es, namespace, namespace)
    feed = Feed(es, deliver(cloudtrail_record()), namespace)
    with feed.following():
        deliver(cloudtrail_record("later", errorCode="Client.UnauthorizedOperation"), name="2")
        end = time.monotonic() + 10
        while not found({"term": {"event.outcome": "failure"}}):
            assert time.monotonic() < end, "the feed did not load it"
            time.sleep(0.05)
    assert len(found({"match_all": {}})) == 2


def test_a_text_longer_than_a_keyword_may_be_stands_there_and_cannot_be_searched(es, namespace, deliver, found):
    prepare(es, namespace, namespace)
    long = {"description": "x" * 8200, "note": "word"}
    Feed(es, deliver(cloudtrail_record(requestParameters=long)), namespace).load()
    (hit,) = found({"match": {"aws.cloudtrail.request_parameters.text": "word"}})
    assert hit["_ignored"] == ["aws.cloudtrail.request_parameters"]
    assert len(hit["_source"]["aws"]["cloudtrail"]["request_parameters"]) > 8191
    assert not found({"exists": {"field": "aws.cloudtrail.request_parameters"}})


def test_an_integration_that_keeps_texts_alone_is_searched_by_texts_alone(es, namespace, deliver, found):
    prepare(es, namespace, namespace)
    Feed(es, deliver(cloudtrail_record()), namespace, Integration(Retain.KEYWORD)).load()
    assert found({"prefix": {"aws.cloudtrail.request_parameters": "{instanceId=i-0123456789abcdef0"}})
    assert not found({"exists": {"field": "aws.cloudtrail.flattened.request_parameters"}})


def test_access_logs_stand_in_their_own_stream_and_a_line_that_fails_stands_there_raw(es, namespace, deliver, found):
    prepare(es, namespace, namespace)
    lines = [LINE.format(requester=f"arn:aws:iam::111122223333:user/{name}", status=206) for name in ("jo", "jo+x")]
    assert Feed(es, deliver(lines=lines), namespace).load() == 2
    (read,) = found({"term": {"aws.s3access.bucket": "example-drop"}}, "s3access")
    assert read["_source"]["aws"]["s3access"]["bytes_sent"] == 262144
    (broken,) = found({"term": {"event.kind": "pipeline_error"}}, "s3access")
    assert broken["_source"]["event"]["original"] == lines[1]


def test_a_document_that_elasticsearch_refuses_is_an_error(es, namespace, deliver):
    prepare(es, namespace, namespace)
    with pytest.raises(BulkIndexError, match="refused"):
        Feed(es, deliver(cloudtrail_record(readOnly="perhaps")), namespace).load()


def test_alerts_are_found_by_kibanas_fields_and_not_by_those_of_aws(es, namespace):
    records = [cloudtrail_record(event_id=f"e-{n}", task=f"export-i-{n:017x}") for n in (1, 2)]
    terms = [("user.id", "AROAEXAMPLEEXAMPLE:jo.contractor@example.com")]
    made = [
        alert_of(cloudtrail_record(), NOW, namespace),
        *eql_sequence(records, NOW, namespace),
        threshold(records, terms, NOW, namespace),
        suppressed(records, terms, NOW, namespace),
    ]
    for alert in (*made, made[0]):
        put_alert(es, alert, namespace)

    def count(**query):
        return es.count(index=f".alerts-security.alerts-{namespace}", query=query)["count"]

    assert count(match_all={}) == 6
    assert count(term={"kibana.alert.uuid": made[0]["_id"]}) == 1
    assert count(term={"kibana.alert.original_event.id": "e-1"}) == 2  # its building block, and the suppressed one
    assert count(exists={"field": "kibana.alert.building_block_type"}) == 2
    assert count(term={"kibana.alert.group.id": made[3]["_source"]["kibana.alert.group.id"]}) == 3
    assert count(term={"kibana.alert.threshold_result.terms.value": terms[0][1]}) == 1
    assert count(range={"kibana.alert.suppression.docs_count": {"gte": 1}}) == 1
    assert count(term={"aws.cloudtrail.event_type": "AwsApiCall"}) == 0
    shell, block = made[3]["_source"], made[1]["_source"]
    assert (shell["kibana.alert.depth"], "kibana.alert.building_block_type" in shell) == (2, False)
    assert [a["type"] for a in shell["kibana.alert.ancestors"]] == ["event", "event", "signal", "signal"]
    assert "id" not in shell["event"]
    assert "response_elements" not in shell["aws"]["cloudtrail"]  # they differ
    assert block["event"]["id"] == "e-1"
