"""Lines of S3 access logs, quirks and hostile ones included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tasks.logs.access_logs import AccessLogFiles, NotALine, parse_line, to_record
from tasks.logs.interface import ObjectPlace, Scope

OWNER = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
URI = "GET /example-drop/vm/export-i-1.ova HTTP/1.1"
TAIL = "- Yd8hOeAfq7B= SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader example-drop.s3.amazonaws.com TLSv1.2 - - us-east-1"


def line(requester="arn:aws:iam::111122223333:user/jo", key="vm/export-i-1.ova", uri=f'"{URI}"', status="200 - 1048576 1048576 70 69",
         referer='"-"', agent='"aws-cli/2"', tail=TAIL, operation="REST.GET.OBJECT"):  # fmt: skip
    return (
        f"{OWNER} example-drop [02/Mar/2026:10:12:13 +0000] 203.0.113.9 {requester} 3E57427F3EXAMPLE {operation} {key} "
        f"{uri} {status} {referer} {agent} {tail}"
    )


def test_every_field_is_read():
    fields = parse_line(line())
    assert (fields["bucket"], fields["operation"], fields["http_status"]) == ("example-drop", "REST.GET.OBJECT", 200)
    assert (fields["bytes_sent"], fields["object_size"], fields["remote_ip"]) == (1048576, 1048576, "203.0.113.9")
    assert fields["time"] == datetime(2026, 3, 2, 10, 12, 13, tzinfo=UTC)
    assert (fields["user_agent"], fields["referrer"], fields["error_code"]) == ("aws-cli/2", None, None)
    assert (fields["host_header"], fields["source_region"]) == ("example-drop.s3.amazonaws.com", "us-east-1")


@pytest.mark.parametrize("agent", [
    '"a" 404 NoSuchKey 0 0 1 1 "x" "y', 'curl/8 "quoted" text', '" - - - - - - - -', "", 'ends with a quote"',
])  # fmt: skip
def test_quotes_in_the_user_agent_change_no_other_field(agent):
    fields = parse_line(line(agent=f'"{agent}"'))
    assert (fields["http_status"], fields["bytes_sent"], fields["error_code"]) == (200, 1048576, None)
    assert (fields["host_header"], fields["version_id"]) == ("example-drop.s3.amazonaws.com", None)


def test_quotes_in_the_request_uri_change_no_other_field():
    uri = 'GET /example-drop/vm/export-i-1.ova?x-id="200"&y="%20-%20 HTTP/1.1'
    fields = parse_line(line(uri=f'"{uri}"', status="403 AccessDenied 243 - 7 -"))
    assert (fields["http_status"], fields["error_code"], fields["object_size"]) == (403, "AccessDenied", None)
    assert fields["request_uri"] == uri


@pytest.mark.parametrize("requester", [
    "-", OWNER, "svc:delivery.logs.amazonaws.com", "AmazonS3",
    "arn:aws:sts::111122223333:assumed-role/ops/jo+x=y,z@example.com",
])  # fmt: skip
def test_every_kind_of_requester_is_read(requester):
    record = to_record(parse_line(line(requester=requester)), "x")
    named = record.principal_arn or record.principal_id
    assert named == (None if requester == "-" else requester)
    assert (record.principal_type == "Anonymous") == (requester == "-")


def test_a_line_of_a_lifecycle_rule_has_no_request():
    text = f"{OWNER} example-drop [02/Mar/2026:10:12:13 +0000] - AmazonS3 3E57 S3.EXPIRE.OBJECT vm/a - - - - - - - - - - - - - - - - -"
    assert parse_line(text)["operation"] == "S3.EXPIRE.OBJECT"


def test_an_old_line_and_a_line_of_the_future_are_read():
    assert parse_line(line(tail="-"))["version_id"] is None
    assert parse_line(line(tail=f"{TAIL} new newer"))["source_region"] == "us-east-1"


def test_an_encoded_key_is_decoded():
    record = to_record(parse_line(line(key="vm/a%2Bb%20c.ova")), "x")
    assert record.request_parameters["key"] == "vm/a+b c.ova"


@pytest.mark.parametrize("text", [
    "", "x", line()[:120], line().replace("[02/Mar/2026:10:12:13 +0000]", "[yesterday]"),
    line().replace("02/Mar/2026:10:12:13 +0000", "01/Jan/0001:00:00:00 +1200"), line(status=f"200 - {'9' * 5000} 1 1 1"),
])  # fmt: skip
def test_what_is_no_line_is_refused(text):
    with pytest.raises(NotALine):
        parse_line(text)


def test_a_read_is_found_and_a_broken_line_is_a_gap(tmp_path):
    target = tmp_path / "example-logs" / "drop" / "2026-03-02-10-20-00-0123456789ABCDEF"
    target.parent.mkdir(parents=True)
    target.write_text(
        "\n".join([line(), "broken example-drop", line(key="other"), line(operation="REST.PUT.OBJECT")]) + "\n"
    )
    at = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
    scope = Scope(accounts=(), regions=(), since=at - timedelta(hours=1), until=at + timedelta(hours=1))
    found = AccessLogFiles(tmp_path, 1_000_000, 100).object_reads(
        ObjectPlace(bucket="example-drop", key="vm/export-i-1.ova"), scope
    )
    assert [(r.event_name, r.source_address) for r in found.records] == [("REST.GET.OBJECT", "203.0.113.9")]
    assert any("1 line(s)" in gap for gap in found.coverage.gaps)
    assert any("best effort" in gap for gap in found.coverage.gaps)
