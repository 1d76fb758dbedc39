"""What can be asked of an Elasticsearch: wrong types, missing fields, late accounts and missing data events are said."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from decisions.related_alerts import Shared
from lab.elastic_mappings import create_alerts_index, install
from settings.elastic import OUR_RULE, ElasticsearchSettings
from tasks.elastic import coverage, related
from tasks.elastic.client import Unanswered, connected
from tasks.elastic.fields import ACCESS_LOGS, ALERTS, CLOUDTRAIL, FLATTENED
from tasks.logs.elasticsearch_query import of_query
from tasks.logs.interface import ObjectPlace, Query, Scope

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime.now(UTC).replace(microsecond=0)
PRODUCTION, DEVELOPMENT, SILENT = "111122223333", "123456789012", "777788889999"


@pytest.fixture
def es(elasticsearch_url):
    with connected(ElasticsearchSettings(url=(elasticsearch_url,), retries=0)) as client:
        yield client


@pytest.fixture
def cloudtrail(es: Elasticsearch, namespace):
    install(es)
    return f"logs-aws.cloudtrail-{namespace}"


def event(account, at, *, category="Management", late=timedelta(minutes=7), bucket=None):
    parameters = {"bucketName": bucket} if bucket else {"instanceId": "i-0123456789abcdef0"}
    return {
        "@timestamp": at.isoformat(),
        "event": {
            "ingested": (at + late).isoformat(),
            "id": "5e68a70c-9e8b-49c3-a6c5-63ab2bc2685a",
            "action": "RunInstances",
            "provider": "ec2.amazonaws.com",
            "kind": "event",
        },
        "user": {"name": "x"},
        "cloud": {"region": "us-east-1"},
        "aws": {
            "cloudtrail": {
                "recipient_account_id": account,
                "event_category": category,
                "user_identity": {
                    "access_key_id": "ASIAEXAMPLE",
                    "arn": "arn:aws:sts::111122223333:assumed-role/r/x",
                    "session_context": {"session_issuer": {"arn": "arn:aws:iam::111122223333:role/r"}},
                },
                "resources": [{"arn": "arn:aws:s3:::example-drop"}],
                "flattened": {"request_parameters": parameters, "response_elements": {"requestId": "r"}},
            }
        },
    }


def write(es, index, *documents):
    for document in documents:
        es.index(index=index, document=document, op_type="create")
    es.indices.refresh(index=index)


def of(es, index):
    covered = coverage.accounts(es, [index], [PRODUCTION, DEVELOPMENT, SILENT], NOW)
    return {one.account: one for one in covered}


def test_each_account_has_its_own_last_event_and_delay(es, cloudtrail):
    write(
        es,
        cloudtrail,
        event(PRODUCTION, NOW - timedelta(minutes=10)),
        event(PRODUCTION, NOW - timedelta(minutes=30)),
        event(DEVELOPMENT, NOW - timedelta(days=3), late=timedelta(hours=9)),
    )
    told = of(es, cloudtrail)
    assert told[PRODUCTION].last_event == NOW - timedelta(minutes=10)
    assert told[PRODUCTION].delay == timedelta(minutes=7)
    assert told[PRODUCTION].events_per_day == 2 / 7
    assert told[DEVELOPMENT].last_event == NOW - timedelta(days=3)
    assert told[DEVELOPMENT].delay == timedelta(hours=9)
    assert (told[SILENT].events, told[SILENT].last_event, told[SILENT].delay) == (0, None, None)


def test_data_events_are_told_by_account_and_bucket(es, cloudtrail):
    write(
        es,
        cloudtrail,
        event(PRODUCTION, NOW - timedelta(minutes=10), category="Data", bucket="example-drop"),
        event(DEVELOPMENT, NOW - timedelta(minutes=10)),
    )
    told = of(es, cloudtrail)
    assert (told[PRODUCTION].data_events, told[PRODUCTION].data_buckets) == (1, ("example-drop",))
    assert (told[DEVELOPMENT].data_events, told[DEVELOPMENT].data_buckets) == (0, ())


def test_an_event_without_a_time_of_ingestion_has_an_unknown_delay(es, cloudtrail):
    bare = event(PRODUCTION, NOW - timedelta(minutes=10))
    del bare["event"]["ingested"]
    write(es, cloudtrail, bare)
    assert of(es, cloudtrail)[PRODUCTION].delay is None


def test_the_mapping_of_the_integration_has_no_fault(es, cloudtrail):
    write(es, cloudtrail, event(PRODUCTION, NOW))
    assert coverage.field_faults(es, [cloudtrail], CLOUDTRAIL) == ()


def test_a_field_of_the_wrong_type_is_serious_and_named_with_its_index(es, namespace):
    index = f"own-{namespace}"
    es.indices.create(index=index, mappings={"properties": {"event": {"properties": {"action": {"type": "text"}}}}})
    faults = {fault.field: fault for fault in coverage.field_faults(es, [index], CLOUDTRAIL)}
    assert faults["event.action"].serious
    assert "it is text in every index, not keyword" in faults["event.action"].sentence


def test_a_field_that_no_index_has_is_said(es, namespace):
    index = f"own-{namespace}"
    es.indices.create(index=index, mappings={"properties": {"@timestamp": {"type": "date"}}})
    faults = {fault.field: fault for fault in coverage.field_faults(es, [index], CLOUDTRAIL)}
    assert "@timestamp" not in faults
    assert "no index has it" in faults["event.provider"].sentence
    assert not faults["event.ingested"].serious, "rules and reads do without it"


def test_types_that_conflict_across_indices_are_serious(es, cloudtrail, namespace):
    write(es, cloudtrail, event(PRODUCTION, NOW))
    other = f"filebeat-{namespace}"
    properties = {"event.action": {"type": "text"}, "@timestamp": {"type": "keyword"}}
    es.indices.create(index=other, mappings={"properties": properties})
    faults = {f.field: f for f in coverage.field_faults(es, [cloudtrail, other], CLOUDTRAIL) if f.serious}
    assert set(faults) == {"event.action", "@timestamp"}
    assert f"it is text in {other}" in faults["event.action"].sentence


def test_a_field_that_some_indices_lack_is_said_and_not_serious(es, cloudtrail, namespace):
    write(es, cloudtrail, event(PRODUCTION, NOW))
    other = f"filebeat-{namespace}"
    es.indices.create(index=other, mappings={"properties": {"@timestamp": {"type": "date"}}})
    faults = {f.field: f for f in coverage.field_faults(es, [cloudtrail, other], CLOUDTRAIL)}
    assert "1 of 2 indices do not have it" in faults["event.action"].sentence
    assert not faults["event.action"].serious


def test_a_field_that_is_not_indexed_is_serious(es, namespace):
    index = f"own-{namespace}"
    mappings = {"properties": {"event.action": {"type": "keyword", "index": False, "doc_values": False}}}
    es.indices.create(index=index, mappings=mappings)
    faults = {f.field: f for f in coverage.field_faults(es, [index], CLOUDTRAIL)}
    assert "cannot be searched" in faults["event.action"].sentence


def test_no_index_is_no_good_mapping(es, namespace):
    with pytest.raises(Unanswered, match="No index matches"):
        coverage.field_faults(es, [f"absent-{namespace}-*"], CLOUDTRAIL)
    with pytest.raises(Unanswered, match="no index of that name"):
        coverage.accounts(es, [f"absent-{namespace}-*"], [PRODUCTION], NOW)


def test_the_last_alert_is_that_of_our_rules(es, namespace):
    install(es)
    alias = create_alerts_index(es, namespace)
    assert coverage.last_alert(es, alias, [OUR_RULE]) is None
    for rule, hours in ((OUR_RULE, 5), ("somebody-elses", 1)):
        at = (NOW - timedelta(hours=hours)).isoformat()
        es.index(index=alias, document={"@timestamp": at, "kibana.alert.rule.rule_id": rule}, refresh=True)
    assert coverage.last_alert(es, alias, [OUR_RULE]) == NOW - timedelta(hours=5)
    assert coverage.field_faults(es, [alias], ALERTS) == ()


def test_a_server_that_does_not_tell_its_version_is_no_failure(es):
    assert coverage.server_version(es) is None or re.match(r"\d+\.", coverage.server_version(es))


def fields_of(dsl):
    """Every field that a query names."""
    if isinstance(dsl, list):
        return set().union(*map(fields_of, dsl))
    if not isinstance(dsl, dict):
        return set()
    found = set()
    for kind, inner in dsl.items():
        if kind in ("term", "terms", "prefix", "range"):
            found |= set(inner)
        elif kind == "exists":
            found.add(inner["field"])
        else:
            found |= fields_of(inner)
    return found


def declared(*lists):
    return {field.name for fields in lists for field in fields}


def undeclared(names, *lists):
    """Names that are in none of the lists; of a flattened field every name below it is."""
    flattened = tuple(f"{f.name}." for fields in lists for f in fields if f.types is FLATTENED)
    return {name for name in names - declared(*lists) if not name.startswith(flattened)}


def test_every_field_of_the_investigations_questions_is_checked():
    scope = Scope(accounts=(PRODUCTION,), regions=("us-east-1",), since=NOW - timedelta(days=1), until=NOW)
    question = Query(
        access_key_ids=("ASIAEXAMPLE",),
        principals=("jane.doe", "arn:aws:iam::111122223333:user/x"),
        event_names=("GetObject",),
        mentions=("i-0123456789abcdef0",),
        place=ObjectPlace(bucket="example-drop", key="vm/"),
    )
    names = fields_of(of_query(question, scope))
    assert len(names) > 10
    assert undeclared(names, CLOUDTRAIL) == set()


def test_every_field_of_the_question_for_related_alerts_is_checked():
    shared = Shared(accounts=(PRODUCTION,), principal_ids=("AROAEXAMPLE:x",))
    assert undeclared(fields_of(related.question(shared, NOW, NOW, ("a",))), ALERTS) == set()


LITERAL = re.compile(r'"((?:@timestamp|(?:event|cloud|user|source|aws|kibana)\.[\w.@]+))"')
FETCHED = re.compile(r"^SOURCE = \(.*?^\)|^FIELDS = \(.*?^\)", re.S | re.M)
"""What is only fetched with a hit; it may have any type."""
READ_OF_A_HIT = {
    "event.original", "kibana.alert.rule.name", "kibana.alert.rule.uuid", "aws.s3access",
    "kibana.alert.original_event.action", "kibana.alert.original_event.provider",
}  # fmt: skip
"""Likewise, where it is read out of a document that was found by something else."""


def test_every_field_that_stands_in_the_code_is_checked():
    every = (CLOUDTRAIL, ACCESS_LOGS, ALERTS)
    for path in (*ROOT.glob("tasks/logs/elasticsearch*.py"), *ROOT.glob("tasks/elastic/*.py")):
        if path.name == "fields.py":
            continue
        named = set(LITERAL.findall(FETCHED.sub("", path.read_text()))) - READ_OF_A_HIT
        parts = {name for name in named if any(whole.startswith(f"{name}.") for whole in declared(*every))}
        assert undeclared(named - parts, *every) == set(), f"{path.relative_to(ROOT)}: not in tasks/elastic/fields.py"
