"""The poller against a real Elasticsearch: every alert once, however it arrives; what one way misses is said."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from decisions.case import fold
from flows.poll_alerts import OVERLAP, compare_ways, poll_alerts
from records import deliveries, hints, inbox, intake, ledger
from records.database import transaction
from records.tables import delivery
from settings.elastic import elasticsearch
from settings.organization import OrganizationUnusable, organization
from tasks.elastic.client import Unanswered
from tests.elastic.alerts_of import NOW, settle_settings, space
from tests.flows.harness import prefect

__all__ = ["prefect", "space"]

pytestmark = pytest.mark.usefixtures("prefect", "database")


def exports():
    """Event ids in all cases."""
    return sorted(e.event_id for case in ledger.cases() for e in fold(ledger.entries(case)).exports)


def webhook(space, name):
    """The webhook posts an alert that lies in Elasticsearch."""
    hit = space.es.get(index=space.alerts, id=name)
    return intake.work(inbox.receive(json.dumps(dict(hit)).encode(), "elastic", "application/json"))


def later(minutes):
    """So many minutes pass since every delivery so far."""
    ago = timedelta(minutes=minutes)
    with transaction() as connection:
        for column in ("webhook_at", "poll_at"):
            connection.execute(delivery.update().values({column: delivery.c[column] - ago}))


async def test_alerts_of_one_rule_run_share_a_time_and_none_is_lost(space):
    for n in range(1, 6):
        space.alert(n)
    said = await poll_alerts()
    assert (said.alerts, said.new, said.alarms) == (5, 5, 0)
    assert exports() == [f"event-{n}" for n in range(1, 6)]
    assert len(said.cases) == 1, "one actor, one case"


async def test_a_second_look_takes_in_nothing_twice(space):
    space.alert(1)
    await poll_alerts()
    said = await poll_alerts()
    assert (said.alerts, said.new, said.cases) == (1, 0, ())


async def test_an_alert_that_is_seen_late_is_still_taken_in(space):
    space.alert(1)
    await poll_alerts()
    space.alert(
        2, at=datetime.now(UTC) - OVERLAP + timedelta(minutes=1)
    )  # made before the last look, refreshed after it
    await poll_alerts()
    assert exports() == ["event-1", "event-2"]


async def test_how_far_was_looked_is_told_by_the_alerts_and_not_by_a_clock_of_ours_that_is_fast(space):
    at = NOW - timedelta(hours=3)  # as Kibana's clock tells now, where ours is three hours ahead
    space.alert(1, at=at)
    await poll_alerts()
    (watermark,) = deliveries.watermarks()
    assert watermark.at == at
    space.alert(2, at=at + timedelta(minutes=1))
    await poll_alerts()
    assert exports() == ["event-1", "event-2"]


async def test_an_alert_from_the_future_does_not_carry_the_watermark_away(space):
    space.alert(1, at=NOW + timedelta(days=3))
    await poll_alerts()
    (watermark,) = deliveries.watermarks()
    assert watermark.at <= datetime.now(UTC)
    space.alert(2, at=datetime.now(UTC).replace(microsecond=0))  # NOW may be long ago, when the suite is slow
    await poll_alerts()
    assert exports() == ["event-1", "event-2"]


async def test_what_is_closed_of_another_rule_or_a_building_block_is_not_polled(space):
    space.alert(1, **{"kibana.alert.workflow_status": "closed"})
    space.alert(2, **{"kibana.alert.rule.rule_id": "another"})
    space.block(3)
    assert (await poll_alerts()).alerts == 0


async def test_webhook_and_poller_are_one_case_and_two_deliveries(space):
    name = space.alert(1)
    (case,) = webhook(space, name).cases
    said = await poll_alerts()
    assert said.new == 1, "the webhook's word that it delivered is not taken"
    assert ledger.cases() == (case,)
    assert len(ledger.entries(case, "alert-joined")) == 1
    later(60)
    assert (await poll_alerts()).alarms == 0


async def test_what_the_webhook_missed_is_an_alarm_once_a_webhook_exists(space):
    space.alert(1)
    await poll_alerts()
    later(60)
    assert (await poll_alerts()).alarms == 0, "an installation that only polls misses nothing"
    webhook(space, space.alert(2))
    later(30)
    space.alert(3)
    await poll_alerts()
    later(20)
    assert (await poll_alerts()).alarms == 1
    (alarm,) = deliveries.alarms()
    assert alarm.alert_id.endswith("alert-3")
    assert "not by the webhook" in alarm.alarm
    assert (await poll_alerts()).alarms == 0, "it is said once"


async def test_what_the_poller_missed_is_an_alarm_and_what_it_need_not_see_is_none(space):
    gone, acknowledged = space.alert(1), space.alert(2, **{"kibana.alert.workflow_status": "acknowledged"})
    foreign = space.alert(3, **{"kibana.alert.rule.rule_id": "another"})
    for name in (gone, acknowledged, foreign, space.block(4)):
        webhook(space, name)
    space.es.delete(index=space.alerts, id=gone, refresh=True)
    later(60)
    assert await compare_ways() == 1
    assert [a.alert_id for a in deliveries.alarms()] == [gone]


async def test_elasticsearch_away_fails_the_run_and_the_next_goes_on_from_there(space, monkeypatch, elasticsearch_url):
    space.alert(1)
    await poll_alerts()
    before = deliveries.watermarks()
    monkeypatch.setenv("VMEXPORT_ELASTICSEARCH_URL", "http://127.0.0.1:9")
    settle_settings()
    with pytest.raises(Unanswered, match=r"127\.0\.0\.1:9"):
        await poll_alerts()
    assert deliveries.watermarks() == before
    monkeypatch.setenv("VMEXPORT_ELASTICSEARCH_URL", elasticsearch_url)
    settle_settings()
    space.alert(2)
    await poll_alerts()
    assert exports() == ["event-1", "event-2"]


async def test_without_an_organisation_nothing_is_stored(space, monkeypatch):
    space.alert(1)
    monkeypatch.setenv("VMEXPORT_ORGANIZATION", "/does/not/exist.toml")
    organization.cache_clear()
    with pytest.raises(OrganizationUnusable):
        await poll_alerts()
    organization.cache_clear()
    assert inbox.pending() == ()


async def test_what_an_index_connector_wrote_is_taken_in_once(space, monkeypatch):
    index = f"vmexport-inbox-{space.name}"
    monkeypatch.setenv("VMEXPORT_ELASTICSEARCH_CONNECTOR_INDEX", index)
    settle_settings()
    hit = space.es.get(index=space.alerts, id=space.alert(1, **{"kibana.alert.workflow_status": "closed"}))
    body = {"@timestamp": NOW.isoformat(), "schema": "elastic-rule-action/1", "alerts": [hit["_source"]]}
    space.es.index(index=index, id="written-1", document=body, refresh=True)
    assert (await poll_alerts()).new == 1
    assert exports() == ["event-1"]
    assert (await poll_alerts()).new == 0
    assert elasticsearch().connector_index == index


async def test_a_suppressed_alert_comes_again_when_more_events_are_counted_into_it(space):
    window = {"kibana.alert.suppression.start": NOW.isoformat(), "kibana.alert.suppression.end": NOW.isoformat()}
    counted = {"kibana.alert.suppression.docs_count": 1, "kibana.alert.suppression.terms": [], **window}
    old = NOW - timedelta(hours=3)
    space.alert(1, at=old, **counted, **{"kibana.alert.last_detected": NOW.isoformat()})
    assert (await poll_alerts()).new == 1
    assert (await poll_alerts()).new == 0
    more = counted | {"kibana.alert.suppression.docs_count": 2}
    space.alert(1, at=old, **more, **{"kibana.alert.last_detected": datetime.now(UTC).isoformat()})
    assert (await poll_alerts()).new == 1
    assert [asked.hint.alert_id for asked in hints.waiting()] == [f"{space.name}-alert-1"] * 2
