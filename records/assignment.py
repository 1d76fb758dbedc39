"""Which case an export goes to: the one that knows it, else the open one near in time that shares a key, else a new one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

from sqlalchemy import Connection, func, select, text
from sqlalchemy.dialects.postgresql import insert

from decisions.case import CASE_CLOSED, CASE_REOPENED
from decisions.export import ExportEvent
from decisions.grouping import case_id, dedupe_keys, grouping_keys
from records import ledger
from records.tables import case_key
from records.tables import ledger as ledger_table

ASSIGN_LOCK = 0x766D_6578_0002
"""Advisory lock: exports find their case one body at a time, so that one alert posted twice opens one case."""
SHORTEST_ID = 4


@dataclass(frozen=True)
class Assigned:
    """Where one export went."""

    case_id: str
    new: bool
    """It opened the case."""
    joined: bool
    """It was not known before; False for a repeated alert, which changes nothing."""


def assign_within(
    connection: Connection, events: Sequence[ExportEvent], told_by: Mapping[str, object], window: timedelta
) -> tuple[Assigned, ...]:
    """Open or join the case of each export, as a part of the caller's transaction.

    An export that is known by one of its dedupe keys stays where it is. Else it joins the open case that shares its actor's
    credential or its bucket within `window`, else it opens one. `told_by`: what the ledger says of who told of it.
    """
    connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": ASSIGN_LOCK})
    return tuple(_assign(connection, event, told_by, window) for event in events)


def _assign(connection: Connection, event: ExportEvent, told_by: Mapping[str, object], window: timedelta) -> Assigned:
    known = select(case_key.c.case_id).where(case_key.c.use == "dedupe", case_key.c.key.in_(dedupe_keys(event)))
    if case := connection.execute(known.order_by(case_key.c.id).limit(1)).scalar_one_or_none():
        remember(connection, case, "dedupe", dedupe_keys(event), event)
        return Assigned(case, new=False, joined=False)
    shared = _open_cases(connection, event, window)
    case = next(iter(shared), None)
    new = case is None
    if case is None:
        case = _free_id(connection, event)
        ledger.append_within(connection, case, "case-opened", "inbox", {"event_id": event.event_id, **told_by})
    joined = {
        "event": event.model_dump(mode="json"),
        "joined_by": shared.pop(case, None),
        "related": list(shared),
        **told_by,
    }
    ledger.append_within(connection, case, "alert-joined", "inbox", joined)
    remember(connection, case, "dedupe", dedupe_keys(event), event)
    remember(connection, case, "grouping", grouping_keys(event), event)
    return Assigned(case, new=new, joined=True)


def _open_cases(connection: Connection, event: ExportEvent, window: timedelta) -> dict[str, str]:
    """Open cases near in time that share a key with the event -> that key; the best first (credential before bucket).

    Each is held until the transaction ends: a case that closes meanwhile either closes first and is not joined, or later.
    """
    keys = list(grouping_keys(event))
    query = select(case_key.c.case_id, case_key.c.key).where(
        case_key.c.use == "grouping",
        case_key.c.key.in_(keys),
        case_key.c.first_at - window <= event.event_time,
        case_key.c.last_at + window >= event.event_time,
    )
    rows = connection.execute(query.order_by(case_key.c.id)).all()
    near = dict.fromkeys((case, key) for case, key in sorted(rows, key=lambda row: keys.index(row.key)))
    shared: dict[str, str] = {}
    for case, key in near:
        if case not in shared:
            ledger.lock(connection, case)
            if not _closed(connection, case):
                shared[case] = key
    return shared


def _closed(connection: Connection, case: str) -> bool:
    ends = ledger_table.c.kind.in_((CASE_CLOSED, CASE_REOPENED))
    query = select(ledger_table.c.kind).where(ledger_table.c.case_id == case, ends)
    return connection.execute(query.order_by(ledger_table.c.seq.desc()).limit(1)).scalar() == CASE_CLOSED


def _free_id(connection: Connection, event: ExportEvent) -> str:
    """The event's case id, longer if the short one belongs to another case."""
    for length in count(SHORTEST_ID):
        case = case_id(event, length)
        if ledger.lock(connection, case)[0] == 0:
            return case
    raise AssertionError("unreachable: count() does not end")


def remember(connection: Connection, case: str, use: str, keys: Iterable[str], event: ExportEvent) -> None:
    """Keep by which keys a later export is known (`dedupe`) or joins (`grouping`); the first case to know one keeps it."""
    for key in keys:
        at = event.event_time
        row = insert(case_key).values(use=use, key=key, case_id=case, first_at=at, last_at=at)
        if use == "dedupe":
            connection.execute(row.on_conflict_do_nothing())
            continue
        span = {"first_at": func.least(case_key.c.first_at, at), "last_at": func.greatest(case_key.c.last_at, at)}
        connection.execute(row.on_conflict_do_update(constraint="case_key_once", set_=span))
