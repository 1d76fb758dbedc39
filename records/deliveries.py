"""By which way each alert arrived, webhook and poller being each other's control; and how far the poller has looked."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, Connection, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from records.database import transaction
from records.tables import delivery, watermark

Way = Literal["webhook", "poll"]
ALARM_LASTS = timedelta(days=7)
"""An alarm that nobody acted on is no news after a week; the flow's log keeps it."""


@dataclass(frozen=True)
class Delivery:
    """One alert, and when it first came by each way."""

    alert_id: str
    rule_id: str | None
    webhook_at: datetime | None
    poll_at: datetime | None
    alarm: str | None
    """What was said when it did not come by the other way in time."""
    settled: str | None
    """Why it does not have to come by the other way."""


@dataclass(frozen=True)
class Watermark:
    """Everything in the source up to `at` was taken in."""

    source: str
    at: datetime
    moved_at: datetime


def mark_within(connection: Connection, way: Way, alerts: Iterable[tuple[str, str | None]], at: datetime) -> None:
    """Note that alerts (id, rule_id) came, as a part of the caller's transaction; the first time of each way stays."""
    column = f"{way}_at"
    rows = {_text(alert): _text(rule) if rule else None for alert, rule in alerts}
    for alert, rule in sorted(rows.items()):  # in one order: two bodies with the same alerts do not lock each other out
        row = insert(delivery).values(alert_id=alert, rule_id=rule, **{column: at})
        first = {
            column: func.coalesce(delivery.c[column], row.excluded[column]),
            "rule_id": func.coalesce(delivery.c.rule_id, row.excluded.rule_id),
        }
        connection.execute(row.on_conflict_do_update(index_elements=["alert_id"], set_=first))


def polled(alert_ids: Collection[str]) -> set[str]:
    """Those of the alerts that the poller has taken in.

    What a webhook says that it delivered does not count: whoever gets a line into its template could hide an alert.
    """
    query = select(delivery.c.alert_id).where(delivery.c.alert_id.in_(alert_ids), delivery.c.poll_at.is_not(None))
    with transaction() as connection:
        return set(connection.execute(query).scalars())


def one_way(before: datetime, limit: int = 1000) -> tuple[Delivery, ...]:
    """Alerts that came by one way only, before the moment, and about which nothing was said yet; oldest first.

    Polled ones only since a webhook has ever delivered: an installation that only polls misses nothing.
    """
    first_webhook = select(func.min(delivery.c.webhook_at)).scalar_subquery()
    only_webhook = delivery.c.poll_at.is_(None) & (delivery.c.webhook_at < before)
    only_poll = delivery.c.webhook_at.is_(None) & (delivery.c.poll_at < before) & (delivery.c.poll_at >= first_webhook)
    query = select(delivery).where(
        delivery.c.alarm.is_(None), delivery.c.settled.is_(None), or_(only_webhook, only_poll)
    )
    order = func.coalesce(delivery.c.webhook_at, delivery.c.poll_at)
    with transaction() as connection:
        rows = connection.execute(query.order_by(order).limit(limit)).mappings().all()
    return tuple(Delivery(**row) for row in rows)


def alarm(alert_id: str, why: str) -> None:
    """Say of an alert that it did not come by the other way; it ends when it comes."""
    _set(alert_id, alarm=why)


def settle(alert_id: str, why: str) -> None:
    """Say why an alert does not have to come by the other way."""
    _set(alert_id, settled=why)


def acknowledge(alert_id: str, why: str) -> bool:
    """A person has looked at an alarm, which ends with it; False: there is no such alarm, or it ended meanwhile."""
    open_alarm = (delivery.c.alert_id == alert_id, delivery.c.alarm.is_not(None), delivery.c.settled.is_(None))
    with transaction() as connection:
        done = connection.execute(delivery.update().where(*open_alarm).values(settled=_text(why, 2000)))
    return done.rowcount == 1


def alarms() -> tuple[Delivery, ...]:
    """Alerts of the last week that still have not come by the other way, oldest first."""
    return _with_alarm(delivery.c.settled.is_(None))


def acknowledged() -> tuple[Delivery, ...]:
    """Such alerts whose alarm a person has ended; `settled` says who, when, why."""
    return _with_alarm(delivery.c.settled.is_not(None))  # nothing else settles an alert after its alarm


def _with_alarm(ended: ColumnElement[bool]) -> tuple[Delivery, ...]:
    came = func.coalesce(delivery.c.webhook_at, delivery.c.poll_at)
    one_way_only = or_(delivery.c.webhook_at.is_(None), delivery.c.poll_at.is_(None))
    query = select(delivery).where(
        delivery.c.alarm.is_not(None),
        ended,
        one_way_only,
        came > datetime.now(UTC) - ALARM_LASTS,
    )
    with transaction() as connection:
        return tuple(Delivery(**row) for row in connection.execute(query.order_by(came)).mappings())


def watermarks() -> tuple[Watermark, ...]:
    """How far each source was taken in."""
    with transaction() as connection:
        rows = connection.execute(select(watermark).order_by(watermark.c.source)).mappings().all()
    return tuple(Watermark(**row) for row in rows)


def move(source: str, at: datetime) -> None:
    """Everything in the source up to `at` was taken in; it never moves back."""
    row = insert(watermark).values(source=source, at=at, moved_at=datetime.now(UTC))
    further = {"at": func.greatest(watermark.c.at, row.excluded.at), "moved_at": row.excluded.moved_at}
    with transaction() as connection:
        connection.execute(row.on_conflict_do_update(index_elements=["source"], set_=further))


def _set(alert_id: str, **values: str) -> None:
    with transaction() as connection:
        connection.execute(
            delivery.update()
            .where(delivery.c.alert_id == alert_id)
            .values({name: _text(value, 2000) for name, value in values.items()})
        )


def _text(value: str, longest: int = 300) -> str:
    return value.replace("\0", "\ufffd")[:longest]
