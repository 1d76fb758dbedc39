"""What came in: each body durable before anything is done with it, then assigned to cases, waiting, or quarantined.

What lies in quarantine leaves it when it is retried and can be decoded now, or when a person acknowledges it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Connection, Select, case, select

from decisions.export import ExportEvent
from records.assignment import Assigned as Assigned
from records.assignment import assign_within
from records.database import transaction
from records.tables import inbox
from settings.organization import organization

MOST = 100
"""Bodies that are told of at a time."""
State = Literal["pending", "resolving", "assigned", "quarantined", "acknowledged"]
Beside = Callable[[Connection], None]
"""What else is written in the transaction that decides a body."""


class NotInQuarantine(ValueError):
    """The body does not lie in quarantine (any more), and what became of it."""


def nothing(connection: Connection) -> None:
    """Nothing else is written."""


@dataclass(frozen=True)
class InboxItem:
    """One body as it came."""

    id: int
    received_at: datetime
    source: str
    content_type: str | None
    body: bytes
    sha256: str
    state: State
    why: str | None
    """What could not be decoded in it, or what it waits for."""
    decided_at: datetime | None = None
    acknowledged_by: str | None = None
    """The person who looked at it; it stays when a later retry finds a case."""
    acknowledged_at: datetime | None = None
    acknowledged_because: str | None = None


def receive(body: bytes, source: str, content_type: str | None) -> InboxItem:
    """Store a body before anything looks into it; it is on disk when this returns. Raises SQLAlchemyError."""
    row = {
        "received_at": datetime.now(UTC),
        "source": source,
        "content_type": content_type.replace("\0", "")[:200] if content_type else None,
        "body": body,
        "sha256": hashlib.sha256(body).hexdigest(),
        "state": "pending",
        "why": None,
    }
    with transaction() as connection:
        number = connection.execute(inbox.insert().values(row).returning(inbox.c.id)).scalar_one()
    return InboxItem(id=number, **row)


def receive_once(body: bytes, source: str, content_type: str | None) -> InboxItem:
    """`receive`, or the first item of this source with these very bytes, whatever became of it. Raises SQLAlchemyError."""
    number = known(body, source)
    if number is None:
        return receive(body, source, content_type)
    return item(number)


def item(item_id: int) -> InboxItem:
    """One body, whatever became of it. Raises LookupError."""
    found = _items(select(inbox).where(inbox.c.id == item_id))
    if not found:
        raise LookupError(f"the inbox has no item {item_id}")
    return found[0]


def known(body: bytes, source: str) -> int | None:
    """The first item of this source with these very bytes, or None. Raises SQLAlchemyError."""
    same = (inbox.c.sha256 == hashlib.sha256(body).hexdigest(), inbox.c.source == source)
    with transaction() as connection:
        return connection.execute(select(inbox.c.id).where(*same).order_by(inbox.c.id).limit(1)).scalar()


def assign(
    item_id: int, events: Sequence[ExportEvent], problems: Sequence[str] = (), beside: Beside = nothing
) -> tuple[Assigned, ...]:
    """Open or join the case of each export, all in one transaction; again for the same item, it changes nothing.

    `problems`: what else the body held that could not be decoded, kept with the item. Raises LookupError for an unknown
    item, and OrganizationUnusable.
    """
    window = organization().case_window
    with transaction() as connection:
        sha256 = decide_within(connection, item_id, "assigned", "; ".join(problems) or None)
        beside(connection)
        return assign_within(connection, events, {"inbox": item_id, "sha256": sha256}, window)


def wait(item_id: int, why: str, beside: Beside = nothing) -> None:
    """Let a body wait until Elasticsearch was asked, unless it was decided meanwhile. `why`: what it lacks."""
    first = inbox.update().where(inbox.c.id == item_id, inbox.c.state == "pending")
    with transaction() as connection:
        if connection.execute(first.values(_decision("resolving", why))).rowcount:
            beside(connection)


def quarantine(item_id: int, why: str, beside: Beside = nothing) -> None:
    """Set a body aside that holds nothing decodable, with the reason, unless it was decided meanwhile; it stays to be seen.

    Raises LookupError.
    """
    first = inbox.update().where(inbox.c.id == item_id, inbox.c.state == "pending")
    with transaction() as connection:
        done = connection.execute(first.values(_decision("quarantined", why))).rowcount
        if done:
            beside(connection)
    if not done:
        item(item_id)


def reopen(item_id: int, beside: Beside = nothing) -> InboxItem:
    """Take a body out of the quarantine, to be looked into like one that just came; whoever acknowledged it stays known.

    Raises NotInQuarantine and LookupError.
    """
    aside = inbox.update().where(inbox.c.id == item_id, inbox.c.state.in_(("quarantined", "acknowledged")))
    with transaction() as connection:
        reopened = connection.execute(aside.values(state="pending", why=None, decided_at=None)).rowcount
        if reopened:
            beside(connection)
    if not reopened:
        raise NotInQuarantine(became(item(item_id)))
    return item(item_id)


def acknowledge(item_id: int, by: str, reason: str) -> None:
    """A person has looked at a body in quarantine; it is kept, and is no failure any more.

    Whether it is that person is the caller's to know. Raises NotInQuarantine and LookupError.
    """
    values = {
        "state": "acknowledged",
        "acknowledged_by": by,
        "acknowledged_at": datetime.now(UTC),
        "acknowledged_because": reason.replace("\0", "\ufffd"),
    }
    aside = inbox.update().where(inbox.c.id == item_id, inbox.c.state == "quarantined")
    with transaction() as connection:
        acknowledged = connection.execute(aside.values(values)).rowcount
    if not acknowledged:
        raise NotInQuarantine(became(item(item_id)))


def pending(limit: int = MOST) -> tuple[InboxItem, ...]:
    """Bodies that were stored and not looked into yet (their process died), oldest first."""
    return _items(select(inbox).where(inbox.c.state == "pending").order_by(inbox.c.id).limit(limit))


def resolving(limit: int = MOST) -> tuple[InboxItem, ...]:
    """Bodies that tell of no export themselves, and wait until Elasticsearch was asked; oldest first."""
    return _items(select(inbox).where(inbox.c.state == "resolving").order_by(inbox.c.id).limit(limit))


def quarantined(*states: State, limit: int = MOST) -> tuple[InboxItem, ...]:
    """Bodies of which something could not be decoded, newest first. `states`: only those; else all but acknowledged ones."""
    query = select(inbox).where(inbox.c.why.is_not(None), inbox.c.state.in_(states or ("quarantined", "assigned")))
    return _items(query.order_by(inbox.c.id.desc()).limit(limit))


def decide_within(connection: Connection, item_id: int, state: State, why: str | None) -> str:
    """Set what became of a body, as a part of the caller's transaction; its SHA-256. Raises LookupError."""
    query = inbox.update().where(inbox.c.id == item_id).values(_decision(state, why)).returning(inbox.c.sha256)
    sha256 = connection.execute(query).scalar_one_or_none()
    if sha256 is None:
        raise LookupError(f"the inbox has no item {item_id}")
    return sha256


def _decision(state: State, why: str | None) -> dict[str, object]:
    # PostgreSQL's text holds no NUL, and a reason may quote the body.
    # What a person has looked at and a retry could not decode either need not be looked at again.
    aside = case((inbox.c.acknowledged_by.is_(None), "quarantined"), else_="acknowledged")
    decided = aside if state == "quarantined" else state
    return {"state": decided, "why": why.replace("\0", "\ufffd") if why else None, "decided_at": datetime.now(UTC)}


def became(found: InboxItem) -> str:
    """What became of a body, for whoever takes it to lie in quarantine."""
    match found.state:
        case "acknowledged":
            return f"item {found.id} was acknowledged by {found.acknowledged_by}"
        case "assigned":
            return f"item {found.id} is assigned to a case"
        case "quarantined":
            return f"item {found.id} lies in quarantine again"
        case _:
            return f"item {found.id} is being looked into"


def _items(query: Select[tuple[object, ...]]) -> tuple[InboxItem, ...]:
    with transaction() as connection:
        rows = connection.execute(query).mappings().all()
    return tuple(InboxItem(**row) for row in rows)
