"""Which records are reads of the image, and which of them came from outside; nobody is inside without a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from decisions.activity import LogRecord
from decisions.exposure import object_reads
from decisions.hunt import finding_of
from tests.decisions.plans import organization

NOW = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
OURS = organization().model_copy(update={"networks": ("192.0.2.0/24", "2001:db8::/32")})
STRANGER = "210987654321"
SESSION = "arn:aws:sts::111122223333:assumed-role/admin/jo@example.com"
OWNER, OTHER = "a" * 64, "b" * 64


def event(name="GetObject", **change):
    """A data event of CloudTrail: our session from our network, unless told otherwise."""
    given = {
        "event_id": "e-1", "time": NOW, "event_name": name, "event_source": "s3.amazonaws.com", "origin": "test",
        "principal_type": "AssumedRole", "principal_arn": SESSION, "caller_account": "111122223333",
        "source_address": "192.0.2.7", "additional": {"bytesTransferredOut": 1024.0}, "category": "Data",
    }  # fmt: skip
    return LogRecord(**(given | change))


def line(requester=None, operation="REST.GET.OBJECT", status=200, **change):
    """A line of an access log."""
    arn = requester if (requester or "").startswith("arn:") else None
    fields = {"http_status": status, "bytes_sent": 512, "bucket_owner": OWNER}
    given = {
        "event_name": operation, "category": "access-log", "additional": fields, "principal_arn": arn,
        "principal_id": None if arn else requester, "principal_type": None if requester else "Anonymous",
        "caller_account": arn.split(":")[4] if arn else None,
    }  # fmt: skip
    return event(**(given | change))


def judged(record, ours=OURS):
    (read,) = object_reads([record], ours)
    return read.outside


@pytest.mark.parametrize(
    ("record", "outside"),
    [
        (event(caller_account=STRANGER), True),
        (event(caller_account=STRANGER, invoked_by="athena.amazonaws.com"), True),
        (event(caller_account="444455556666"), False),
        (event(caller_account=OURS.management_account), False),
        (event(principal_type="AWSAccount", caller_account="ANONYMOUS_PRINCIPAL", principal_arn=None), True),
        (event(principal_type="AWSAccount", caller_account="anonymous", principal_arn=None), True),
        (event(caller_account=None), None),
        (line(), True), (line(OWNER), False), (line(OTHER), None), (line(SESSION), False),
        (line(SESSION.replace("111122223333", STRANGER)), True),
        (line("svc:delivery.logs.amazonaws.com"), None), (line("AmazonS3"), None),
        (line("arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"), None),
        (event(principal_type="AWSService", caller_account=None, principal_arn=None, invoked_by="s3.amazonaws.com"), None),
        (event(invoked_by="replication.s3.amazonaws.com"), None),
        (event(source_address="198.51.100.7"), True), (event(source_address="2001:db8::9"), False),
        (event(source_address="2001:db9::9"), True), (event(source_address="10.0.0.9"), None),
        (event(source_address="169.254.1.1"), None), (event(source_address="127.0.0.1"), None),
        (event(source_address="AWS Internal"), None), (event(source_address=None), None),
        (event(source_address="10.0.0.9", vpc_endpoint_id="vpce-1", vpc_endpoint_account="111122223333"), False),
        (event(source_address="10.0.0.9", vpc_endpoint_id="vpce-1", vpc_endpoint_account=STRANGER), True),
        (event(source_address="10.0.0.9", vpc_endpoint_id="vpce-1"), None),
    ],
)  # fmt: skip
def test_a_read_is_judged_by_account_service_endpoint_and_address(record, outside):
    assert judged(record) is outside


def test_a_private_address_is_of_nobody_even_where_we_use_the_same_range():
    ours = OURS.model_copy(update={"networks": ("10.0.0.0/8",)})
    assert judged(event(source_address="10.0.0.9"), ours) is None


def test_without_networks_no_address_is_inside_and_none_is_outside():
    ours = OURS.model_copy(update={"networks": ()})
    assert judged(event(), ours) is None
    assert judged(event(caller_account=STRANGER), ours) is True


@pytest.mark.parametrize(
    "record",
    [
        event("HeadObject"), event("GetObjectAttributes"), event("RestoreObject"), event("PutObject"), event("ListObjects"),
        event(error_code="AccessDenied"), line(operation="REST.HEAD.OBJECT"), line(operation="REST.COPY.OBJECT"),
        line(status=403, error_code="AccessDenied"), line(status=304), line(status=404), line(operation="REST.PUT.OBJECT"),
    ],
)  # fmt: skip
def test_what_carries_nothing_away_is_no_read(record):
    assert object_reads([record], OURS) == ()


@pytest.mark.parametrize(
    "record",
    [
        event(), event("CopyObject"), event("UploadPartCopy"), event("SelectObjectContent"), event("CreateRestoreImageTask"),
        line(status=206), line(operation="REST.COPY.OBJECT_GET"), line(operation="REST.COPY.PART_GET"),
        line(operation="WEBSITE.GET.OBJECT"), line(status=None),
    ],
)  # fmt: skip
def test_whatever_carries_the_image_away_is_a_read(record):
    assert len(object_reads([record], OURS)) == 1


def test_a_copy_onto_the_image_is_a_write_where_the_image_lies_and_a_read_where_it_comes_from():
    copied = event(
        "CopyObject", request_parameters={"x-amz-copy-source": "/example-drop/vm/a.ova", "bucketName": "elsewhere"}
    )
    assert len(object_reads([copied], OURS, "example-drop")) == 1
    assert object_reads([copied], OURS, "elsewhere") == ()
    assert len(object_reads([copied], OURS)) == 1


RESPONDER = "arn:aws:sts::777788889999:assumed-role/vmexport-forensics/VMX-20260302-ABCD"


@pytest.mark.parametrize(
    "record",
    [
        event(principal_arn=RESPONDER, caller_account="777788889999"),
        event(issuer_arn="arn:aws:iam::777788889999:role/team/vmexport-forensics", principal_arn=None),
        line(RESPONDER),
    ],
)
def test_our_own_forensic_copy_is_not_among_the_reads(record):
    assert object_reads([record], OURS) == ()


@pytest.mark.parametrize(
    "arn",
    [
        RESPONDER.replace("777788889999", STRANGER),
        RESPONDER.replace("vmexport-forensics", "vmexport-forensics-2"),
        RESPONDER.replace("vmexport-forensics/VMX", "other/vmexport-forensics"),
    ],
)
def test_whoever_only_calls_themselves_like_our_responders_is_among_them(arn):
    assert len(object_reads([event(principal_arn=arn, caller_account=arn.split(":")[4])], OURS)) == 1


COPIER = {
    "principal_type": "AWSAccount", "principal_arn": None, "caller_account": OURS.forensics_account,
    "principal_id": f"AROAEXAMPLEEXAMPLE:{OURS.forensics_role}-VMX-20260302-ABCD", "source_address": "203.0.113.9",
}  # fmt: skip


def test_the_bucket_owners_record_of_our_copier_is_no_read_of_somebody_else():
    assert object_reads([event("CopyObject", **COPIER)], OURS) == ()


@pytest.mark.parametrize("change", [{"caller_account": STRANGER}, {"principal_id": "AROAEXAMPLEEXAMPLE:jo"}])
def test_another_account_or_another_session_is_not_our_copier(change):
    assert judged(event("CopyObject", **(COPIER | change))) is True


def test_reads_are_told_once_each_and_oldest_first():
    late, early = event(event_id="e-2", time=NOW + timedelta(minutes=1)), event()
    assert [r.event_id for r in object_reads([late, early, late], OURS)] == ["e-1", "e-2"]


def test_a_read_tells_who_from_where_how_much_and_why_it_is_judged_so():
    (read,) = object_reads([event(source_address="198.51.100.7", user_agent="aws-cli/2")], OURS)
    assert read.who == f"{SESSION} from 198.51.100.7"
    assert read.why == "198.51.100.7 is none of our networks: with credentials of ours, from outside."
    assert (read.bytes_sent, read.status, read.user_agent, read.operation) == (1024, None, "aws-cli/2", "GetObject")
    (read,) = object_reads([line(status=206)], OURS)
    assert read.who == "somebody without credentials from 192.0.2.7"
    assert (read.bytes_sent, read.status) == (512, 206)


@pytest.mark.parametrize("sent", [None, "many", -1, float("nan"), float("inf"), True])
def test_a_size_that_is_not_told_is_unknown_and_not_zero(sent):
    (read,) = object_reads([event(additional={"bytesTransferredOut": sent})], OURS)
    assert read.bytes_sent is None


@pytest.mark.parametrize(
    ("record", "who"),
    [
        (event(principal_type="AWSAccount", caller_account="anonymous", principal_arn=None), "somebody without credentials"),
        (event(principal_arn=None, principal_id="AIDAEXAMPLE:x", caller_account=STRANGER), f"AIDAEXAMPLE:x of account {STRANGER}"),
        (event(principal_arn=None, caller_account=STRANGER), f"account {STRANGER}"),
        (event(principal_arn=None, principal_id="AIDAEXAMPLE", recipient_account="111122223333"), "AIDAEXAMPLE"),
        (event(principal_arn=None, caller_account=None, invoked_by="athena.amazonaws.com"), "athena.amazonaws.com"),
        (event(principal_arn=None, caller_account=None), None),
    ],
)  # fmt: skip
def test_a_hunt_names_whoever_read_as_exactly_as_the_log_does(record, who):
    assert finding_of("h", "download", "read", "high", record).caller == who
