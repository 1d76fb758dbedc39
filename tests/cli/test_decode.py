"""`vmexport decode`: one object a line for machines, a page for people, and an exit code that tells which it was."""

import gzip
import json
from functools import partial
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.decode import decode
from decisions.alert import MAX_BYTES
from tests.decisions.alert_parts import alert, encoded, hit, record, sns
from tests.decisions.variants import RULE, UUID, variant
from tests.records_of import cloudtrail_record

zipped = partial(gzip.compress, mtime=0)
"""The same bytes in every process that collects these tests."""

ALERTS = Path(__file__).parent.parent / "alerts"
FIELDS = [
    "event_id",
    "api",
    "outcome",
    "event_time",
    "recipient_account",
    "caller_account",
    "region",
    "principal_arn",
    "principal_id",
    "access_key_id",
    "source_address",
    "user_agent",
    "instance_id",
    "image_id",
    "bucket",
    "prefix",
    "disk_format",
    "container_format",
    "target_environment",
    "task_id",
    "object_key",
    "sources",
]

app = typer.Typer()
app.command()(decode)


def run(*arguments, given=None):
    return CliRunner().invoke(app, [str(a) for a in arguments], input=given)


def test_json_is_one_object_a_line_with_exactly_the_promised_fields():
    records = [cloudtrail_record(event_id=f"event-{n}") for n in range(3)]
    result = run("-", "--json", given=json.dumps({"Records": records}))
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert [line["event_id"] for line in lines] == ["event-0", "event-1", "event-2"]
    assert [list(line) for line in lines] == [FIELDS] * 3
    assert lines[0]["event_time"] == "2026-03-02T10:03:30Z"
    assert lines[0]["image_id"] is None
    assert lines[0]["sources"]["bucket"] == "cloudtrail"


def test_a_page_names_each_field_and_where_it_was_read():
    result = run(ALERTS / "search_hit.json")
    assert result.exit_code == 0
    assert "CreateInstanceExportTask accepted" in result.stdout
    assert any(line.split() == ["bucket", "example-drop", "(flattened)"] for line in result.stdout.splitlines())
    assert "not told: image_id" in result.stdout


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_what_a_sender_wrote_cannot_steer_the_terminal(form, tmp_path):
    alert = tmp_path / "alert.json"
    alert.write_text(json.dumps(cloudtrail_record(userAgent="\x1b]0;owned\x07\u202e\r\n  bucket  fake")))
    result = run(alert, *form)
    assert result.exit_code == 0
    shown = [c for c in result.stdout if not c.isprintable()]
    assert set(shown) == {"\n"}
    assert len([line for line in result.stdout.splitlines() if line.strip().startswith("bucket")]) == (0 if form else 1)


def test_a_problem_is_named_on_stderr_and_the_rest_is_decoded(tmp_path):
    body = tmp_path / "alerts.ndjson"
    body.write_text(json.dumps(cloudtrail_record()) + "\n{\x1b[31m\n")
    result = run(body, "--json")
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 1
    assert "line 2" in result.stderr
    assert "\x1b" not in result.stderr


def test_a_refused_value_is_a_warning_and_not_a_failure():
    result = run("-", given=(ALERTS / "without_flattened.json").read_text().replace("CHG-1234", "s3Bucket=innocent"))
    assert result.exit_code == 0
    assert "innocent" not in result.stdout
    assert "more than once" in result.stderr


def test_gzip_is_unzipped(tmp_path):
    log = tmp_path / "log.json.gz"
    log.write_bytes(gzip.compress(json.dumps({"Records": [cloudtrail_record()]}).encode()))
    assert json.loads(run(log, "--json").stdout)["bucket"] == "example-drop"


def test_a_bomb_is_stopped_and_said(tmp_path):
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(b" " * (65 * 1024 * 1024)))
    result = run(bomb)
    assert result.exit_code == 1
    assert f"{MAX_BYTES + 1} bytes" in result.stderr, "it was unzipped no further than that"


@pytest.mark.parametrize("content", [None, b"\x1f\x8bnot gzip", zipped(b"{}" * 100)[:-9]])
def test_what_cannot_be_read_is_a_usage_problem(vmexport, content, tmp_path):
    file = tmp_path / "alert.gz"
    if content is not None:
        file.write_bytes(content)
    answer = vmexport("decode", str(file))
    assert (answer.code, answer.out) == (2, "")
    assert str(file) in answer.err


def test_an_empty_body_says_so():
    result = run("-", given="")
    assert result.exit_code == 1
    assert "empty" in result.stderr


@pytest.mark.parametrize(
    ("kind", "reason", "code"),
    [("suppressed", "It stands for 3 more events that its rule suppressed.", 0), ("shell", "It is the shell of an EQL sequence.", 1)],
)  # fmt: skip
def test_an_alert_that_must_be_asked_about_again_is_named_with_the_reason(kind, reason, code):
    sentence = f"alert {UUID}, rule {RULE}: must be asked about again: {reason}"
    page = run("-", given=json.dumps(variant(kind)))
    assert page.exit_code == code
    assert sentence in page.stdout.splitlines()
    lines = run("-", "--json", given=json.dumps(variant(kind)))
    assert lines.exit_code == code
    assert sentence in lines.stderr.splitlines()
    assert [list(json.loads(line)) for line in lines.stdout.splitlines()] == [FIELDS] * (1 - code)


def test_an_alert_that_told_its_export_is_named_on_the_page_alone():
    body = encoded(hit(alert(record("image"))))
    name = f"alert {'0b0a6d526c0e4d539a570d1f5f4c7a11' * 2}, rule {RULE}"
    assert name in run("-", given=body).stdout.splitlines()
    assert run("-", "--json", given=body).stderr == ""


def test_a_message_that_only_links_to_its_rule_tells_what_can_be_asked():
    link = "https://kibana.example.com/app/security/rules/id/9d3c0000-0000-4000-8000-000000000001?timerange=()"
    result = run("-", given=json.dumps({"text": f"\x1b[31mEC2 export {link}"}))
    assert result.exit_code == 1
    assert "alert not told, rule (saved object 9d3c0000-0000-4000-8000-000000000001): must be asked" in result.stdout
    assert "\x1b" not in result.stdout + result.stderr


def test_a_message_of_sns_is_not_opened_and_it_is_said_what_to_do(vmexport, tmp_path):
    file = tmp_path / "sns.json"
    file.write_text(json.dumps(sns(record("instance"))))
    answer = vmexport("decode", str(file))
    assert (answer.code, answer.out) == (1, "")
    assert "whose signature nobody has checked" in answer.err
    assert "/alerts/cloudtrail" in answer.err
