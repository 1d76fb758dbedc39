"""CloudTrail and access logs in Elasticsearch answer as the files that they were made of, however the integration kept them."""

from __future__ import annotations

import gzip
import json
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk

from lab import access_log_ecs
from lab.ecs import Integration, Retain, document, stamp
from lab.elastic_mappings import install
from settings.elastic import ElasticsearchSettings
from tasks.logs.access_logs import AccessLogFiles
from tasks.logs.combined import Combined
from tasks.logs.elasticsearch import ElasticsearchLogs
from tasks.logs.elasticsearch_access import ElasticsearchAccessLogs
from tasks.logs.files import CloudTrailFiles
from tasks.logs.interface import ObjectPlace, Query, Scope
from tests.elastic.faults import Answer, proxy
from tests.records_of import cloudtrail_record
from tests.tasks.logs.test_access_logs import line

HERE, OTHER = "111122223333", "444455556666"
DAY = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
SCOPE = Scope(accounts=(HERE,), regions=("us-east-1",), since=DAY - timedelta(hours=2), until=DAY + timedelta(hours=2))
PERSON = "jo.contractor@example.com"
PLACE = ObjectPlace(bucket="example-drop", key="vm/export-i-1.ova")
UNDER = ObjectPlace(bucket="example-drop", key="vm/", key_is_prefix=True)
SETTINGS = {
    "everything": Integration(),
    "objects": Integration(Retain.FLATTENED),
    "texts": Integration(Retain.KEYWORD),
    "the original": Integration(Retain.NONE, preserve_original_event=True),
}


def other_identity(name, **more):
    arn = f"arn:aws:sts::{HERE}:assumed-role/deploy/{name}"
    issuer = {"type": "Role", "principalId": "AROADEPLOYEXAMPLE", "arn": f"arn:aws:iam::{HERE}:role/deploy"}
    issuer |= {"accountId": HERE, "userName": "deploy"}
    return {
        "type": "AssumedRole", "principalId": f"AROADEPLOYEXAMPLE:{name}", "arn": arn, "accountId": HERE,
        "accessKeyId": "ASIADEPLOYEXAMPLE001", "sessionContext": {"sessionIssuer": issuer, **more},
    }  # fmt: skip


def s3(event_id, name, **asked):
    change = {"eventCategory": "Data", "managementEvent": False, "requestParameters": asked, "responseElements": None}
    bucket, key = asked.get("bucketName"), asked.get("key")
    change["resources"] = [
        {"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::{bucket}/{key}"},
        {"type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}", "accountId": HERE},
    ]
    return cloudtrail_record(event_id, eventSource="s3.amazonaws.com", eventName=name, **change)


def call(event_id, name, source="ec2.amazonaws.com", **change):
    plain = {"requestParameters": None, "responseElements": None}
    return cloudtrail_record(event_id, eventName=name, eventSource=source, **plain | change)


BEGUN = {
    "credentials": {"accessKeyId": "ASIADEPLOYEXAMPLE001", "sessionToken": "secret"},
    "sourceIdentity": "pat@example.com",
}
RECORDS = [
    cloudtrail_record("export"),
    cloudtrail_record("refused", errorCode="Client.UnauthorizedOperation", responseElements=None),
    call("assume", "AssumeRole", "sts.amazonaws.com", responseElements=BEGUN),
    call("of-session", "DescribeInstances", userIdentity=other_identity("ci", sourceIdentity="pat@example.com")),
    call("console", "ConsoleLogin", "signin.amazonaws.com", responseElements={"ConsoleLogin": "Success"}),
    call("center", "CredentialVerification", "signin.amazonaws.com", userIdentity={"type": "IdentityCenterUser", "accountId": HERE}, additionalEventData={"UserName": PERSON}),
    call("policy", "PutBucketPolicy", "s3.amazonaws.com", requestParameters={"bucketName": "example-drop"}),
    call("image", "CreateImage", responseElements={"imageId": "ami-0123456789abcdef0"}),
    s3("get", "GetObject", bucketName="example-drop", key="vm/export-i-1.ova"),
    s3("copy", "CopyObject", **{"bucketName": "elsewhere", "key": "x", "x-amz-copy-source": "example-drop/vm/export-i-1.ova"}),
    s3("else", "GetObject", bucketName="example-drop", key="vm/else"),
    s3("foreign", "GetObject", bucketName="example-other", key="vm/export-i-1.ova"),
    s3("long", "GetObject", bucketName="example-drop", key="vm/" + "é" * 510),
    call("early", "ConsoleLogin", "signin.amazonaws.com", eventTime="2026-03-02T03:00:00Z"),
    call("far", "ConsoleLogin", "signin.amazonaws.com", awsRegion="eu-west-1"),
]  # fmt: skip
ELSEWHERE = [
    call("theirs", "ConsoleLogin", "signin.amazonaws.com", recipientAccountId=OTHER),
    call("later", "DescribeVpcs", recipientAccountId=OTHER, eventTime="2026-03-03T00:00:00Z"),
]
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


def put(es, name, documents):
    actions = ({"_op_type": "create", "_index": name, "_id": i, "_source": d} for i, d in enumerate(documents))
    bulk(es, actions, refresh=True)


def ingested(made, after=timedelta(minutes=3)):
    made["event"]["ingested"] = stamp(datetime.fromisoformat(made["@timestamp"]) + after)
    return made


