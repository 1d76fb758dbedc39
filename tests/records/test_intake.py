"""From a body to cases: what waits for an answer waits visibly, once, and ends in a case or with a reason."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from records import deliveries, hints, inbox, intake, ledger
from records.database import transaction
from records.tables import delivery
from records.tables import hint as hint_table
from tests.records.test_inbox import export
from tests.records_of import cloudtrail_record

pytestmark = pytest.mark.usefixtures("database")


def block(name):
    return {"kibana.alert.uuid": name, "kibana.alert.building_block_type": "default", "kibana.alert.group.id": "g"}


def take_in(*values, source="elastic"):
    item = inbox.receive(json.dumps(values[0] if len(values) == 1 else list(values)).encode(), source, None)
    return item, intake.work(item)


def due(**also):
    with transaction() as connection:
        connection.execute(hint_table.update().values(next_at=datetime.now(UTC) - timedelta(seconds=1), **also))


def claim_one():
    [asked] = hints.claim()
    return asked


def test_what_tells_no_export_itself_waits_and_is_no_rubbish():
    item, taken = take_in(block("alert-1"))
    assert (taken.cases, len(taken.resolving)) == ((), 1)
    assert [(i.id, i.state) for i in inbox.resolving()] == [(item.id, "resolving")]
    assert inbox.pending() == inbox.quarantined() == ()
    [asked] = hints.waiting()
    assert (asked.inbox_id, asked.hint.alert_id, asked.attempts) == (item.id, "alert-1", 0)


def test_working_on_a_body_twice_asks_once_also_after_it_was_answered():
    item, _ = take_in(block("alert-1"))
    intake.work(item)
    assert len(hints.waiting()) == 1
    intake.settle(claim_one(), [export()], (), (), complete=True)
    intake.work(item)
    assert hints.waiting() == inbox.resolving() == ()


def test_the_answer_opens_the_case_and_the_ledger_says_that_it_was_asked_for():
    item, _ = take_in(block("alert-1"))
    (case,) = intake.settle(claim_one(), [export(1), export(2)], ("one was left out",), (), complete=True)
    joined = ledger.entries(case, "alert-joined")
    assert [e.data["event"]["event_id"] for e in joined] == ["event-1", "event-2"]
    assert {(e.data["inbox"], e.data["sha256"], e.data["alert"]) for e in joined} == {(item.id, item.sha256, "alert-1")}
    assert all(e.data["asked_again"] for e in joined)
    assert [(i.state, i.why) for i in inbox.quarantined()] == [("assigned", "one was left out")]


def test_an_export_that_is_known_already_is_not_taken_in_again():
    _, first = take_in(cloudtrail_record(event_id="event-1"))
    take_in(block("alert-1"))
    known = export(1, region="us-east-1")
    assert intake.settle(claim_one(), [known], (), (), complete=True) == first.cases
    assert len(ledger.entries(first.cases[0], "alert-joined")) == 1


def test_a_body_with_several_alerts_is_assigned_with_the_first_export_and_tells_what_the_others_ended_with():
    item, _ = take_in(block("alert-1"), block("alert-2"))
    first, second = hints.claim()
    assert intake.settle(first, [export()], (), (), complete=True)
    assert inbox.resolving() == ()
    intake.give_up(second, "nobody answered")
    [shown] = inbox.quarantined()
    assert (shown.id, shown.state) == (item.id, "assigned")
    assert "nobody answered" in shown.why


def test_only_the_last_answer_sends_a_body_into_quarantine():
    item, _ = take_in(block("alert-1"), block("alert-2"))
    first, second = hints.claim()
    intake.settle(first, (), ("the first tells of no export",), (), complete=True)
    assert [i.id for i in inbox.resolving()] == [item.id]
    intake.give_up(second, "nobody answered")
    [shown] = inbox.quarantined()
    assert shown.state == "quarantined"
    assert "the first tells of no export" in shown.why
    assert "nobody answered" in shown.why


def test_an_alert_beside_an_export_is_asked_about_though_the_body_has_its_case():
    _, taken = take_in(cloudtrail_record(), block("alert-1"))
    assert taken.cases
    assert taken.resolving
    intake.settle(claim_one(), [export(5, access_key_id="ASIAEXAMPLEEXAMPLE01")], (), (), complete=True)
    assert len(ledger.entries(taken.cases[0], "alert-joined")) == 2


def test_if_an_answer_cannot_be_kept_whole_nothing_of_it_is_and_the_alert_is_asked_about_again():
    take_in(block("alert-1"))
    asked = claim_one()
    broken = export(2).model_copy(update={"description": "\ud800"})
    with pytest.raises(ledger.NotJson):
        intake.settle(asked, [export(1), broken], (), (), complete=True)
    assert ledger.cases() == ()
    assert [a.id for a in hints.waiting()] == [asked.id]


def test_one_alert_is_asked_about_by_one_process_at_a_time_and_by_another_when_that_died():
    for n in range(30):
        take_in(block(f"alert-{n}"))
    with ThreadPoolExecutor(6) as pool:
        taken = [a.id for claimed in pool.map(lambda _: hints.claim(5), range(6)) for a in claimed]
    assert len(taken) == len(set(taken)) == 30
    assert hints.claim(100) == ()
    due()
    assert len(hints.claim(100)) == 30


def test_it_is_given_up_after_its_hour_and_not_before():
    take_in(block("alert-1"))
    intake.settle(claim_one(), (), ("not there",), (), complete=False)
    assert len(hints.waiting()) == 1
    due(made_at=datetime.now(UTC) - hints.PATIENCE)
    intake.settle(claim_one(), (), ("still not there",), (), complete=False)
    assert hints.waiting() == ()
    assert [i.why for i in inbox.quarantined()] == ["still not there"]


def test_a_reason_that_quotes_the_body_is_kept_whatever_it_quotes():
    take_in(block("alert-1"))
    intake.give_up(claim_one(), "it says \x00")
    assert [i.why for i in inbox.quarantined()] == ["it says \ufffd"]


def test_a_defect_of_the_decoder_loses_no_body(monkeypatch):
    def broken(body):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(intake, "decode", broken)
    item, taken = take_in(cloudtrail_record())
    assert taken.cases == ()
    assert [(i.id, i.body) for i in inbox.quarantined()] == [(item.id, item.body)]


def delivered():
    with transaction() as connection:
        return {
            row.alert_id: (row.webhook_at is not None, row.poll_at is not None)
            for row in connection.execute(delivery.select())
        }


def test_each_way_of_delivery_is_noted_and_only_the_poller_says_what_was_polled():
    for source in ("elastic", "poll"):
        take_in(block("both"), source=source)
    take_in(block("pushed"))
    take_in(block("pulled"), source="poll")
    take_in(block("by-hand"), source="cli")
    assert delivered() == {"both": (True, True), "pushed": (True, False), "pulled": (False, True)}
    assert deliveries.polled(["both", "pushed", "pulled", "by-hand"]) == {"both", "pulled"}


def test_the_first_delivery_stays_and_two_bodies_with_the_same_alerts_do_not_lock_each_other_out():
    bodies = [[block(f"alert-{n}") for n in order] for order in (range(40), range(39, -1, -1))] * 4
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda body: take_in(*body), bodies))
    assert len(delivered()) == 40
    first = deliveries.one_way(datetime.now(UTC))[0].webhook_at
    take_in(block("alert-0"))
    assert min(d.webhook_at for d in deliveries.one_way(datetime.now(UTC))) == first


def test_the_watermark_never_moves_back():
    late, early = datetime(2026, 3, 2, 11, tzinfo=UTC), datetime(2026, 3, 2, 10, tzinfo=UTC)
    deliveries.move("alerts", late)
    deliveries.move("alerts", early)
    assert [(w.source, w.at) for w in deliveries.watermarks()] == [("alerts", late)]
