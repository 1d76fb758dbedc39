"""A store over documents of CloudTrail, as the integration keeps them, and the files of the same records."""

from __future__ import annotations

import gzip
import json
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk

from lab.ecs import Integration, Retain, document, stamp
from lab.elastic_mappings import install
from settings.elastic import ElasticsearchSettings
from tasks.logs.elasticsearch import ElasticsearchLogs
from tasks.logs.files import CloudTrailFiles
from tasks.logs.interface import ObjectPlace, Scope
from tests.records_of import cloudtrail_record

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
