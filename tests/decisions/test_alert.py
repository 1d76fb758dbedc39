"""From bytes to exports: every shape, one meaning; and nothing that anybody sends raises or misleads."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.alert import decode
from decisions.export import Outcome
from lab.java_text import java_text
from tests.decisions.test_java_map import HOSTILE
from tests.records_of import cloudtrail_record

ALERTS = Path(__file__).parent.parent / "alerts"
UUID = "7e0c" * 16
EVENT_ID = "5e68a70c-9e8b-49c3-a6c5-63ab2bc2685a"


def load(name):
    return json.loads((ALERTS / f"{name}.json").read_text())


def read(value):
    return decode(value if isinstance(value, bytes) else json.dumps(value).encode())


def one(value):
    decoded = read(value)
    assert decoded.problems == ()
    (event,) = decoded.events
    return event


def nested(**change):
    """The webhook's alert; `change` replaces dotted paths, None removes them."""
    alert = load("nested")
    for path, value in change.items():
        *above, last = path.split(".")
        place = alert
        for name in above:
            place = place.setdefault(name, {})
        place.pop(last, None)
        if value is not None:
            place[last] = value
    return alert


def text_only(request, response=None):
    """An alert of an integration that keeps parameters as text only."""
    return nested(**{
        "aws.cloudtrail.flattened": None, "aws.cloudtrail.request_parameters": request,
        "aws.cloudtrail.response_elements": response,
    })  # fmt: skip


RECORD = cloudtrail_record()
ALERT = load("nested")
TOLD = {
    "event_id": EVENT_ID, "api": "CreateInstanceExportTask", "outcome": Outcome.ACCEPTED,
    "event_time": datetime(2026, 3, 2, 10, 3, 30, tzinfo=UTC), "recipient_account": "111122223333",
    "caller_account": "111122223333", "region": "us-east-1", "access_key_id": "ASIAEXAMPLEEXAMPLE01",
    "principal_arn": "arn:aws:sts::111122223333:assumed-role/platform-admin/jo.contractor@example.com",
    "principal_id": "AROAEXAMPLEEXAMPLE:jo.contractor@example.com", "source_address": "198.51.100.7",
    "user_agent": "aws-cli/2.17.60", "instance_id": "i-0123456789abcdef0", "image_id": None, "bucket": "example-drop",
    "prefix": "vm/", "disk_format": "VMDK", "container_format": "ova", "target_environment": "vmware",
    "task_id": "export-i-0fedcba9876543210", "object_key": "vm/export-i-0fedcba9876543210.ova",
}  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        load("search_hit"),
        load("search_hit")["_source"],
        load("nested"),
        load("fields"),
        load("fields")["fields"],
        load("without_flattened"),
        load("cloudtrail_instance"),
        [load("nested")],
        [[load("search_hit")]],
        {"hits": {"total": {"value": 1}, "hits": [load("search_hit")]}},
        {"schema": "elastic-rule-action/1", "rule_id": "r", "alerts": [load("nested")]},
        {"alerts": load("nested")},
        {"alerts": json.dumps(load("nested"))},
        {"alerts": json.dumps(load("nested")) + ","},
        {"Records": [RECORD]},
        {"Events": [{"EventId": EVENT_ID, "CloudTrailEvent": json.dumps(RECORD)}]},
        {"version": "0", "id": "another", "detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2", "detail": RECORD},
        json.dumps(RECORD, indent=2).encode("utf-8-sig"),
        nested(**{"aws.cloudtrail": None, "event.original": json.dumps(RECORD)}),
    ],
)  # fmt: skip
def test_every_shape_of_one_export_tells_the_same(body):
    event = one(body)
    assert {name: getattr(event, name) for name in TOLD} == TOLD
    assert event.warnings == ()
    assert {"bucket", "instance_id", "event_time", "principal_arn"} <= set(event.sources)


@pytest.mark.parametrize(
    ("name", "source"),
    [("nested", "flattened"), ("without_flattened", "string"), ("cloudtrail_instance", "cloudtrail")],
)
def test_each_field_tells_where_it_was_read(name, source):
    event = one(load(name))
    assert {event.sources[f] for f in ("bucket", "instance_id", "task_id", "object_key")} == {source}
    assert event.sources["user_agent"] == ("cloudtrail" if source == "cloudtrail" else "ecs")


