"""CloudTrail and access logs in Elasticsearch answer as the files that they were made of, however the integration kept them."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from lab.ecs import Integration, Retain, document, stamp
from settings.elastic import ElasticsearchSettings
from tasks.logs.elasticsearch import ElasticsearchLogs
from tasks.logs.interface import Query
from tests.elastic.log_stores import (
    DAY,
    HERE,
    PERSON,
    PLACE,
    SCOPE,
    UNDER,
    files,
    filled,
    ingested,
    s3,
    store,
    stream,
)
from tests.records_of import cloudtrail_record

__all__ = ["files", "filled", "stream"]


QUESTIONS = {
    "activity": lambda s: s.activity(["ASIAEXAMPLEEXAMPLE01"], SCOPE),
    "by session": lambda s: s.by_principal([f"arn:aws:sts::{HERE}:assumed-role/platform-admin/{PERSON}"], SCOPE),
    "by role": lambda s: s.by_principal([f"arn:aws:iam::{HERE}:role/deploy"], SCOPE),
    "by name": lambda s: s.by_principal([PERSON], SCOPE),
    "by source identity": lambda s: s.by_principal(["pat@example.com"], SCOPE),
    "by two names": lambda s: s.by_principal(["ci", PERSON], SCOPE),
    "permission changes": lambda s: s.permission_changes(SCOPE),
    "exports": lambda s: s.exports(SCOPE),
    "reads": lambda s: s.object_reads(PLACE, SCOPE),
    "reads under": lambda s: s.object_reads(UNDER, SCOPE),
    "origin of a key": lambda s: s.credential_origin("ASIADEPLOYEXAMPLE001", SCOPE),
    "origin of an image": lambda s: s.image_origin("ami-0123456789abcdef0", SCOPE),
    "a long text": lambda s: s.search(Query(mentions=("vm/" + "é" * 510,), data=True), SCOPE),
    "sign-ins": lambda s: s.authentication([PERSON], SCOPE),
    "nobody": lambda s: s.activity(["ASIANOBODYEXAMPLE000"], SCOPE),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_has_the_answer_of_the_files(filled, files, question):
    expected, found = QUESTIONS[question](files), QUESTIONS[question](filled)
    assert [r.event_id for r in found.records] == [r.event_id for r in expected.records]
    assert found.coverage == expected.coverage
    assert expected.records or question == "nobody"
    assert "secret" not in found.model_dump_json()


def test_a_text_with_two_readings_is_told_where_it_may_hide_an_answer(elasticsearch_url, stream):
    asked = {"bucketName": "example-drop", "key": "x", "s3Bucket": "a", "description": "b, s3Bucket=c"}
    made = ingested(document(s3("two", "GetObject", **asked), DAY, Integration(Retain.KEYWORD)))
    del made["aws"]["cloudtrail"]["resources"]
    found = store(elasticsearch_url, stream(made)).object_reads(PLACE, SCOPE)
    assert found.records == ()
    assert any(gap.startswith("Of 1 document(s)") for gap in found.coverage.gaps)


def test_an_event_that_the_pipeline_could_not_parse_is_read_and_junk_is_counted(elasticsearch_url, stream):
    def failed(text):
        event = {"kind": "pipeline_error", "original": text, "ingested": stamp(DAY + timedelta(hours=9))}
        return {"@timestamp": stamp(DAY + timedelta(hours=9)), "event": event}

    name = stream(failed(json.dumps(cloudtrail_record("hidden"))), failed("{broken"))
    found = store(elasticsearch_url, name).exports(SCOPE)
    assert [r.event_id for r in found.records] == ["hidden"]
    assert any(gap.startswith("1 document(s) that the ingest pipeline") for gap in found.coverage.gaps)


def test_a_copy_is_one_record_and_the_newest_are_kept(elasticsearch_url, stream):
    records = [cloudtrail_record(f"e-{n}", eventTime=f"2026-03-02T10:0{n}:00Z") for n in (0, 1, 1, 2, 3, 3)]
    name = stream(*(ingested(document(r, DAY)) for r in records))
    few = ElasticsearchLogs(ElasticsearchSettings(url=elasticsearch_url, cloudtrail_indices=name), max_records=2)
    found = few.exports(SCOPE)
    assert [r.event_id for r in found.records] == ["e-2", "e-3"]
    assert "4 records answer; the 2 oldest were left out." in found.coverage.gaps
