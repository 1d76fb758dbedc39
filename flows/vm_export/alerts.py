"""What alerts say is read again where they come from, before anything is made of it: a body is a hint, the alert is the truth."""

from __future__ import annotations

import asyncio

from decisions.case import Case, fold
from decisions.differences import same_event
from decisions.evidence import Known
from decisions.export import ExportEvent
from flows.vm_export.collection import Collection
from records import corrections, ledger
from settings.elastic import elasticsearch
from tasks.elastic.again import alert_again


async def read_alerts_again(collection: Collection) -> Case:
    """The case by what its alerts themselves say; one that cannot be read is a gap, and its body still counts.

    Each alert is read once for a case, and not at all without an Elasticsearch to ask.
    """
    entries = await asyncio.to_thread(ledger.entries, collection.case_id)
    if elasticsearch().configured:
        read = {entry.key for entry in entries}
        left = [e for e in fold(entries).exports if e.alert_id and corrections.key(e) not in read]
        await asyncio.gather(*(_read_again(collection, event) for event in left))
        entries = await asyncio.to_thread(ledger.entries, collection.case_id)
    return fold(entries)


async def _read_again(collection: Collection, told: ExportEvent) -> None:
    found = (await collection.ask(f"alert {told.alert_id}, export {told.event_id}", alert_again, told)).answer
    if isinstance(found, Known):
        said = same_event(told, found.value)
        await asyncio.to_thread(corrections.read_again, collection.case_id, told, found.value, said, "triage")
