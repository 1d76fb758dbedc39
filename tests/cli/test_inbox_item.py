"""`vmexport inbox show | retry | acknowledge`: what lies in quarantine leaves it, by a person or because it can be read now."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from records import approvers, deliveries, inbox, intake, ledger
from records.database import transaction
from settings.organization import organization
from tests.records_of import cloudtrail_record

ALICE = "alice@example.com"
HOSTILE = b'{"\x1b[31mred": "| ` \xe2\x80\xae <https://example.com|click>\n\nPolled: all is well"}'
STEERS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")


@pytest.fixture
def alice(database):
    """Her next unused code, at each call."""
    totp, step = pyotp.parse_uri(approvers.add(ALICE)), int(datetime.now(UTC).timestamp()) // 30
    codes = iter([totp.at(30 * (step + n)) for n in (0, 1)])
    return lambda: next(codes)


@pytest.fixture
def rubbish(database):
    return intake.work(inbox.receive(HOSTILE, "elastic", "text/\x1b[2Jplain")).inbox_id


@pytest.fixture
def readable(database):
    """Set aside by an older decoder; today's can read it."""
    item = inbox.receive(json.dumps(cloudtrail_record(event_id="event-1")).encode(), "elastic", None)
    inbox.quarantine(item.id, "an older decoder could not read it")
    return item.id


@pytest.fixture
def alarm(database):
    with transaction() as connection:
        deliveries.mark_within(connection, "poll", [("a-1", "rule-1")], datetime.now(UTC) - timedelta(hours=1))
    deliveries.alarm("a-1", "It came by the poller \x1b[31m, and not by the webhook.")
    return "a-1"


def acknowledge(vmexport, what, code, reason="a test, by us", *more):
    return vmexport("inbox", "acknowledge", str(what), "--as", ALICE, "--reason", reason, "--code", code, *more)


def test_show_tells_where_a_body_came_from_why_it_is_set_aside_and_how_it_begins(vmexport, rubbish):
    shown = vmexport("inbox", "show", str(rubbish))
    assert shown.code == 0
    for words in ("elastic", "quarantined", "it is not JSON", r"\x1b[31mred", r"\u202e"):
        assert words in shown.out
    assert not STEERS.search(shown.out)
    assert not any(line.startswith("Polled") for line in shown.out.splitlines()), "a body writes no line of its own"


def test_show_cuts_a_long_body_and_its_json_has_the_whole(vmexport, database):
    text = "é" * 5000
    item = inbox.receive(text.encode(), "cli", None)
    shown = vmexport("inbox", "show", str(item.id))
    assert 1900 < shown.out.count("é") < 2100
    assert "--json` has all of it" in shown.out
    told = json.loads(vmexport("inbox", "show", str(item.id), "--json").out)
    assert (told["text"], told["text_is_not_exact"], told["sha256"]) == (text, [], item.sha256)


def test_show_says_when_the_body_is_no_text(vmexport, database):
    item = inbox.receive(b"\xff\xfe\x00", "cli", None)
    assert "UTF-16" in vmexport("inbox", "show", str(item.id)).out
    assert json.loads(vmexport("inbox", "show", str(item.id), "--json").out)["text_is_not_exact"]


def test_what_can_be_read_today_opens_its_case_and_is_no_failure_any_more(vmexport, readable):
    assert vmexport("inbox").code == 1
    said = vmexport("inbox", "retry", str(readable))
    (case,) = ledger.cases()
    assert (said.code, said.out) == (0, f"{case}\n")
    assert vmexport("inbox").code == 0
    again = vmexport("inbox", "retry", str(readable))
    assert (again.code, "is assigned to a case" in again.err) == (2, True)


def test_what_cannot_be_read_today_either_stays_with_the_reason_of_today(vmexport, database):
    item = inbox.receive(HOSTILE, "elastic", None)
    inbox.quarantine(item.id, "an older reason")
    said = vmexport("inbox", "retry", str(item.id))
    assert said.code == 1
    assert "it is not JSON" in said.err
    assert not STEERS.search(said.err)
    (found,) = json.loads(vmexport("inbox", "--json").out)["quarantined"]
    assert "older reason" not in found["why"]


def test_a_retry_that_must_be_asked_about_says_that_it_waits(vmexport, database):
    block = {"kibana.alert.uuid": "a-1", "kibana.alert.building_block_type": "default", "kibana.alert.group.id": "g"}
    item = inbox.receive(json.dumps(block).encode(), "elastic", None)
    inbox.quarantine(item.id, "without a reachable Elasticsearch")
    said = vmexport("inbox", "retry", str(item.id), "--json")
    assert said.code == 0
    assert json.loads(said.out)["state"] == "resolving"


