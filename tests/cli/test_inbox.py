"""`vmexport inbox`: nothing that came in is forgotten, and what is wrong makes the exit code say so."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from records import deliveries, inbox, intake
from records.database import transaction

HOSTILE = b'{"text": "\x1b[31mred"}'
BLOCK = {"kibana": {"alert": {"uuid": "a" * 64, "building_block_type": "default", "group": {"id": "g"}}}}


@pytest.fixture
def quarantined(database):
    item = inbox.receive(HOSTILE, "elastic", "application/json")
    return intake.work(item).inbox_id


def test_an_empty_inbox_is_good_and_says_what_it_looked_at(vmexport, database):
    shown = vmexport("inbox")
    assert shown.code == 0
    for sentence in ("Nothing lies in quarantine.", "No alert waits", "The poller has not looked yet"):
        assert sentence in shown.out


def test_a_body_in_quarantine_is_shown_with_its_reason_and_exit_1(vmexport, quarantined):
    shown = vmexport("inbox")
    assert shown.code == 1
    assert "In quarantine" in shown.out
    assert "\x1b" not in shown.out
    (found,) = json.loads(vmexport("inbox", "--json").out)["quarantined"]
    assert (found["body"], found["from"], found["bytes"]) == (quarantined, "elastic", len(HOSTILE))
    assert found["why"]


def test_an_alert_that_waits_to_be_asked_about_is_shown_with_why(vmexport, database):
    taken = intake.work(inbox.receive(json.dumps(BLOCK).encode(), "elastic", None))
    assert taken.resolving
    assert vmexport("inbox").code == 0, "it is only waited for"
    (found,) = json.loads(vmexport("inbox", "--json").out)["asked_again"]
    assert found["alert"] == "a" * 64
    assert "building block" in found["for"]


def test_an_alert_handed_in_by_hand_that_must_be_asked_about_is_no_failure(vmexport, database, tmp_path):
    (tmp_path / "alert.json").write_text(json.dumps(BLOCK))
    said = vmexport("ingest", str(tmp_path / "alert.json"), "--json")
    assert said.code == 0
    assert "waits for the receiver" in said.err
    told = json.loads(said.out)
    assert told["cases"] == []
    assert "building block" in told["resolving"][0]


def test_an_alert_that_came_one_way_only_is_exit_1(vmexport, database):
    with transaction() as connection:
        deliveries.mark_within(connection, "poll", [("a-1", "rule-1")], datetime.now(UTC) - timedelta(hours=1))
    deliveries.alarm("a-1", "It came by the poller, and not by the webhook.")
    shown = vmexport("inbox")
    assert shown.code == 1
    assert "not by the webhook" in shown.out


def test_how_far_the_poller_is(vmexport, database):
    deliveries.move("alerts of space default", datetime(2026, 3, 2, 10, 0, tzinfo=UTC))
    (found,) = json.loads(vmexport("inbox", "--json").out)["polled"]
    assert (found["source"], found["up_to"]) == ("alerts of space default", "2026-03-02T10:00:00Z")
