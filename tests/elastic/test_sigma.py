"""Rules asked of a real Elasticsearch, over documents as the AWS integration makes them: the same records as the reference."""

from __future__ import annotations

import json
from typing import Any

import pytest
from elasticsearch import Elasticsearch, helpers

from decisions.sigma import Loaded, Rule, matches
from decisions.sigma_ecs import record_of
from decisions.sigma_elasticsearch import NotConvertible, query
from decisions.store_schema import IRREGULAR, row
from lab.ecs import cleaned, document
from lab.elastic_mappings import install
from tasks.hunting.fixtures import PACK, fixtures, load
from tests.hunting.packs import PACKS, sigmahq
from tests.hunting.sigma_records import records


def convertible(loaded: Loaded) -> tuple[list[tuple[Rule, dict[str, Any]]], dict[str, str]]:
    good: list[tuple[Rule, dict[str, Any]]] = []
    reasons: dict[str, str] = {}
    for rule in loaded.rules:
        try:
            good.append((rule, query(rule.detection)))
        except NotConvertible as error:
            reasons[rule.source] = str(error)
    return good, reasons


def indexed(es: Elasticsearch, index: str, population: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The records, as they are without what is empty, by id; those that Elasticsearch's mapping refuses are left out."""
    actions = [
        {"_op_type": "create", "_index": index, "_id": str(number), "_source": document(record)}
        for number, record in enumerate(population)
    ]
    put = [ok for ok, _ in helpers.streaming_bulk(es, actions, raise_on_error=False)]
    assert sum(put) > 0.9 * len(put)
    es.indices.refresh(index=index)
    return {str(n): cleaned(record) for n, (record, ok) in enumerate(zip(population, put, strict=True)) if ok}


def found(es: Elasticsearch, index: str, rule: Rule, body: dict[str, Any]) -> tuple[set[str], int]:
    """Ids of the documents that match, and how many Elasticsearch brought."""
    answer = es.search(index=index, query=body, size=10_000, allow_partial_search_results=False)
    hits = answer["hits"]["hits"]
    return {hit["_id"] for hit in hits if matches(rule, record_of(hit["_source"])[0])}, len(hits)


def plain(population: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records of the shape that AWS writes: others never come through the integration's pipeline."""
    objects = (
        "requestParameters",
        "responseElements",
        "additionalEventData",
        "serviceEventDetails",
        "userIdentity",
        "tlsDetails",
    )
    named = [
        record | {name: record.get(name) or "Nothing" for name in ("eventName", "eventSource", "sourceIPAddress")}
        for record in population
    ]
    return [
        record
        for record in named
        if not row(record)[IRREGULAR]
        and all(
            isinstance(record.get(name, ""), str)
            for name in ("eventName", "eventSource", "sourceIPAddress", "userAgent")
        )
        and all(isinstance(record.get(name, {}), dict) for name in objects)
        and all(isinstance(inner, dict) for inner in _below_identity(record))
        and all(
            isinstance(record.get("requestParameters", {}).get(n, ""), str)
            for n in ("userName", "newUserName", "groupName")
        )
        and "[[" not in json.dumps(record)  # a flattened field looks through lists within lists
        and isinstance(record.get("tlsDetails", {}).get("tlsVersion", ""), str)
    ]


def _below_identity(record: dict[str, Any]) -> list[Any]:
    session = record.get("userIdentity", {}).get("sessionContext", {})
    return [session, *(session.get(name, {}) for name in ("sessionIssuer", "attributes") if isinstance(session, dict))]


@pytest.fixture
def es(elasticsearch_url: str) -> Elasticsearch:
    client = Elasticsearch(elasticsearch_url)
    install(client)
    return client


@pytest.mark.parametrize("pack", PACKS)
def test_elasticsearch_says_what_the_reference_says_of_records_made_from_the_rules(
    es: Elasticsearch, namespace: str, pack: str
):
    loaded = PACKS[pack]()
    rules, _ = convertible(loaded)
    index = f"logs-aws.cloudtrail-{namespace}"
    population = plain([record for rule, _ in rules for record in records(rule.detection, 30, f"es-{rule.id}")])
    kept = indexed(es, index, population)
    hit = 0
    for rule, body in rules:
        wanted = {number for number, record in kept.items() if matches(rule, record)}
        told, _ = found(es, index, rule, body)
        assert told == wanted, (rule.title, body, [kept[n] for n in list(told ^ wanted)[:2]])
        hit += bool(wanted)
    assert hit > 0.8 * len(rules)


def test_fixtures_of_our_rules_in_elasticsearch(es: Elasticsearch, namespace: str):
    loaded = load()
    rules, reasons = convertible(loaded)
    assert reasons == {}
    cases = [case for file in {r.source for r in loaded.rules} for case in fixtures(PACK, file) if not case.sequence]
    index = f"logs-aws.cloudtrail-{namespace}"
    kept = indexed(es, index, [case.records[0] for case in cases])
    for rule, body in rules:
        told, brought = found(es, index, rule, body)
        assert told == {number for number, record in kept.items() if matches(rule, record)}, rule.name
        assert brought <= 2 * len(told) + 8, f"{rule.name} reads too much: {brought} for {len(told)}"


def test_what_cannot_be_asked_is_named_with_the_reason():
    rules, reasons = convertible(sigmahq())
    assert len(rules) == 56
    assert list(reasons) == ["aws_delete_saml_provider.yml"]
    assert "no field for status" in reasons["aws_delete_saml_provider.yml"]


def test_a_value_too_long_for_the_index_is_found_all_the_same(es: Elasticsearch, namespace: str):
    (rule,) = [one for one in sigmahq().rules if one.source == "aws_iam_s3browser_user_or_accesskey_creation.yml"]
    record = {
        "eventID": "1", "eventTime": "2026-03-02T09:00:00Z", "eventName": "CreateUser", "eventSource": "iam.amazonaws.com",
        "userAgent": "x" * 2000 + "S3 Browser",
    }  # fmt: skip
    index = f"logs-aws.cloudtrail-{namespace}"
    indexed(es, index, [record, record | {"userAgent": "x" * 2000}])
    assert found(es, index, rule, query(rule.detection)) == ({"0"}, 2)