def test_an_alert_keeps_its_own_times_and_rule_apart_from_the_events():
    event = one(load("search_hit"))
    assert event.event_time == datetime(2026, 3, 2, 10, 3, 30, tzinfo=UTC)
    assert event.alert_created == datetime(2026, 3, 2, 10, 7, 12, 345000, tzinfo=UTC)
    assert event.ingested == datetime(2026, 3, 2, 10, 5, 2, tzinfo=UTC)
    assert (event.alert_id, event.alert_rule) == (UUID, "AWS EC2 Export Task")


def test_the_creation_of_an_alert_never_stands_for_the_time_of_its_event():
    decoded = read(nested(**{"kibana.alert.original_time": None, "signal.original_time": None}))
    assert decoded.events == ()
    assert "when the call was made" in decoded.problems[0]
    assert decoded.hints[0].alert_id == UUID, "it can be read again where it came from"


def test_an_event_that_no_rule_made_has_its_time_in_timestamp():
    document = {k: v for k, v in load("nested").items() if k not in {"kibana", "signal"}}
    document = document | {"event": document["event"] | {"kind": "event"}, "@timestamp": "2026-03-02T10:03:30Z"}
    event = one(document)
    assert (event.event_time, event.alert_created, event.alert_id) == (TOLD["event_time"], None, None)


def test_the_account_of_the_caller_is_not_taken_for_that_of_the_instance():
    assert one(nested(**{"cloud.account.id": "444455556666"})).recipient_account == "111122223333"
    event = one(nested(**{"aws.cloudtrail.recipient_account_id": None, "cloud.account.id": "444455556666"}))
    assert (event.recipient_account, event.caller_account) == (None, "444455556666")


def test_the_hit_of_an_alert_without_uuid_is_known_by_its_id():
    hit = load("search_hit")
    del hit["_source"]["kibana.alert.uuid"]
    assert one(hit).alert_id == UUID


def test_a_building_block_is_not_taken_in_and_it_is_said():
    decoded = read([load("building_block"), load("nested")])
    assert len(decoded.events) == 1
    assert "building block of group 91af" in decoded.problems[0]


def test_an_alert_that_only_counts_is_a_problem_with_a_hint_to_read_it_again():
    decoded = read(load("threshold"))
    assert decoded.events == ()
    assert "only counts events" in decoded.problems[0]
    assert (decoded.hints[0].alert_id, decoded.hints[0].rule_id) == (UUID, "deee5856-25ba-438d-ae53-09d66f41b127")


def test_lines_of_json_are_read_one_by_one_and_a_broken_one_is_named():
    decoded = read("\n".join([json.dumps(RECORD), "{broken", "", json.dumps(load("nested"))]).encode())
    assert len(decoded.events) == 2
    assert [p.split(":")[0] for p in decoded.problems] == ["line 2"]


def test_other_calls_in_a_log_file_are_no_problem_unless_there_is_nothing_else():
    other = cloudtrail_record(eventName="RunInstances")
    assert read({"Records": [other, RECORD]}).problems == ()
    assert "none of them of an export" in read({"Records": [other, other]}).problems[0]


def test_an_alert_of_another_call_says_so():
    assert "'RunInstances'" in read(nested(**{"event.action": "RunInstances"})).problems[0]


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"aws.cloudtrail.error_code": "Client.UnauthorizedOperation", "event.outcome": "failure"}, Outcome.DENIED),
        ({"aws.cloudtrail.error_code": "Client.DryRunOperation", "event.outcome": "failure"}, Outcome.DRY_RUN),
        ({"event.outcome": "failure"}, Outcome.FAILED),
        ({"event.outcome": None, "kibana.alert.original_event.outcome": None}, Outcome.ACCEPTED),
        ({"aws.cloudtrail.error_message": "no"}, Outcome.FAILED),
    ],
)
def test_the_outcome_of_an_alert(change, outcome):
    event = one(nested(**change))
    assert event.outcome is outcome
    assert bool(event.warnings) == (set(change) == {"event.outcome"} or change.get("event.outcome", "") is None)


