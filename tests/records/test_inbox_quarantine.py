"""Out of the quarantine: each body is decided once, whoever else decides it at that moment, and nothing of it is lost."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import IntegrityError

from records import database as store
from records import deliveries, hints, inbox, intake, ledger
from records import migrations as migrations_folder
from records.tables import inbox as inbox_table
from tests.records.test_inbox import export
from tests.records_of import cloudtrail_record

pytestmark = pytest.mark.usefixtures("database")
ALICE = "alice@example.com"
BLOCK = {"kibana.alert.uuid": "a-1", "kibana.alert.building_block_type": "default", "kibana.alert.group.id": "g"}


def set_aside(value, why="an older decoder could not read it"):
    item = inbox.receive(json.dumps(value).encode(), "elastic", None)
    inbox.quarantine(item.id, why)
    return item.id


def outcome(call):
    """What a call gave, or the sentence with which it refused."""
    try:
        return call()
    except inbox.NotInQuarantine as error:
        return str(error)


def test_of_eight_that_retry_one_body_at_once_one_does_and_there_is_one_case():
    number = set_aside(cloudtrail_record(event_id="event-1"))
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda _: outcome(lambda: intake.retry(number)), range(8)))
    assert [type(one) for one in said].count(intake.TakenIn) == 1, said
    (case,) = ledger.cases()
    assert len(ledger.entries(case, "alert-joined")) == 1
    assert inbox.item(number).state == "assigned"


def test_of_retries_and_acknowledgements_at_once_none_undoes_the_other():
    numbers = [set_aside(cloudtrail_record(event_id=f"event-{n}")) for n in range(6)]
    calls = [
        call
        for n in numbers
        for call in (lambda n=n: intake.retry(n), lambda n=n: inbox.acknowledge(n, ALICE, "a test"))
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(outcome, calls))
    assert {inbox.item(n).state for n in numbers} == {"assigned"}, (
        "a retry may come before or after, and finds the case"
    )


def test_a_process_that_is_late_does_not_send_back_what_another_has_assigned():
    item = inbox.receive(b"{}", "elastic", None)
    inbox.assign(item.id, [export()])
    inbox.quarantine(item.id, "an older decoder says: no export")
    assert (inbox.item(item.id).state, inbox.item(item.id).why) == ("assigned", None)


def test_a_retry_whose_process_dies_is_finished_by_whoever_catches_up():
    number = set_aside(cloudtrail_record(event_id="event-1"))
    inbox.reopen(number)
    assert intake.catch_up() == ledger.cases() != ()


def test_what_was_given_up_is_asked_about_anew():
    item = inbox.receive(json.dumps(BLOCK).encode(), "elastic", None)
    intake.work(item)
    (asked,) = hints.claim()
    intake.give_up(asked, "nobody answered")
    assert inbox.item(item.id).state == "quarantined"
    assert intake.retry(item.id).resolving
    (again,) = hints.waiting()
    assert (again.attempts, again.why) == (0, None)
    intake.give_up(asked, "late news of the first question")
    assert inbox.item(item.id).state == "resolving", "the second question is still open"
    (claimed,) = hints.claim()
    assert intake.settle(claimed, [export()], (), (), complete=True)
    assert inbox.item(item.id).state == "assigned"


def test_a_body_that_was_acknowledged_stays_so_when_asking_about_it_again_gives_nothing():
    number = set_aside(BLOCK)
    inbox.acknowledge(number, ALICE, "our own test")
    intake.retry(number)
    (asked,) = hints.claim()
    intake.give_up(asked, "nobody answered")
    found = inbox.item(number)
    assert (found.state, found.why, found.acknowledged_by) == ("acknowledged", "nobody answered", ALICE)


def test_the_newest_hundred_that_were_read_in_part_hide_no_body_in_quarantine():
    number = set_aside({})
    for n in range(inbox.MOST):
        inbox.assign(inbox.receive(b"{}", "elastic", None).id, [export(n)], ["a part of it is unreadable"])
    assert [item.id for item in inbox.quarantined("quarantined")] == [number]


def test_an_alarm_is_acknowledged_once_and_only_an_alarm():
    with store.transaction() as connection:
        deliveries.mark_within(connection, "poll", [("a-1", None), ("no-alarm", None)], datetime.now(UTC))
    deliveries.alarm("a-1", "not by the webhook")
    assert [deliveries.acknowledge(name, "by alice") for name in ("no-alarm", "unknown", "a-1", "a-1")] == [
        False, False, True, False,
    ]  # fmt: skip
    assert deliveries.alarms() == ()
    assert [(one.alert_id, one.settled) for one in deliveries.acknowledged()] == [("a-1", "by alice")]


def test_nobody_acknowledges_without_a_name_a_time_and_a_reason():
    number = set_aside({})
    with pytest.raises(IntegrityError), store.transaction() as connection:
        connection.execute(inbox_table.update().where(inbox_table.c.id == number).values(state="acknowledged"))


def test_a_store_of_the_release_before_shows_it_in_quarantine_and_can_be_brought_back():
    number = set_aside({})
    inbox.acknowledge(number, ALICE, "a test")
    config = Config()
    config.set_main_option("script_location", str(Path(str(migrations_folder.__file__)).parent))
    with store.transaction() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0004")
    with store.transaction() as connection:
        assert connection.exec_driver_sql("select state from inbox").scalars().all() == ["quarantined"]
    store.migrate()
    assert (inbox.item(number).state, inbox.item(number).acknowledged_by) == ("quarantined", None)
