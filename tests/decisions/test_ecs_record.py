"""An event in Elasticsearch reads as the record in CloudTrail's file, whatever the integration kept of it."""

from __future__ import annotations

import json
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.cloudtrail import parse_record
from decisions.ecs_record import read_hit
from tests.ecs_of import ecs_document, java_text
from tests.records_of import cloudtrail_record

SAML = {
    "type": "SAMLUser",
    "principalId": "idp:jo.contractor@example.com",
    "userName": "jo.contractor@example.com",
    "identityProvider": "idp",
}
ROLE_CALL = {
    "eventName": "AssumeRole",
    "eventSource": "sts.amazonaws.com",
    "userIdentity": {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLEEXAMPLE",
        "arn": "arn:aws:iam::111122223333:user/jo",
        "accountId": "111122223333",
        "accessKeyId": "AKIAEXAMPLEEXAMPLE01",
        "userName": "jo",
    },
    "requestParameters": {"roleArn": "arn:aws:iam::444455556666:role/other", "roleSessionName": "jo", "n": 3600},
    "responseElements": {"credentials": {"accessKeyId": "ASIAEXAMPLEEXAMPLE02", "sessionToken": "secret"}},
    "recipientAccountId": "444455556666",
    "resources": [{"ARN": f"arn:aws:iam::444455556666:role/r{n}", "accountId": "444455556666"} for n in range(12)],
    "readOnly": True,
}
REFUSED = {"errorCode": "Client.UnauthorizedOperation", "errorMessage": "You may not.", "responseElements": None}
READ = {
    "eventName": "GetObject",
    "eventSource": "s3.amazonaws.com",
    "requestParameters": {"bucketName": "example-drop", "key": "vm/a, b=c.ova", "x.y": "dots"},
    "responseElements": None,
    "additionalEventData": {"bytesTransferredOut": 12},
    "managementEvent": False,
    "eventCategory": "Data",
    "userIdentity": {"type": "AWSAccount", "principalId": "", "accountId": "anonymous"},
}
SERVICE = {"userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}}
EVENTS = [cloudtrail_record(**change) for change in ({}, ROLE_CALL, REFUSED, READ, SERVICE, {"userIdentity": SAML})]


def hit(document):
    return {"_index": ".ds-logs-aws.cloudtrail-default-2026.03.02-000001", "_id": "abc", "_source": document}


def from_file(record):
    return parse_record(record, ".ds-logs-aws.cloudtrail-default-2026.03.02-000001/abc")


@pytest.mark.parametrize("kept", ["original", "flattened"])
@pytest.mark.parametrize("record", EVENTS, ids=lambda r: r["eventName"])
def test_it_equals_the_record_of_the_file(record, kept):
    read = read_hit(hit(ecs_document(record, original=kept == "original")))
    assert read.left_out == ()
    assert read.record == from_file(record)


def dotted(value, path=""):
    if isinstance(value, dict) and not (path.startswith("aws.cloudtrail.flattened.") and path.count(".") > 3):
        return {n: v for name, inner in value.items() for n, v in dotted(inner, f"{path}{name}.").items()}
    return {path[:-1]: value}


def in_lists(document):
    return {name: value if isinstance(value, list) else [value] for name, value in dotted(document).items()}


@pytest.mark.parametrize("record", EVENTS, ids=lambda r: r["eventName"])
def test_dotted_names_and_lists_read_alike(record):
    document = ecs_document(record, original=False)
    document["aws"]["cloudtrail"].get("resources", []).clear()
    nested = read_hit(hit(document)).record
    assert read_hit(hit(dotted(document))).record == nested
    mixed = {"aws": document["aws"], **{n: v for n, v in dotted(document).items() if not n.startswith("aws.")}}
    assert read_hit(hit(mixed)).record == nested


def test_fields_of_a_search_read_like_its_source():
    document = ecs_document(EVENTS[0], original=False)
    found = read_hit({"_index": "i", "_id": "1", "fields": in_lists(document)}).record
    assert found.principal_arn == EVENTS[0]["userIdentity"]["arn"]
    assert found.user_name is None


def test_the_text_of_parameters_is_read_where_no_object_was_kept():
    document = ecs_document(EVENTS[0], original=False, flattened=False)
    read = read_hit(hit(document))
    assert read.record.request_parameters == EVENTS[0]["requestParameters"]
    assert read.left_out == ()


def test_a_text_with_two_readings_is_left_out_and_said():
    # The caller's description reads like a field; whichever bucket is the true one, it is not guessed.
    asked = EVENTS[0]["requestParameters"] | {"description": "x, s3Bucket=innocent"}
    read = read_hit(hit(ecs_document(cloudtrail_record(requestParameters=asked), original=False, flattened=False)))
    assert read.left_out == ("requestParameters",)
    assert read.record.request_parameters == {}
    assert read.record.response_elements["exportTask"]["exportTaskId"]


@pytest.mark.parametrize("original", ["{", '{"eventID": 1}', "[]", "", json.dumps(cloudtrail_record("another-event"))])
def test_an_original_that_is_not_of_this_event_is_not_believed(original):
    document = ecs_document(EVENTS[0], original=False)
    document["event"]["original"] = original
    assert read_hit(hit(document)).record == from_file(EVENTS[0])


def test_a_session_is_not_given_the_name_of_its_role():
    document = ecs_document(EVENTS[0], original=False)
    assert document["user"]["name"] == "platform-admin"
    assert read_hit(hit(document)).record.user_name is None


def test_a_service_that_calls_has_no_account_of_its_own():
    document = ecs_document(cloudtrail_record(**SERVICE), original=False)
    assert document["cloud"]["account"]["id"] == "111122223333"
    assert read_hit(hit(document)).record.caller_account is None


@pytest.mark.parametrize("kept", ["original", "flattened", "text"])
def test_no_session_token_is_kept(kept):
    record = cloudtrail_record(**ROLE_CALL)
    read = read_hit(hit(ecs_document(record, original=kept == "original", flattened=kept != "text")))
    assert "secret" not in read.record.model_dump_json()
    assert read.record.response_elements["credentials"]["accessKeyId"] == "ASIAEXAMPLEEXAMPLE02"


@pytest.mark.parametrize("document", [{}, {"event": {"action": "x"}}, {"event": {"original": "x"}, "message": "y"}])
def test_what_is_no_event_of_cloudtrail_is_refused(document):
    with pytest.raises(ValueError, match="CloudTrail record"):
        read_hit(hit(document))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(dotted(ecs_document(EVENTS[0])))), JSON)
def test_a_strange_field_never_breaks_the_reader(path, strange):
    document = deepcopy(ecs_document(EVENTS[0]))
    *above, last = path.split(".")
    place = document
    for name in above:
        place = place[name]
    place[last] = strange
    try:
        read = read_hit(hit(document))
    except ValueError:
        return
    assert read.record.event_name


def test_java_text_is_what_the_integration_writes():
    assert java_text({"a": [1, {"b": True}], "c": "x"}) == "{a=[1, {b=true}], c=x}"