def test_sources_are_believed_in_the_order_flattened_original_text():
    original = cloudtrail_record()
    original["userIdentity"]["sessionContext"]["sourceIdentity"] = "jo"
    event = one(nested(**{"aws.cloudtrail.flattened.response_elements": None, "event.original": json.dumps(original)}))
    assert (event.sources["bucket"], event.sources["task_id"]) == ("flattened", "event.original")
    assert event.source_identity == "jo"


def test_two_trustworthy_sources_that_disagree_leave_nothing_and_say_so():
    original = cloudtrail_record()
    original["requestParameters"]["exportToS3"]["s3Bucket"] = "another-bucket"
    event = one(nested(**{"event.original": json.dumps(original)}))
    assert event.bucket is None
    assert any("bucket" in warning for warning in event.warnings)


def test_a_forged_text_never_outweighs_the_object():
    forged = "{instanceId=i-00000000, exportToS3={s3Bucket=innocent}}"
    event = one(nested(**{"aws.cloudtrail.request_parameters": forged}))
    assert (event.bucket, event.instance_id) == ("example-drop", "i-0123456789abcdef0")
    assert any("can be forged" in warning for warning in event.warnings)


@pytest.mark.parametrize(
    "original",
    [
        "{",
        "[]",
        "null",
        '"x"',
        json.dumps(cloudtrail_record(event_id="another")),
        json.dumps(cloudtrail_record(eventName="ExportImage")),
        "[" * 9999,
    ],
)
def test_an_original_that_cannot_be_that_of_the_event_is_not_read(original):
    event = one(nested(**{"event.original": original}))
    assert (event.event_id, event.bucket) == (EVENT_ID, "example-drop")
    assert any("event.original" in warning and "not read" in warning for warning in event.warnings)


def test_a_time_that_differs_in_the_record_does_not_lose_the_export():
    event = one(nested(**{"event.original": json.dumps(cloudtrail_record(eventTime="2026-03-02T10:03:31Z"))}))
    assert event.event_time == TOLD["event_time"]


@settings(deadline=None)
@given(description=HOSTILE, prefix=HOSTILE)
def test_whatever_a_caller_writes_into_an_alert_of_text_the_bucket_is_right_or_absent(description, prefix):
    request = {
        "instanceId": "i-0123456789abcdef0",
        "description": description,
        "exportToS3": {"s3Prefix": prefix, "s3Bucket": "real-bucket"},
    }
    response = {
        "exportTask": {
            "description": description, "exportTaskId": "export-i-0fedcba9876543210",
            "exportToS3": {"s3Key": f"{prefix}export-i-0fedcba9876543210.ova", "s3Bucket": "real-bucket"},
        }
    }  # fmt: skip
    (event,) = read(text_only(java_text(request), java_text(response))).events
    assert event.bucket in {None, "real-bucket"}
    assert event.instance_id in {None, "i-0123456789abcdef0"}
    assert event.task_id in {None, "export-i-0fedcba9876543210"}


def test_an_ambiguous_text_is_refused_with_the_reason():
    event = one(
        text_only(
            "{description=ok, s3Bucket=innocent, exportToS3={s3Bucket=example-drop}, instanceId=i-0123456789abcdef0}"
        )
    )
    assert event.bucket is None
    assert any("more than once" in warning for warning in event.warnings)


# ---- one document, keyed in many ways


@st.composite
def rekeyed(draw, value, lists):
    """The same document with names joined by dots at random, and every scalar in a list if `lists`."""
    if not isinstance(value, dict):
        return [value] if lists and not isinstance(value, list) else value
    found = {}
    for name, inner in value.items():
        new = draw(rekeyed(inner, lists))
        if isinstance(new, dict) and draw(st.booleans()):
            found |= {f"{name}.{below}": deep for below, deep in new.items()}
        else:
            found[name] = new
    return found


@settings(max_examples=60, deadline=None)
@given(st.data(), st.booleans(), st.booleans())
def test_nested_dotted_mixed_and_fields_forms_of_one_document_decode_alike(data, lists, hit):
    document = data.draw(rekeyed(load("nested"), lists))
    body = {"_id": UUID, "_index": "i", "fields" if lists else "_source": document} if hit else document
    assert one(body) == one(load("nested"))


def test_two_keyings_that_contradict_each_other_leave_nothing():
    alert = load("nested") | {"cloud.region": "eu-west-1"}
    event = one(alert)
    assert event.region is None
    assert any("region" in warning for warning in event.warnings)
