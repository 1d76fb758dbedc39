"""Notes to other systems: written once, sent in the order of their case, again and again until somebody takes them.

A sender takes all notes of a case at once, on lease: two senders do not send the same note, and what a sender that died
had taken is due again when its lease ends. It may have been sent: whoever sends must look first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.dialects.postgresql import insert

from records.database import transaction
from records.tables import outbox

LEASE = timedelta(minutes=5)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=7)
"""A system that is away for longer has lost its notes; they stay to be seen."""


@dataclass(frozen=True)
class OutboxItem:
    """One note, and what became of it."""

    id: int
    case_id: str
    key: str
    body: dict[str, Any]
    state: str
    """`waiting`, `done` or `given-up`."""
    attempts: int
    made_at: datetime
    next_at: datetime
    why: str | None
    """Why it waits or was given up; with `done`, what must be said all the same."""
    answer: dict[str, Any] | None
    """What the other system said, e.g. the ids that it gave."""


def enqueue(system: str, case_id: str, notes: Iterable[tuple[str, Mapping[str, Any]]]) -> int:
    """Keep notes (key, body) in this order; how many are new. A key that the case already has stays as it is."""
    now = datetime.now(UTC)
    added = 0
    with transaction() as connection:
        for key, body in notes:
            row = {"system": system, "case_id": case_id, "key": key, "body": json.dumps(body), "state": "waiting"}
            once = insert(outbox).values(**row, attempts=0, made_at=now, next_at=now).on_conflict_do_nothing()
            added += len(connection.execute(once.returning(outbox.c.id)).all())
    return added


def take_due(system: str, case_id: str) -> tuple[OutboxItem, ...]:
    """All waiting notes of the case in order, on lease; none while the first is not due, or another sender has them."""
    now = datetime.now(UTC)
    waiting = (outbox.c.system == system, outbox.c.case_id == case_id, outbox.c.state == "waiting")
    first = select(func.min(outbox.c.id)).where(*waiting).scalar_subquery()
    head = select(outbox.c.id).where(outbox.c.id == first, *waiting, outbox.c.next_at <= now)
    with transaction() as connection:
        if connection.execute(head.with_for_update(skip_locked=True)).one_or_none() is None:
            return ()
        lease = outbox.update().where(*waiting).values(next_at=now + LEASE).returning(outbox)
        rows = connection.execute(lease).all()
    return tuple(sorted(map(_item, rows), key=lambda item: item.id))


def cases_due(system: str) -> tuple[str, ...]:
    """Cases whose first waiting note is due, the one that waits longest first."""
    first = select(func.min(outbox.c.id)).where(outbox.c.system == system, outbox.c.state == "waiting")
    heads = first.group_by(outbox.c.case_id)
    due = select(outbox.c.case_id).where(outbox.c.id.in_(heads), outbox.c.next_at <= datetime.now(UTC))
    with transaction() as connection:
        return tuple(connection.execute(due.order_by(outbox.c.next_at, outbox.c.id)).scalars())


def done(item: OutboxItem, answer: Mapping[str, Any], but: str | None = None) -> None:
    """The other system took the note; `but`: what people should know all the same."""
    said = {"state": "done", "answer": json.dumps(answer), "why": _text(but), "attempts": item.attempts + 1}
    _set(item.id, said)


def failed(item: OutboxItem, why: str, *, again: bool, wait: timedelta | None = None) -> None:
    """It was not taken: try again later (at least `wait` from now), or give it up."""
    now = datetime.now(UTC)
    said: dict[str, Any] = {"why": _text(why), "attempts": item.attempts + 1}
    if not again or now - item.made_at > GIVE_UP_AFTER:
        _set(item.id, said | {"state": "given-up"})
        return
    pause = min(FIRST_WAIT * 2 ** min(item.attempts, 10), LONGEST_WAIT)
    _set(item.id, said | {"next_at": now + max(pause, wait or pause)})


def release(items: Iterable[OutboxItem]) -> None:
    """Give back notes that were taken and not tried; they still go after what stands before them in their case."""
    for item in items:
        _set(item.id, {"next_at": datetime.now(UTC)})


def items(system: str, case_id: str) -> tuple[OutboxItem, ...]:
    """Every note of the case, in order."""
    query = select(outbox).where(outbox.c.system == system, outbox.c.case_id == case_id).order_by(outbox.c.id)
    with transaction() as connection:
        return tuple(_item(row) for row in connection.execute(query))


def _set(item_id: int, values: Mapping[str, Any]) -> None:
    with transaction() as connection:
        connection.execute(outbox.update().where(outbox.c.id == item_id, outbox.c.state == "waiting").values(**values))


def _text(why: str | None) -> str | None:
    return why.replace("\0", "\ufffd") if why else None  # PostgreSQL's text holds no NUL, and a reason may quote


def _item(row: Row[Any]) -> OutboxItem:
    fields = dict(row._mapping)
    fields.pop("system")
    answer = json.loads(fields.pop("answer") or "null")
    return OutboxItem(**fields | {"body": json.loads(fields["body"]), "answer": answer})
