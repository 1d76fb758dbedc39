"""Every minute: alerts that no webhook brought, and alerts that one way of delivery brought and the other did not.

Where no webhook can reach us (a Basic licence, a closed network) this is the intake; where one can, it is the safety net.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from elasticsearch import Elasticsearch
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event

from decisions.ecs import first, has
from decisions.evidence import Frozen, utc
from decisions.plain import plain_text
from records import deliveries, inbox, intake
from records.deliveries import Delivery
from settings.elastic import elasticsearch
from settings.organization import organization
from settings.receiver import DeliverySettings
from tasks.elastic.alerts import BLOCK, poll, poll_connector, read_again
from tasks.elastic.client import connected

OVERLAP = timedelta(minutes=15)
"""Alerts of one rule run share a time, and are seen a refresh later: so far the newest look overlaps with the one before."""
FIRST_LOOK = timedelta(days=1)
"""How far the first look goes back."""
BATCH = 200
SUPPRESSION = "kibana.alert.suppression"
Poll = Callable[[Elasticsearch, datetime], Iterator[dict[str, Any]]]


class Polled(Frozen):
    """What one look came to."""

    alerts: int
    """Alerts that were seen, those of the overlap included."""
    new: int
    cases: tuple[str, ...]
    """Cases that new alerts opened or joined."""
    alarms: int
    """Alerts of which it was noticed now that they came by one way only."""


@flow(name="poll-alerts", persist_result=False)
async def poll_alerts() -> Polled:
    """Take in every open alert of our rules that was not polled yet, from each space and the connector's index.

    Fails with a sentence when Elasticsearch does not answer; the next run goes on where this one stopped.
    """
    own = elasticsearch()
    organization()  # without it nothing could be assigned: fail before anything is stored
    polled = [await take_in(f"alerts of space {space}") for space in own.spaces]
    if own.connector_index:
        polled.append(await take_in(f"index {own.connector_index}"))
    alarms = await compare_ways()
    cases = dict.fromkeys(case for one in polled for case in one.cases)
    return Polled(
        alerts=sum(p.alerts for p in polled), new=sum(p.new for p in polled), cases=tuple(cases), alarms=alarms
    )


@task(name="take in", cache_policy=NO_CACHE, persist_result=False)
async def take_in(source: str) -> Polled:
    """Take in what a source holds since the last look. Raises Unanswered; the watermark then stays where it is."""
    taken = await asyncio.to_thread(_take_in, source, _pollers()[source])
    if taken.new:
        get_run_logger().info("%s: %s new of %s, cases %s", source, taken.new, taken.alerts, ", ".join(taken.cases))
    return taken


@task(name="compare webhook and poller", cache_policy=NO_CACHE, persist_result=False)
async def compare_ways() -> int:
    """Raise an alarm for each alert that came by one way and in all that time not by the other; how many."""
    alarms = await asyncio.to_thread(_compare)
    for alarm in alarms:
        get_run_logger().error("%s", plain_text(str(alarm.alarm), 500))
        resource = {"prefect.resource.id": f"vmexport.alert.{plain_text(alarm.alert_id, 80)}"}
        emit_event("vmexport.alert.came-one-way", resource=resource, payload={"why": plain_text(str(alarm.alarm), 500)})
    return len(alarms)


def _pollers() -> dict[str, Poll]:
    """Each source by its name, which is also its watermark's."""

    def of_space(space: str) -> Poll:
        return lambda es, since: poll(es, space, since)

    own = elasticsearch()
    found = {f"alerts of space {space}": of_space(space) for space in own.spaces}
    if index := own.connector_index:
        found[f"index {index}"] = lambda es, since: poll_connector(es, index, since)
    return found


def _take_in(source: str, look: Poll) -> Polled:
    began = datetime.now(UTC)
    mark = next((w.at for w in deliveries.watermarks() if w.source == source), began - FIRST_LOOK)
    seen, new, cases = 0, 0, dict[str, None]()
    newest = mark
    with connected() as es, closing(look(es, mark - OVERLAP)) as hits:
        while batch := list(islice(hits, BATCH)):
            known = deliveries.polled([str(hit["_id"]) for hit in batch])
            seen += len(batch)
            newest = max(newest, *(_made(hit) for hit in batch))
            for hit in (h for h in batch if str(h["_id"]) not in known or has(h["_source"], SUPPRESSION)):
                body = json.dumps({name: hit[name] for name in ("_index", "_id", "_source")}).encode()
                # A connector's document has an id of its own; a suppressed alert comes again when it counts more events.
                if inbox.known(body, "poll") is not None:
                    continue
                cases |= dict.fromkeys(intake.work(inbox.receive(body, "poll", "application/json")).cases)
                new += 1
    # Their clock says how far was looked, not ours: fast by more than the overlap, ours would pass alerts by for ever.
    deliveries.move(source, min(newest, began))
    return Polled(alerts=seen, new=new, cases=tuple(cases), alarms=0)


def _made(hit: Mapping[str, Any]) -> datetime:
    """When an alert was made: what it was sorted by."""
    return datetime.fromtimestamp(int(hit["sort"][0]) / 1000, UTC)


def _compare() -> tuple[Delivery, ...]:
    patience = DeliverySettings().delivery_alarm
    found: list[Delivery] = []
    overdue = deliveries.one_way(datetime.now(UTC) - patience)
    if not overdue:
        return ()
    with connected() as es:
        for one in overdue:
            if one.poll_at is None and (why := _need_not_be_polled(read_again(es, one.alert_id))):
                deliveries.settle(one.alert_id, why)
                continue
            came, missing, at = (
                ("the webhook", "the poller", one.webhook_at)
                if one.poll_at is None
                else ("the poller", "the webhook", one.poll_at)
            )
            said = (
                f"Alert {one.alert_id} of rule {one.rule_id or 'unknown'} came by {came} at {utc(at or datetime.now(UTC))}, "
                f"and not by {missing} within {patience // timedelta(minutes=1)} minutes: look at the rule's action and connector."
            )
            deliveries.alarm(one.alert_id, said)
            found.append(Delivery(one.alert_id, one.rule_id, one.webhook_at, one.poll_at, said, None))
    return tuple(found)


def _need_not_be_polled(hit: Mapping[str, Any] | None) -> str | None:
    """Why the poller rightly did not take in an alert that the webhook brought; None: it should have."""
    if hit is None:
        return None
    if has(hit["_source"], BLOCK):
        return "it is a building block, which is no alert by itself"
    status = first(hit["_source"], ("kibana.alert.workflow_status",))
    rule = first(hit["_source"], ("kibana.alert.rule.rule_id",))
    if status and "open" not in status:
        return f"somebody had set it to {plain_text(str(status[0]), 40)} before the poller looked"
    if rule and not set(map(str, rule)) & set(elasticsearch().rule_ids):
        return "its rule is not among VMEXPORT_ELASTICSEARCH_RULE_IDS"
    return None
