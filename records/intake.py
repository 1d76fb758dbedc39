"""From a body to cases: durable first, then decoded, then grouped; what cannot be decoded is quarantined, never dropped.

Every door comes through here: the HTTP doors, `vmexport ingest`, and the poller.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, select

from decisions.alert import Decoded, Hint, decode
from decisions.export import ExportEvent
from records import deliveries, hints, inbox
from records.assignment import assign_within
from records.database import transaction
from records.hints import Asked
from records.inbox import InboxItem
from records.tables import inbox as inbox_table
from settings.organization import organization

log = logging.getLogger("vmexport.intake")
MOST_HINTS = 500
"""Alerts of one body that are asked about again; Kibana sends at most 100 at a time."""
WAYS: dict[str, deliveries.Way] = {"elastic": "webhook", "poll": "poll"}
"""Sources of bodies that are each other's control."""


@dataclass(frozen=True)
class TakenIn:
    """What became of one body."""

    inbox_id: int
    cases: tuple[str, ...]
    """Cases that its exports opened or joined."""
    problems: tuple[str, ...]
    resolving: tuple[str, ...] = ()
    """Why alerts in it are asked about again; without cases the body waits for the answers, else it is quarantined."""


def catch_up() -> tuple[str, ...]:
    """Work through bodies that were stored and not assigned, because something was missing then; their cases.

    Raises what `work` raises: the rest waits for the next call.
    """
    return tuple(case for item in inbox.pending() for case in work(item).cases)


def work(item: InboxItem) -> TakenIn:
    """Decode and group a body that is already stored; a second call for one body changes nothing.

    Raises SQLAlchemyError or OrganizationUnusable; the body then stays pending.
    """
    try:
        decoded = decode(item.body)
    except Exception as error:
        log.exception("body %s of the inbox could not be decoded", item.id)
        why = (
            f"decoding it failed ({type(error).__name__}); this is a defect of the decoder, and its log has the details"
        )
        inbox.quarantine(item.id, why)
        return TakenIn(item.id, (), (why,))
    asked = tuple(hint for hint in decoded.hints if hint.ask is not None)
    problems = decoded.problems
    if len(asked) > MOST_HINTS:
        problems += (f"{len(asked)} alerts in it must be asked about again; only {MOST_HINTS} are",)
    asked = asked[:MOST_HINTS]
    why = tuple(dict.fromkeys(str(hint.ask) for hint in asked))

    def beside(connection: Connection) -> None:
        hints.open_within(connection, item.id, asked)
        _mark(connection, item, decoded)

    if decoded.events:
        assigned = inbox.assign(item.id, decoded.events, problems, beside)
        return TakenIn(item.id, tuple(dict.fromkeys(a.case_id for a in assigned)), problems, why)
    if asked:
        inbox.wait(item.id, "; ".join((*why, *problems)), beside)
        return TakenIn(item.id, (), problems, why)
    problems = problems or ("it holds no export of a virtual machine",)
    inbox.quarantine(item.id, "; ".join(problems), beside)
    return TakenIn(item.id, (), problems)


def retry(item_id: int) -> TakenIn:
    """Look into a body in quarantine as if it had just come; what was asked about it is asked anew.

    Raises NotInQuarantine, LookupError and OrganizationUnusable, which change nothing; SQLAlchemyError: it may be pending.
    """
    organization()  # without it nothing could be assigned: the body stays where somebody sees it
    return work(inbox.reopen(item_id, lambda connection: hints.forget_within(connection, item_id)))


def settle(
    asked: Asked, events: Sequence[ExportEvent], problems: Sequence[str], alerts: Sequence[Hint], *, complete: bool
) -> tuple[str, ...]:
    """Assign what asking about an alert again found, in one transaction; the cases.

    `alerts`: those that were read. What is not `complete` is asked about again until its hour is over; then the hint is given
    up, and the body shows why. Raises SQLAlchemyError or OrganizationUnusable; the hint then stays open.
    """
    window = organization().case_window
    why = "; ".join(problems) or None
    with transaction() as connection:
        held = select(inbox_table.c.sha256, inbox_table.c.source).where(inbox_table.c.id == asked.inbox_id)
        item = connection.execute(held.with_for_update()).one()  # hints of one body end one after the other
        told_by = {
            "inbox": asked.inbox_id,
            "sha256": item.sha256,
            "alert": asked.hint.alert_id,
            "asked_again": asked.hint.ask,
        }
        assigned = assign_within(connection, events, told_by, window)
        if way := WAYS.get(item.source):
            named = [(alert.alert_id, alert.rule_id) for alert in alerts if alert.alert_id]
            deliveries.mark_within(connection, way, named, asked.received_at)
        if complete:
            hints.end_within(connection, asked, "resolved", why)
        elif datetime.now(UTC) < asked.patience_ends:
            hints.postpone_within(connection, asked, why or "the answer was not whole")
        else:
            hints.end_within(connection, asked, "given-up", why or "the answer was not whole")
        _decide_again(connection, asked.inbox_id, bool(assigned))
    return tuple(dict.fromkeys(a.case_id for a in assigned))


def give_up(asked: Asked, why: str) -> None:
    """Ask no more about an alert; its body is quarantined, unless it opened or joined a case. Raises SQLAlchemyError."""
    with transaction() as connection:
        connection.execute(select(inbox_table.c.id).where(inbox_table.c.id == asked.inbox_id).with_for_update())
        hints.end_within(connection, asked, "given-up", why)
        _decide_again(connection, asked.inbox_id, False)


def _decide_again(connection: Connection, inbox_id: int, found: bool) -> None:
    """A body that waited is assigned with the first export, or quarantined with the last hint that told of none."""
    state, why = connection.execute(
        select(inbox_table.c.state, inbox_table.c.why).where(inbox_table.c.id == inbox_id)
    ).one()
    still_open, ended_with = hints.reasons_within(connection, inbox_id)
    if state == "resolving" and not found:
        if not still_open:
            reasons = "; ".join(ended_with) or "the alerts that it names tell of no export of a virtual machine"
            inbox.decide_within(connection, inbox_id, "quarantined", reasons)
        return
    known = () if state == "resolving" or not why else (why,)  # what it waited for is no news any more
    told = [reason for reason in ended_with if not (why and reason in why)] if not still_open else []
    inbox.decide_within(connection, inbox_id, "assigned" if found else state, "; ".join((*known, *told)) or None)


def _mark(connection: Connection, item: InboxItem, decoded: Decoded) -> None:
    if way := WAYS.get(item.source):
        named = [(hint.alert_id, hint.rule_id) for hint in decoded.hints if hint.alert_id]
        deliveries.mark_within(connection, way, named, item.received_at)