def store(url, name, **change):
    given = {"url": url, "cloudtrail_indices": name, "retries": 0, "page_size": 10}
    return ElasticsearchLogs(ElasticsearchSettings(**given | change), max_records=100)


@pytest.fixture
def stream(elasticsearch_url, namespace):
    """Writes documents into a data stream of the test's own; its name."""
    name = f"logs-aws.cloudtrail-{namespace}"

    def fill(*documents):
        with Elasticsearch(elasticsearch_url) as es:
            install(es)
            put(es, name, documents)
        return name

    return fill


@pytest.fixture(scope="module", params=SETTINGS)
def filled(request, elasticsearch_url):
    """A store with all records as one setting of the integration keeps them."""
    name = f"logs-aws.cloudtrail-{secrets.token_hex(6)}"
    with Elasticsearch(elasticsearch_url) as es:
        install(es)
        put(es, name, [ingested(document(r, DAY, SETTINGS[request.param])) for r in [*RECORDS, *ELSEWHERE]])
    return store(elasticsearch_url, name)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    for region in ("us-east-1", "eu-west-1"):
        place = folder / "AWSLogs" / HERE / "CloudTrail" / region / "2026" / "03" / "02"
        place.mkdir(parents=True)
        here = [r for r in RECORDS if r["awsRegion"] == region]
        (place / "a.json.gz").write_bytes(gzip.compress(json.dumps({"Records": here}).encode()))
    return CloudTrailFiles(folder, 10_000_000, 100)


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


def now_event(event_id, ago, late, account=HERE):
    now = datetime.now(UTC).replace(microsecond=0)
    record = cloudtrail_record(event_id, eventTime=stamp(now - ago), recipientAccountId=account)
    return ingested(document(record, now), late)


def today(*accounts):
    now = datetime.now(UTC)
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return Scope(accounts=accounts, regions=("us-east-1",), since=start, until=now)


MINUTE = timedelta(minutes=1)
RECENTLY = min(40 * MINUTE, datetime.now(UTC) - datetime.now(UTC).replace(hour=0, minute=0))
"""Ago, and still today."""


def test_a_late_account_is_told_in_minutes_and_a_quiet_one_is_not(elasticsearch_url, stream):
    quiet = now_event("quiet", RECENTLY, MINUTE, OTHER)
    late = now_event("late", RECENTLY, 33 * MINUTE)
    found = store(elasticsearch_url, stream(quiet, late)).exports(today(HERE, OTHER))
    (gap,) = found.coverage.gaps
    assert gap.startswith(f"Documents of account {HERE} arrive up to 33 minutes late")
    assert found.coverage.searched_to <= datetime.now(UTC) - 33 * MINUTE


def test_an_ingest_that_stands_still_is_told(elasticsearch_url, stream):
    found = store(elasticsearch_url, stream(ingested(document(cloudtrail_record("e-1"), DAY)))).exports(
        SCOPE.model_copy(update={"until": DAY + timedelta(hours=3)})
    )
    (gap,) = found.coverage.gaps
    assert "after 2026-03-02T10:06:30Z" in gap


def test_days_without_documents_are_told_with_what_is_the_oldest(elasticsearch_url, stream):
    name = stream(
        ingested(document(cloudtrail_record("e-1"), DAY)),
        ingested(document(cloudtrail_record("e-2", eventTime="2026-03-09T00:00:00Z"), DAY)),
    )
    wider = Scope(accounts=(HERE, OTHER), regions=("us-east-1",), since=DAY - timedelta(days=2), until=DAY)
    assert store(elasticsearch_url, name).exports(wider).coverage.gaps == (
        f"No CloudTrail documents of account {HERE} in us-east-1 for 2026-02-28 to 2026-03-01 (2 days); "
        "the oldest document of all is of 2026-03-02T10:03:30Z.",
        f"No CloudTrail documents of account {OTHER} in us-east-1 for 2026-02-28 to 2026-03-02 (3 days); "
        "the oldest document of all is of 2026-03-02T10:03:30Z.",
    )


def test_of_two_patterns_the_one_that_is_not_there_is_a_gap(elasticsearch_url, stream):
    there = stream(*(ingested(document(r, DAY)) for r in [*RECORDS, *ELSEWHERE]))
    found = store(elasticsearch_url, f"{there},{there}-none-*").exports(SCOPE)
    assert [r.event_id for r in found.records] == ["export", "refused"]
    (gap,) = found.coverage.gaps
    assert f"{there}-none-*: no index of that name" in gap


def test_a_cluster_that_was_skipped_is_a_gap_and_the_others_answer(elasticsearch_url, stream):
    skipped = {"total": 2, "successful": 1, "skipped": 1, "details": {"west": {"status": "skipped"}}}

    def without_west(given: Answer) -> Answer:
        return Answer(given.status, json.dumps(json.loads(given.body) | {"_clusters": skipped}).encode())

    name = stream(*(ingested(document(r, DAY)) for r in [*RECORDS, *ELSEWHERE]))
    with proxy(elasticsearch_url) as between:
        between.fault, between.left = without_west, 1_000_000
        found = store(between.url, name).by_principal([PERSON], SCOPE)
    assert "export" in {r.event_id for r in found.records}
    (gap,) = found.coverage.gaps
    assert "cluster west" in gap


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
