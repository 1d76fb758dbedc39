"""Who was behind an export: the chain of credentials, walked back through the logs, and the other exports of the same actor."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from decisions.activity import LogRecord
from decisions.actor import MAX_HOPS, Actor, chain
from decisions.cloudtrail import export_event
from decisions.evidence import Known
from decisions.export import ExportEvent
from decisions.grouping import dedupe_keys
from decisions.organization import Organization
from flows.vm_export.collection import Collection
from records import known_exports
from tasks.logs import questions
from tasks.logs.interface import Scope

SESSION = timedelta(hours=36)
"""The longest life of temporary credentials (GetFederationToken, GetSessionToken)."""
GLOBAL_REGION = "us-east-1"
"""Where IAM, and STS without a Region, are recorded."""


@dataclass(frozen=True)
class Walked:
    """An actor with its chain, and the evidence that it was walked on."""

    actor: Actor
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Others:
    """Exports of the actors that this case was not told of."""

    new: tuple[ExportEvent, ...]
    elsewhere: dict[str, str]
    """Event id -> the other case that has it."""


async def walk(collection: Collection, event: ExportEvent, actor: Actor, ours: Organization) -> Walked:
    """The actor with the chain back to where the credentials began, as far as records are found."""
    records: list[LogRecord] = []
    evidence: list[str] = []
    key, until, seen = event.access_key_id, event.event_time, set[str]()
    while key and key.startswith("ASIA") and key not in seen and len(seen) < MAX_HOPS:
        seen.add(key)
        for accounts in _rounds(event, ours):
            scope = Scope(accounts=accounts, regions=regions((event,), ours), since=until - SESSION, until=until)
            made = await collection.ask(f"origin of credential {key}", questions.credential_origin, key, scope)
            evidence += made.evidence
            records += made.answer.value.records if isinstance(made.answer, Known) else ()
            granted = _granted(records, key)
            if granted and granted.access_key_id:
                break
        if granted is None:
            break
        key, until = granted.access_key_id, granted.time
    return Walked(actor.model_copy(update={"chain": chain(event, records)}), tuple(dict.fromkeys(evidence)))


def _rounds(event: ExportEvent, ours: Organization) -> tuple[tuple[str, ...], ...]:
    """Where to look: first the accounts of the call; every account where the copy there does not name the caller's key."""
    first = accounts((event,), ours)
    rest = tuple(a.id for a in ours.accounts if a.id not in first)
    return (first, rest) if rest else (first,)


def _granted(records: Sequence[LogRecord], key: str) -> LogRecord | None:
    """The call that gave out a key; of its copies the one that names the caller's own key."""
    given = [r for r in records if (r.response_elements.get("credentials") or {}).get("accessKeyId") == key]
    shared = {r.shared_event_id for r in given if r.shared_event_id}
    copies = [*given, *(r for r in records if r.shared_event_id in shared)]
    return max(copies, key=lambda r: r.access_key_id is not None, default=None)


async def other_exports(told: Sequence[ExportEvent], records: Iterable[LogRecord], ours: Organization) -> Others:
    """Exports by the same credential or session near in time, which no case was told of."""
    known = {key for event in told for key in dedupe_keys(event)}
    requests = [e for r in records if (e := export_event(r)) is not None]
    fresh = {e.event_id: e for e in requests if not known & set(dedupe_keys(e))}
    same = [e for e in fresh.values() if _same_actor(e, told, ours.case_window)]
    taken = await asyncio.to_thread(known_exports.cases_of, [key for e in same for key in dedupe_keys(e)])
    elsewhere = {e.event_id: taken[k] for e in same for k in dedupe_keys(e) if k in taken}
    return Others(tuple(e for e in same if e.event_id not in elsewhere), elsewhere)


def _same_actor(event: ExportEvent, told: Sequence[ExportEvent], window: timedelta) -> bool:
    return any(abs(event.event_time - t.event_time) <= window and bool(_names(event) & _names(t)) for t in told)


def _names(event: ExportEvent) -> set[str]:
    return {name for name in (event.access_key_id, event.principal_arn, event.principal_id) if name}


def accounts(events: Iterable[ExportEvent], ours: Organization) -> tuple[str, ...]:
    """Our accounts that the exports touch."""
    named = [a for e in events for a in (e.recipient_account, e.caller_account)]
    return tuple(dict.fromkeys(a for a in named if a and ours.owns(a)))


def regions(events: Iterable[ExportEvent], ours: Organization) -> tuple[str, ...]:
    """Regions where the calls of the exports' actors are recorded."""
    named = [e.region for e in events]
    return tuple(dict.fromkeys(r for r in (*named, ours.home_region, GLOBAL_REGION) if r))


def around(
    events: Sequence[ExportEvent], before: timedelta, after: timedelta, now: datetime, ours: Organization
) -> Scope:
    """The accounts and Regions of the exports, from before the first to after the last, not after now."""
    times = [e.event_time for e in events]
    since, until = min(times) - before, max(times) + after
    return Scope(
        accounts=accounts(events, ours),
        regions=regions(events, ours),
        since=since,
        until=max(since, min(until, now)),
    )
