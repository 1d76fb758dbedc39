"""CloudTrail records: both styles of EC2 read alike, outcomes by their error codes, refused values named."""

import pytest

from decisions.cloudtrail import export_event, parse_record
from decisions.export import Outcome
from decisions.parameters import normalise
from tests.records_of import cloudtrail_record

IMAGE = "ami-0a1b2c3d4e5f60718"


def decoded(**change):
    event = export_event(parse_record(cloudtrail_record(**change), "a file"))
    assert event is not None
    return event


def of_image(request, response=None, wrapped=True):
    if wrapped:
        request = {"ExportImageRequest": request}
        response = {"ExportImageResponse": response} if response else None
    return decoded(eventName="ExportImage", requestParameters=request, responseElements=response)


def of_store(bucket, key=None):
    request = {"CreateStoreImageTaskRequest": {"ImageId": IMAGE, "Bucket": bucket}}
    response = {"CreateStoreImageTaskResponse": {"objectKey": key}}
    return decoded(eventName="CreateStoreImageTask", requestParameters=request, responseElements=response)


def test_an_export_of_an_instance_is_read_from_request_and_response():
    event = decoded()
    assert (event.api, event.outcome) == ("CreateInstanceExportTask", Outcome.ACCEPTED)
    assert (event.instance_id, event.bucket, event.prefix) == ("i-0123456789abcdef0", "example-drop", "vm/")
    assert (event.disk_format, event.container_format, event.target_environment) == ("VMDK", "ova", "vmware")
    assert event.object_key == "vm/export-i-0fedcba9876543210.ova"
    assert event.key_prefix == "vm/export-i-0fedcba9876543210"
    assert event.issuer_arn == "arn:aws:iam::111122223333:role/platform-admin"
    assert event.sources["bucket"] == "cloudtrail"
    assert event.warnings == ()


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("bucket", ["S3Bucket", "s3Bucket", "s3bucket", "S3bucket"])
def test_an_export_of_an_image_is_read_whatever_the_style_and_the_spelling(wrapped, bucket):
    request = {
        "ImageId": IMAGE,
        "DiskImageFormat": "vhd",
        "S3ExportLocation": {bucket: "example-drop", "S3Prefix": "i/"},
    }
    event = of_image(request, {"exportImageTaskId": "export-ami-0fedcba9876543210"}, wrapped)
    assert (event.image_id, event.bucket, event.prefix, event.disk_format) == (IMAGE, "example-drop", "i/", "VHD")
    assert event.task_id == "export-ami-0fedcba9876543210"
    assert event.object_key is None, "EC2 does not answer with a key"


@pytest.mark.parametrize(
    ("bucket", "prefix"),
    [
        ("example-drop", None),
        ("example-drop/", None),
        ("example-drop/a", "a/"),
        ("example-drop/a/b/", "a/b/"),
    ],
)
def test_the_bucket_of_a_store_task_may_hold_a_path(bucket, prefix):
    key = f"{prefix or ''}{IMAGE}.bin"
    event = of_store(bucket, key)
    assert (event.bucket, event.prefix, event.object_key, event.task_id) == ("example-drop", prefix, key, None)
    assert key.startswith(event.key_prefix)


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (None, Outcome.ACCEPTED),
        ("Client.UnauthorizedOperation", Outcome.DENIED),
        ("UnauthorizedOperation", Outcome.DENIED),
        ("AccessDenied", Outcome.DENIED),
        ("Client.AuthFailure", Outcome.DENIED),
        ("Client.NotExportable", Outcome.NOT_EXPORTABLE),
        ("Client.UnsupportedOperation", Outcome.NOT_EXPORTABLE),
        ("Client.DryRunOperation", Outcome.DRY_RUN),
        ("Client.InvalidParameter", Outcome.FAILED),
        ("Server.InternalError", Outcome.FAILED),
    ],
)
def test_the_outcome_follows_from_the_error_code(code, outcome):
    event = decoded(errorCode=code, responseElements=None)
    assert (event.outcome, event.error_code) == (outcome, code)


def test_an_error_message_without_a_code_is_no_acceptance():
    assert decoded(errorMessage="something broke", responseElements=None).outcome is Outcome.FAILED