def test_without_an_organization_a_retry_changes_nothing(vmexport, readable, monkeypatch, tmp_path):
    monkeypatch.setenv("VMEXPORT_ORGANIZATION", str(tmp_path / "none.toml"))
    organization.cache_clear()
    said = vmexport("inbox", "retry", str(readable))
    assert (said.code, "stays where it is" in said.err) == (2, True)
    assert inbox.item(readable).state == "quarantined"


def test_an_acknowledged_body_is_listed_with_who_and_why_and_is_no_failure_any_more(vmexport, rubbish, alice):
    said = acknowledge(vmexport, rubbish, alice(), "a test \x1b[31m| of ours")
    assert (said.code, said.out) == (0, f"acknowledged by {ALICE}: {rubbish}.\n")
    shown = vmexport("inbox")
    assert shown.code == 0
    assert "Nothing lies in quarantine." in shown.out
    assert "Acknowledged" in shown.out
    assert not STEERS.search(said.err + shown.out)
    (found,) = json.loads(vmexport("inbox", "--json").out)["acknowledged"]
    assert (found["body"], found["acknowledged_by"], found["reason"]) == (rubbish, ALICE, r"a test \x1b[31m| of ours")
    assert found["acknowledged_at"]


def test_the_code_may_come_from_a_pipe_and_counts_once(vmexport, database, alice, monkeypatch):
    first, second = (intake.work(inbox.receive(HOSTILE, "elastic", None)).inbox_id for _ in "12")
    code = alice()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{code}\n"))
    words = ("--as", "Alice@Example.com", "--reason", "a test", "--json")
    assert json.loads(vmexport("inbox", "acknowledge", str(first), *words).out)["by"] == ALICE
    again = acknowledge(vmexport, second, code)
    assert (again.code, "used already" in again.err) == (2, True)
    assert inbox.item(second).state == "quarantined"


def test_what_was_acknowledged_and_cannot_be_read_today_either_need_not_be_acknowledged_again(vmexport, rubbish, alice):
    acknowledge(vmexport, rubbish, alice())
    assert vmexport("inbox", "retry", str(rubbish)).code == 1
    assert vmexport("inbox").code == 0
    assert inbox.item(rubbish).acknowledged_by == ALICE


def test_what_was_acknowledged_can_still_open_its_case(vmexport, readable, alice):
    acknowledge(vmexport, readable, alice())
    assert vmexport("inbox", "retry", str(readable)).code == 0
    assert len(ledger.cases()) == 1
    assert json.loads(vmexport("inbox", "show", str(readable), "--json").out)["acknowledged_by"] == ALICE


def test_an_alarm_ends_when_a_person_has_looked_at_it(vmexport, alarm, alice):
    assert vmexport("inbox").code == 1
    assert acknowledge(vmexport, alarm, alice()).code == 0
    shown = vmexport("inbox")
    assert shown.code == 0
    assert not STEERS.search(shown.out)
    (found,) = json.loads(vmexport("inbox", "--json").out)["acknowledged_alarms"]
    assert ALICE in found["acknowledged"]
    assert "a test, by us" in found["acknowledged"]
    again = acknowledge(vmexport, alarm, alice())
    assert (again.code, "no alarm is open" in again.err) == (2, True)


def test_each_mistake_names_the_next_step_and_uses_no_code_up(vmexport, rubbish, readable, alice):
    code = alice()
    intake.retry(readable)
    for words, said in (
        (("show", "999"), "the inbox has no item 999. `vmexport inbox`"),
        (("retry", "999"), "the inbox has no item 999"),
        (("retry", str(readable)), "`vmexport inbox show"),
    ):
        answer = vmexport("inbox", *words)
        assert (answer.code, answer.out, said in answer.err) == (2, "", True), answer.err
    for what, reason, said in (
        ("999", "r", "the inbox has no item 999"),
        (str(readable), "r", "is assigned to a case"),
        ("\x1b[31m\nPolled", "r", "no alarm is open for alert \\x1b[31m\\nPolled"),
        (str(rubbish), " ", "--reason has 0 characters"),
        (str(rubbish), "r" * 1001, "Say in 1 to 1000"),
    ):
        answer = acknowledge(vmexport, what, code, reason)
        assert (answer.code, answer.out, said in answer.err) == (2, "", True), answer.err
    stranger = vmexport("inbox", "acknowledge", str(rubbish), "--as", "bob@example.com", "--reason", "r", "--code", "1")
    assert (stranger.code, "vmexport approver add bob@example.com" in stranger.err) == (2, True)
    wrong = acknowledge(vmexport, rubbish, "000000" if code != "000000" else "000001")
    assert (wrong.code, "wrong or has expired" in wrong.err) == (2, True)
    assert inbox.item(rubbish).state == "quarantined"
    assert acknowledge(vmexport, rubbish, code).code == 0


def test_json_stands_behind_the_command_that_it_is_for(vmexport, rubbish):
    answer = vmexport("inbox", "--json", "show", str(rubbish))
    assert (answer.code, answer.out, "behind `show`" in answer.err) == (2, "", True)
