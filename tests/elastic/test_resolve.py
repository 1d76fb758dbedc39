"""Alerts that do not tell all their exports are asked about, and what comes back reaches the cases. A real Elasticsearch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from decisions.alert import Hint
from decisions.export import Outcome
from receiver.resolving import NOT_CONFIGURED, ask_again
from records import hints, inbox, ledger
from records.database import transaction
from records.tables import hint as hint_table
from settings.elastic import PREBUILT_RULE, elasticsearch
from tasks.elastic.alerts import Truth, read_again, resolve, truth_of
from tasks.elastic.client import Unanswered
from tests.elastic.alerts_of import NOW, Space, exports, space

__all__ = ["space"]
AT = NOW
WHY = "it is asked about for this test"


def ask(where, /, **fields):
    return resolve(where.es, Hint(ask=WHY, **fields), AT)


def test_an_alert_is_read_by_its_id_in_the_configured_spaces_only(space):
    name = space.alert(1)
    elsewhere = Space(space.es, f"{space.name}-other").alert(2, id=f"{space.name}-secret")
    assert read_again(space.es, name)["_id"] == name
    assert read_again(space.es, name, "no-such-space")["_id"] == name
    assert read_again(space.es, elsewhere) is None
    assert read_again(space.es, elsewhere, f"{space.name}-other") is None


def test_a_hint_that_lies_about_index_and_space_leads_nowhere_else(space):
    other = Space(space.es, f"{space.name}-other")
    theirs = other.alert(2, id=f"{space.name}-theirs")
    found = ask(space, alert_id=theirs, index=f".internal.alerts-security.alerts-{other.name}-000001", space=other.name)
    assert (found.events, found.alerts, found.complete) == ((), (), False)
    mine = space.alert(1)
    found = ask(space, alert_id=mine, index="*", space="../other")
    assert exports(found.events) == ["event-1"]
    assert found.complete


def test_an_alert_that_tells_its_export_whole_is_that_export(space):
    name = space.alert(1)
    found = ask(space, alert_id=name)
    assert [(e.event_id, e.alert_id, e.bucket) for e in found.events] == [("event-1", name, "example-drop")]
    assert [(a.alert_id, a.rule_id) for a in found.alerts] == [(name, PREBUILT_RULE)]
    assert (found.problems, found.complete) == ((), True)


def test_the_shell_of_a_sequence_gives_the_exports_of_its_building_blocks(space):
    for n in (1, 2, 3):
        space.block(n)
    name = space.shell(1, 2, 3)
    found = ask(space, alert_id=name)
    assert exports(found.events) == ["event-1", "event-2", "event-3"]
    assert {e.alert_id for e in found.events} == {name}
    assert found.complete


def test_where_building_blocks_are_gone_the_events_themselves_are_read(space):
    for n in (1, 2):
        space.event(n)
    name = space.shell(1, 2)
    found = ask(space, alert_id=name)
    assert exports(found.events) == ["event-1", "event-2"]
    assert all(e.alert_created == AT for e in found.events)
    assert found.complete


def test_events_that_are_not_there_yet_are_said_and_asked_for_later(space):
    space.event(1)
    name = space.shell(1, 2)
    found = ask(space, alert_id=name)
    assert exports(found.events) == ["event-1"]
    assert not found.complete
    assert "1 of the 2 events" in found.problems[0]
    space.event(2)
    assert exports(ask(space, alert_id=name).events) == ["event-1", "event-2"]


def test_a_suppressed_alert_with_five_events_is_five_exports(space):
    for n in range(1, 6):
        space.event(n, AT + timedelta(minutes=n))
    space.event(6, AT + timedelta(minutes=30))
    space.event(7, AT + timedelta(minutes=2), **{"user": {"id": "AIDAEXAMPLESOMEBODY", "name": "somebody"}})
    space.event(
        8,
        AT + timedelta(minutes=2),
        **{"event": {"action": "RunInstances", "provider": "ec2.amazonaws.com", "id": "x"}},
    )
    name = space.alert(
        1,
        **{
            "kibana.alert.suppression.terms": [{"field": "user.name", "value": ["platform-admin"]}],
            "kibana.alert.suppression.start": (AT + timedelta(minutes=1)).isoformat(),
            "kibana.alert.suppression.end": (AT + timedelta(minutes=5)).isoformat(),
            "kibana.alert.suppression.docs_count": 4,
        },
    )
    found = ask(space, alert_id=name)
    assert exports(found.events) == [f"event-{n}" for n in range(1, 6)]
    assert found.complete


def test_a_threshold_alert_gives_the_exports_that_it_counted(space):
    for n in (1, 2, 3):
        space.event(n, AT + timedelta(minutes=n))
    name = space.alert(
        99,
        at=AT + timedelta(minutes=5),
        drop=("event", "aws", "user", "source", "cloud", "kibana.alert.original_event"),
        id=f"{space.name}-threshold",
        **{
            "kibana.alert.rule.type": "threshold",
            "kibana.alert.original_time": (AT + timedelta(minutes=3)).isoformat(),
            "kibana.alert.threshold_result.terms": [{"field": "cloud.account.id", "value": "111122223333"}],
            "kibana.alert.threshold_result.count": 3,
            "kibana.alert.threshold_result.from": AT.isoformat(),
            "kibana.alert.ancestors": [{"id": "made-up", "type": "event", "index": "a,b", "depth": 0}],
        },
    )
    found = ask(space, alert_id=name)
    assert exports(found.events) == ["event-1", "event-2", "event-3"]
    assert found.complete


def test_a_message_without_an_alert_stands_for_the_alerts_of_its_rule_at_that_time(space):
    space.alert(1, at=AT - timedelta(minutes=2))
    space.alert(2, at=AT - timedelta(hours=2))
    space.alert(3, at=AT, **{"kibana.alert.rule.rule_id": "another-rule"})
    assert exports(ask(space, rule_id=PREBUILT_RULE).events) == ["event-1"]
    assert exports(ask(space, rule_id="another-rule").events) == ["event-3"]
    assert exports(ask(space).events) == ["event-1"]
    earlier = {"since": AT - timedelta(hours=3), "until": AT - timedelta(hours=1)}
    assert exports(ask(space, rule_id=PREBUILT_RULE, **earlier).events) == ["event-2"]
    uuid = space.es.get(index=space.alerts, id=f"{space.name}-alert-2")["_source"]["kibana.alert.rule.uuid"]
    assert exports(ask(space, rule_uuid=uuid, **earlier).events) == ["event-2"]
    nothing = ask(space, rule_id='*" or true')
    assert (nothing.events, nothing.complete) == ((), False)


def test_what_is_not_there_at_all_is_no_empty_answer(space, monkeypatch):
    monkeypatch.setenv("VMEXPORT_ELASTICSEARCH_SPACES", f"{space.name}-nowhere")
    elasticsearch.cache_clear()
    with pytest.raises(Unanswered):
        ask(space, alert_id="any")


def test_the_export_that_a_body_told_of_is_read_again_from_its_alert(space):
    name = space.alert(1)
    [event] = ask(space, alert_id=name).events
    forged = event.model_copy(update={"bucket": "somebody-elses", "outcome": Outcome.FAILED})
    assert truth_of(forged) == Truth(event)
    gone = truth_of(forged.model_copy(update={"alert_id": "gone"}))
    assert (gone.event, gone.answered) == (None, True)
    assert "hold no alert" in gone.why


def test_of_several_exports_behind_an_alert_each_is_read_again_for_itself(space):
    for n in (1, 2):
        space.block(n)
    events = ask(space, alert_id=space.shell(1, 2)).events
    assert [truth_of(event).event for event in events] == list(events)


def test_an_elasticsearch_that_is_away_is_no_truth(space, monkeypatch):
    [event] = ask(space, alert_id=space.alert(1)).events
    monkeypatch.setenv("VMEXPORT_ELASTICSEARCH_URL", "http://127.0.0.1:9")
    elasticsearch.cache_clear()
    away = truth_of(event)
    assert (away.event, away.answered) == (None, False)


# From a body that waits to the cases.


def waiting(space, **fields):
    """A body that tells of no export, stored with its hint."""
    item = inbox.receive(b"{}", "elastic", None)
    inbox.wait(item.id, WHY, lambda c: hints.open_within(c, item.id, [Hint(ask=WHY, **fields)]))
    return item


def due_again():
    with transaction() as connection:
        connection.execute(hint_table.update().values(next_at=datetime.now(UTC) - timedelta(seconds=1)))


def patience_over():
    with transaction() as connection:
        ago = datetime.now(UTC) - timedelta(hours=2)
        connection.execute(hint_table.update().values(made_at=ago, next_at=ago))


def test_a_shell_by_webhook_becomes_a_case_with_its_three_exports(database, space):
    for n in (1, 2, 3):
        space.block(n)
    item = waiting(space, alert_id=space.shell(1, 2, 3))
    assert [i.id for i in inbox.resolving()] == [item.id]
    (case,) = ask_again()
    joined = ledger.entries(case, "alert-joined")
    assert sorted(e.data["event"]["event_id"] for e in joined) == ["event-1", "event-2", "event-3"]
    assert {e.data["inbox"] for e in joined} == {item.id}
    assert joined[0].data["asked_again"] == WHY
    assert inbox.resolving() == inbox.quarantined() == hints.waiting() == ()
    assert ask_again() == ()


def test_an_alert_that_is_not_there_yet_is_asked_for_until_it_is(database, space):
    waiting(space, alert_id=f"{space.name}-alert-1")
    assert ask_again() == ()
    [asked] = hints.waiting()
    assert (asked.attempts, "hold no alert" in asked.why) == (1, True)
    assert asked.next_at > datetime.now(UTC)
    space.alert(1)
    assert ask_again() == ()
    due_again()
    assert len(ask_again()) == 1
    assert hints.waiting() == ()


def test_waits_grow_while_elasticsearch_is_away_and_nothing_is_lost(database, space, monkeypatch):
    name = space.alert(1)
    waiting(space, alert_id=name)
    monkeypatch.setenv("VMEXPORT_ELASTICSEARCH_URL", "http://127.0.0.1:9")
    elasticsearch.cache_clear()
    waits = []
    for _ in range(3):
        due_again()
        ask_again()
        [asked] = hints.waiting()
        waits.append(asked.next_at - datetime.now(UTC))
    assert waits == sorted(waits)
    assert waits[-1] > 3 * waits[0]
    assert "127.0.0.1:9" in asked.why
    monkeypatch.setenv("VMEXPORT_ELASTICSEARCH_URL", str(space.es.transport.node_pool.get().base_url))
    elasticsearch.cache_clear()
    due_again()
    assert len(ask_again()) == 1


def test_after_an_hour_it_is_given_up_and_shown_with_the_reason(database, space):
    item = waiting(space, alert_id="never-there")
    patience_over()
    ask_again()
    [shown] = inbox.quarantined()
    assert (shown.id, shown.state) == (item.id, "quarantined")
    assert "hold no alert" in shown.why
    assert [asked.inbox_id for asked in hints.given_up()] == [item.id]


def test_without_elasticsearch_it_is_given_up_at_once_with_what_to_configure(database, monkeypatch):
    monkeypatch.delenv("VMEXPORT_ELASTICSEARCH_URL", raising=False)
    elasticsearch.cache_clear()
    waiting(None, alert_id="any")
    ask_again()
    [shown] = inbox.quarantined()
    assert shown.why == NOT_CONFIGURED
    assert "VMEXPORT_ELASTICSEARCH_URL" in shown.why
