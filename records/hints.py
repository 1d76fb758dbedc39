"""Alerts that must be asked about again before all their exports are known, and how far that went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, Connection, exists, select

from decisions.alert import Hint
from records.database import transaction
from records.tables import hint, inbox

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=5)
LEASE = timedelta(minutes=2)
"""So long nobody else asks about a hint that one process has taken; then that process is dead."""
PATIENCE = timedelta(hours=1)
"""After this a hint is given up: the poller still finds the alert itself."""


@dataclass(frozen=True)
class Asked:
    """One alert to ask about, of one body."""

    id: int
    inbox_id: int
    hint: Hint
    received_at: datetime
    """When the body came: a hint without an alert's id is looked for around it."""
    state: Literal["open", "resolved", "given-up"]
    attempts: int
    made_at: datetime
    next_at: datetime
    why: str | None
    """Why it is not resolved yet, was given up, or what could not be read of what was found."""

    @property
    def patience_ends(self) -> datetime:
        """Until then it is asked again."""
        return self.made_at + PATIENCE


def open_within(connection: Connection, inbox_id: int, hints: Sequence[Hint]) -> None:
    """Note what must be asked about a body, as a part of the caller's transaction; a second time for a body: nothing."""
    if not hints or connection.execute(select(exists().where(hint.c.inbox_id == inbox_id))).scalar_one():
        return
    now = datetime.now(UTC)
    texts = dict.fromkeys(h.model_dump_json() for h in hints)
    rows = [
        {
            "inbox_id": inbox_id,
            "hint": text,
            "state": "open",
            "attempts": 0,
            "made_at": now,
            "next_at": now,
            "why": None,
        }
        for text in texts
    ]
    connection.execute(hint.insert(), rows)


def forget_within(connection: Connection, inbox_id: int) -> None:
    """Drop what was asked about a body, as a part of the caller's transaction: it is looked into from the start."""
    connection.execute(hint.delete().where(hint.c.inbox_id == inbox_id))


def claim(limit: int = 20) -> tuple[Asked, ...]:
    """Open hints whose time has come, taken for two minutes; the oldest first."""
    now = datetime.now(UTC)
    due = select(hint.c.id).where(hint.c.state == "open", hint.c.next_at <= now)
    due = due.order_by(hint.c.id).limit(limit).with_for_update(skip_locked=True)
    with transaction() as connection:
        taken = connection.execute(due).scalars().all()
        connection.execute(
            hint.update().where(hint.c.id.in_(taken)).values(next_at=now + LEASE, attempts=hint.c.attempts + 1)
        )
    return _asked(hint.c.id.in_(taken))


def postpone_within(connection: Connection, asked: Asked, why: str) -> None:
    """Ask again later, each time twice as late up to five minutes."""
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(asked.attempts - 1, 10))
    values = {"next_at": datetime.now(UTC) + wait, "why": _text(why)}
    connection.execute(hint.update().where(hint.c.id == asked.id, hint.c.state == "open").values(values))


def end_within(connection: Connection, asked: Asked, state: Literal["resolved", "given-up"], why: str | None) -> None:
    """Ask no more."""
    values = {"state": state, "why": _text(why) if why else None}
    connection.execute(hint.update().where(hint.c.id == asked.id, hint.c.state == "open").values(values))


def reasons_within(connection: Connection, inbox_id: int) -> tuple[bool, tuple[str, ...]]:
    """Whether some hint of a body is still open, and what the others ended with."""
    rows = connection.execute(select(hint.c.state, hint.c.why).where(hint.c.inbox_id == inbox_id).order_by(hint.c.id))
    found = rows.all()
    return any(row.state == "open" for row in found), tuple(
        dict.fromkeys(row.why for row in found if row.state != "open" and row.why)
    )


def waiting() -> tuple[Asked, ...]:
    """Hints that are still asked about, oldest first."""
    return _asked(hint.c.state == "open")


def given_up(limit: int = 100) -> tuple[Asked, ...]:
    """Hints that were given up, newest first."""
    return _asked(hint.c.state == "given-up")[::-1][:limit]


def _asked(which: ColumnElement[bool]) -> tuple[Asked, ...]:
    query = select(hint, inbox.c.received_at).join(inbox, inbox.c.id == hint.c.inbox_id).where(which)
    with transaction() as connection:
        rows = connection.execute(query.order_by(hint.c.id)).mappings().all()
    return tuple(Asked(**dict(row) | {"hint": Hint.model_validate_json(row["hint"])}) for row in rows)


def _text(why: str) -> str:
    return why.replace("\0", "\ufffd")[:2000]
