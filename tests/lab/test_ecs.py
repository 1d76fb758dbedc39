"""Documents as the AWS integration indexes them: expected ones written by hand, and Elastic's own where they are at hand."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from decisions.alert import decode
from decisions.export import Outcome
from lab.access_log_ecs import document as access_document
from lab.alert import alert_of
from lab.ecs import FLATTENED_LIMIT, Integration, Retain, document
from tests.records_of import cloudtrail_record

NOW = datetime(2026, 3, 2, 10, 5, 2, tzinfo=UTC)
FIXTURES = "VMEXPORT_TEST_ELASTIC_FIXTURES"
LINE = (
    "a" * 64 + ' example-drop [02/Mar/2026:10:45:01 +0000] 203.0.113.9 {requester} 3E57427F3EXAMPLE REST.GET.OBJECT '
    'vm/export-i-0fedcba9876543210.ova "GET /example-drop/vm/x.ova?x-id=GetObject HTTP/1.1" {status} - 262144 1048576 70 10 '
    '"-" "aws-cli/2.17.60" - host-id= SigV4 TLS_AES_128_GCM_SHA256 AuthHeader s3.us-east-1.amazonaws.com TLSv1.3 - Yes us-east-1'
)  # fmt: skip


def test_the_export_of_a_session_is_the_document_that_kibana_shows():
    record = cloudtrail_record(
        requestParameters={
            "instanceId": "i-0123456789abcdef0", "targetEnvironment": "vmware",
            "exportToS3": {"diskImageFormat": "VMDK", "containerFormat": "ova", "s3Bucket": "corp-exports", "s3Prefix": ""},
            "description": None,
        },
        responseElements={"exportTask": {"exportTaskId": "export-i-0fedcba9876543210"}},
        sharedEventID="not-read", managementEvent=True, readOnly=False,
        tlsDetails={"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256", "clientProvidedHostHeader": "ec2.us-east-1.amazonaws.com"},
    )  # fmt: skip
    record["userIdentity"]["sessionContext"]["sourceIdentity"] = "jo"
    told = {
        "requestParameters": {
            "instanceId": "i-0123456789abcdef0", "targetEnvironment": "vmware",
            "exportToS3": {"diskImageFormat": "VMDK", "containerFormat": "ova", "s3Bucket": "corp-exports"},
        },
        "responseElements": {"exportTask": {"exportTaskId": "export-i-0fedcba9876543210"}},
    }  # fmt: skip
    made = document(record, NOW)
    assert made == {
        "@timestamp": "2026-03-02T10:03:30.000Z",
        "ecs": {"version": "8.11.0"},
        "event": {
            "action": "CreateInstanceExportTask", "provider": "ec2.amazonaws.com", "kind": "event", "type": ["info"],
            "id": "5e68a70c-9e8b-49c3-a6c5-63ab2bc2685a", "outcome": "success", "created": "2026-03-02T10:05:02.000Z",
            "dataset": "aws.cloudtrail", "module": "aws",
        },
        "cloud": {"account": {"id": "111122223333"}, "region": "us-east-1", "provider": "aws"},
        "user": {"id": "AROAEXAMPLEEXAMPLE:jo.contractor@example.com", "name": "platform-admin"},
        "source": {"address": "198.51.100.7", "ip": "198.51.100.7"},
        "user_agent": {"original": "aws-cli/2.17.60", "name": "aws-cli", "version": "2.17.60", "device": {"name": "Other"}},
        "tls": {"version_protocol": "tls", "version": "1.3", "cipher": "TLS_AES_128_GCM_SHA256", "client": {"server_name": "ec2.us-east-1.amazonaws.com"}},
        "related": {"user": ["AROAEXAMPLEEXAMPLE:jo.contractor@example.com", "platform-admin"], "ip": ["198.51.100.7"]},
        "aws": {"cloudtrail": {
            "event_version": "1.10", "event_type": "AwsApiCall", "event_category": "Management", "management_event": True,
            "read_only": False, "request_id": record["requestID"], "recipient_account_id": "111122223333",
            "user_identity": {
                "type": "AssumedRole", "access_key_id": "ASIAEXAMPLEEXAMPLE01",
                "arn": "arn:aws:sts::111122223333:assumed-role/platform-admin/jo.contractor@example.com",
                "session_context": {
                    "mfa_authenticated": "false", "creation_date": "2026-03-02T09:40:00.000Z",
                    "session_issuer": {
                        "type": "Role", "principal_id": "AROAEXAMPLEEXAMPLE", "account_id": "111122223333",
                        "arn": "arn:aws:iam::111122223333:role/platform-admin",
                    },
                },
            },
            "request_parameters": "{instanceId=i-0123456789abcdef0, targetEnvironment=vmware, exportToS3={diskImageFormat=VMDK, containerFormat=ova, s3Bucket=corp-exports}}",
            "response_elements": "{exportTask={exportTaskId=export-i-0fedcba9876543210}}",
            "flattened": {"request_parameters": told["requestParameters"], "response_elements": told["responseElements"]},
        }},
        "tags": ["forwarded", "aws-cloudtrail"],
    }  # fmt: skip


def test_a_refusal_by_a_user_from_within_aws_has_a_name_no_address_and_an_outcome():
    made = document(
        cloudtrail_record(
            userIdentity={"type": "IAMUser", "principalId": "AIDAEXAMPLE", "arn": "arn:aws:iam::111122223333:user/a@example.com",
                          "accountId": "111122223333", "userName": "a@example.com", "accessKeyId": ""},
            recipientAccountId="444455556666", sourceIPAddress="ec2.amazonaws.com", responseElements=None,
            errorCode="Client.UnauthorizedOperation", errorMessage="You are not authorized",
        ),
        NOW,
    )  # fmt: skip
    assert made["event"]["outcome"] == "failure"
    assert made["source"] == {"address": "ec2.amazonaws.com"}
    assert made["user"] == {"id": "AIDAEXAMPLE", "name": "a@example.com", "email": "a@example.com"}
    assert made["cloud"]["account"]["id"] == "111122223333"  # the caller's
    trail = made["aws"]["cloudtrail"]
    assert trail["recipient_account_id"] == "444455556666"
    assert (trail["error_code"], trail["error_message"]) == ("Client.UnauthorizedOperation", "You are not authorized")
    assert "response_elements" not in trail
    assert "access_key_id" not in trail["user_identity"]


def test_who_has_no_account_is_counted_to_the_one_that_got_the_record():
    made = document(
        cloudtrail_record(userIdentity={"type": "AWSService", "invokedBy": "vmie.amazonaws.com"}, errorMessage="odd")
    )
    assert made["cloud"]["account"]["id"] == "111122223333"
    assert made["aws"]["cloudtrail"]["user_identity"] == {"type": "AWSService", "invoked_by": "vmie.amazonaws.com"}
    assert (made["event"]["outcome"], "user" in made) == ("failure", False)


def test_what_was_asked_for_of_a_user_and_a_group_and_what_resources_were_touched():
    resource = {"ARN": "arn:aws:s3:::b", "accountId": "111122223333", "type": "AWS::S3::Bucket"}
    made = document(
        cloudtrail_record(
            requestParameters={"userName": "old", "newUserName": "new", "groupName": "admins"}, responseElements=None,
            resources=[resource, resource, {"ARN": "arn:aws:s3:::b/k", "type": "AWS::S3::Object"}],
        )
    )  # fmt: skip
    assert (made["user"]["target"], made["user"]["changes"], made["group"]) == (
        {"name": "old"}, {"name": "new"}, {"name": "admins"},
    )  # fmt: skip
    assert {"old", "new"} < set(made["related"]["user"])
    assert made["aws"]["cloudtrail"]["resources"] == [
        {"arn": "arn:aws:s3:::b", "account_id": "111122223333", "type": "AWS::S3::Bucket"},
        {"arn": "arn:aws:s3:::b/k", "type": "AWS::S3::Object"},
    ]


@pytest.mark.parametrize(
    ("retain", "texts", "objects"),
    [("all", True, True), ("keyword", True, False), ("flattened", False, True), ("minimal", True, False), ("none", False, False)],
)  # fmt: skip
def test_the_integration_keeps_the_forms_that_its_setting_names(retain, texts, objects):
    setup = Integration(Retain(retain), preserve_original_event=True)
    record = cloudtrail_record()
    made = document(record, NOW, setup)
    trail = made["aws"]["cloudtrail"]
    assert ("request_parameters" in trail, "response_elements" in trail) == (texts, texts)
    assert ("flattened" in trail) is objects
    assert json.loads(made["event"]["original"]) == record
    assert "preserve_original_event" in made["tags"]


def test_an_object_whose_text_is_too_long_is_kept_as_text_alone():
    for length, kept in ((FLATTENED_LIMIT - 5, True), (FLATTENED_LIMIT - 4, False)):
        trail = document(cloudtrail_record(requestParameters={"a": "x" * length}))["aws"]["cloudtrail"]
        assert trail["request_parameters"] == "{a=" + "x" * length + "}"
        assert ("request_parameters" in trail["flattened"]) is kept


def test_entities_are_told_when_asked_for():
    entities = document(cloudtrail_record(), NOW, Integration(actor_target_mapping=True))["related"]["entity"]
    assert "arn:aws:iam::111122223333:role/platform-admin" in entities
    assert not any("i-0123456789abcdef0" in entity for entity in entities)


def test_the_alert_is_made_of_the_document_and_tells_the_export():
    (event,) = decode(json.dumps(alert_of(cloudtrail_record(), NOW)).encode()).events
    assert (event.outcome, event.bucket, event.alert_created) == (Outcome.ACCEPTED, "example-drop", NOW)
    source = alert_of(cloudtrail_record(), NOW)["_source"]
    assert source["event.kind"] == "signal"
    assert "kind" not in source["event"]


class TestAccessLogs:
    def test_a_read_is_the_document_that_the_integration_makes(self):
        requester = "arn:aws:iam::111122223333:user/jo"
        made = access_document(LINE.format(requester=requester, status=206), NOW)
        s3 = made["aws"]["s3access"]
        assert made["@timestamp"] == "2026-03-02T10:45:01.000Z"
        assert (s3["bucket"], s3["operation"], s3["key"]) == (
            "example-drop", "REST.GET.OBJECT", "vm/export-i-0fedcba9876543210.ova",
        )  # fmt: skip
        assert (s3["http_status"], s3["bytes_sent"], s3["object_size"], s3["aclrequired"]) == (
            206,
            262144,
            1048576,
            "Yes",
        )
        assert not {"error_code", "version_id", "referrer", "access_point_arn", "time"} & set(s3)
        assert made["event"] == {
            "kind": "event", "category": ["web"], "type": ["access"], "action": "REST.GET.OBJECT", "id": "3E57427F3EXAMPLE",
            "outcome": "success", "duration": 70_000_000, "created": "2026-03-02T10:05:02.000Z",
            "dataset": "aws.s3access", "module": "aws",
        }  # fmt: skip
        assert made["client"] == {"address": "203.0.113.9", "ip": "203.0.113.9", "user": {"id": requester}}
        assert made["related"] == {"user": ["a" * 64], "ip": ["203.0.113.9"]}
        assert made["url"] == {"original": "/example-drop/vm/x.ova?x-id=GetObject", "path": "/example-drop/vm/x.ova", "query": "x-id=GetObject"}  # fmt: skip
        assert (made["http"]["response"]["status_code"], made["tls"]["version"]) == (206, "1.3")

    def test_a_403_without_an_error_code_counts_as_a_success(self):
        assert access_document(LINE.format(requester="-", status=403), NOW)["event"]["outcome"] == "success"

    @pytest.mark.parametrize("session", ["john+x@example.com", "a=b", "a,b"])
    def test_a_session_name_that_the_pattern_does_not_know_leaves_the_raw_line_alone(self, session):
        line = LINE.format(requester=f"arn:aws:sts::111122223333:assumed-role/ops/{session}", status=200)
        made = access_document(line, NOW)
        assert made["event"]["kind"] == "pipeline_error"
        assert made["event"]["original"] == line
        assert made["@timestamp"] == "2026-03-02T10:05:02.000Z"  # that of reading, not that of the access
        assert "aws" not in made


def test_documents_are_those_of_elastics_own_tests():
    """Compares our fields with the expected documents of Elastic's package, in a folder that is not part of this repository."""
    named = os.environ.get(FIXTURES)
    if not named:
        pytest.skip(
            f"{FIXTURES} names no folder with test-*.log and test-*.log-expected.json of Elastic's aws.cloudtrail"
        )
    logs = [
        path
        for path in sorted(Path(named).glob("test-*.log"))
        if "digest" not in path.name and "insight" not in path.name
    ]
    assert logs
    for log in logs:
        expected = json.loads(Path(f"{log}-expected.json").read_text())["expected"]
        lines = log.read_text().splitlines()
        minimal, keyword = "minimal" in log.name, "keyword" in log.name
        setup = Integration(Retain.MINIMAL if minimal else Retain.KEYWORD if keyword else Retain.ALL)
        for line, wanted in zip(lines, expected, strict=False):
            if line.strip():
                assert comparable(document(json.loads(line), NOW, setup)) == comparable(wanted), log.name


def comparable(made):
    """What both tell: without places, programs, what is newer than our facts, and the order of resources."""
    trail = dict(made["aws"]["cloudtrail"])
    trail["resources"] = sorted(json.dumps(r, sort_keys=True) for r in trail.get("resources", []))
    for name in (
        "console_login",
        "insight_details",
        "flattened" if "Default_SSE" in str(trail.get("flattened")) else "",
    ):
        trail.pop(name, None)
    return {
        "@timestamp": made["@timestamp"],
        "event": {n: made["event"].get(n) for n in ("action", "provider", "id", "outcome")},
        "cloud": {"id": made["cloud"].get("account"), "region": made["cloud"].get("region")},
        "user": {n: made.get("user", {}).get(n) for n in ("id", "name", "email")},
        "address": made.get("source", {}).get("address"),
        "ip": made.get("source", {}).get("ip"),
        "agent": made.get("user_agent", {}).get("original"),
        "tls": made.get("tls"),
        "trail": trail,
    }