@pytest.mark.parametrize(
    "bucket",
    [
        "Example",
        "a",
        "a..b",
        "x" * 64,
        "evil\n",
        "../../etc",
        "b\x1b[31m",
        "bücket",
        "arn:aws:s3:::b",
        12345,
        1.5,
        True,
        ["a-b", "c-d"],
    ],
)
def test_what_cannot_be_a_bucket_is_refused_and_said(bucket):
    event = of_image({"ImageId": IMAGE, "S3ExportLocation": {"S3Bucket": bucket}})
    assert event.bucket is None
    assert "bucket" not in event.sources
    assert any("bucket" in warning for warning in event.warnings)


def test_a_bucket_outside_its_own_structure_is_never_taken():
    event = decoded(
        requestParameters={"instanceId": "i-0123456789abcdef0", "s3Bucket": "innocent"}, responseElements=None
    )
    assert event.bucket is None


def test_a_request_and_an_answer_that_name_different_buckets_leave_none():
    record = cloudtrail_record()
    record["responseElements"]["exportTask"]["exportToS3"]["s3Bucket"] = "another-one"
    event = export_event(parse_record(record, "a file"))
    assert event.bucket is None
    assert any("different values for the bucket" in warning for warning in event.warnings)


def test_a_name_in_two_spellings_with_two_values_leaves_none():
    event = of_image({"ImageId": IMAGE, "S3ExportLocation": {"S3Bucket": "one-bucket", "s3Bucket": "other-bucket"}})
    assert event.bucket is None
    assert event.warnings


def test_an_object_key_that_does_not_hold_its_task_is_refused():
    record = cloudtrail_record()
    record["responseElements"]["exportTask"]["exportToS3"]["s3Key"] = "vm/something-else.ova"
    event = export_event(parse_record(record, "a file"))
    assert event.object_key is None
    assert event.warnings


def test_parameters_that_cloudtrail_left_out_are_said():
    event = decoded(requestParameters={"omitted": True, "reason": "requestParameters too large"}, responseElements=None)
    assert any("too large" in warning for warning in event.warnings)


@pytest.mark.parametrize(
    ("change", "event"),
    [({"eventName": "RunInstances"}, None), ({"eventSource": "imagebuilder.amazonaws.com"}, None)],
)
def test_other_calls_are_no_export(change, event):
    assert export_event(parse_record(cloudtrail_record(**change), "a file")) is event


@pytest.mark.parametrize(
    "change",
    [{"eventTime": None}, {"eventTime": "yesterday"}, {"eventTime": "0001-01-01T00:00:00+14:00"}, {"eventName": 1}],
)
def test_what_is_no_record_is_refused(change):
    with pytest.raises(ValueError, match="no CloudTrail record"):
        parse_record(cloudtrail_record(**change), "a file")


def test_a_record_keeps_what_later_questions_need_and_no_session_token():
    credentials = {"accessKeyId": "ASIAEXAMPLEEXAMPLE02", "sessionToken": "secret", "expiration": "later"}
    record = parse_record(
        cloudtrail_record(
            eventName="AssumeRole", eventSource="sts.amazonaws.com", responseElements={"credentials": credentials},
            resources=[{"ARN": "arn:aws:iam::111122223333:role/r"}, "odd"], sharedEventID="s-1", readOnly="true",
            managementEvent=False, eventCategory="Data",
        ),
        "trail.json.gz",
    )  # fmt: skip
    assert record.response_elements["credentials"] == {"accessKeyId": "ASIAEXAMPLEEXAMPLE02", "expiration": "later"}
    assert record.resources == ("arn:aws:iam::111122223333:role/r",)
    assert (record.shared_event_id, record.read_only, record.category) == ("s-1", True, "Data")
    assert record.origin == "trail.json.gz"


def test_a_record_without_an_event_id_is_named_by_its_content():
    first, again = (parse_record(cloudtrail_record(event_id=None), "a file") for _ in range(2))
    other = parse_record(cloudtrail_record(event_id=None, awsRegion="eu-west-1"), "a file")
    assert first.event_id == again.event_id != other.event_id
    assert first.event_id.startswith("sha256:")


def test_both_styles_of_sharing_a_snapshot_normalise_alike():
    a = {"createVolumePermission": {"add": {"items": [{"userId": "444455556666"}]}}}
    b = {
        "ModifySnapshotAttributeRequest": {
            "CreateVolumePermission": {"Add": {"item": {"UserId": "444455556666"}}}, "ResourceId": {"tag": 1, "content": "vpc-1"},
        }
    }  # fmt: skip
    assert normalise(a)["createVolumePermission"] == normalise(b)["createVolumePermission"]
    assert normalise(b)["resourceId"] == "vpc-1"
