"""Which case an export belongs to already."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import select

from decisions.case import ALERT_JOINED, ALERT_READ_AGAIN
from decisions.export import ExportEvent
from records.database import transaction
from records.tables import case_key, ledger


def cases_of(dedupe_keys: Sequence[str]) -> dict[str, str]:
    """Key -> case, for those keys of `decisions.grouping.dedupe_keys` that a case has."""
    query = select(case_key.c.key, case_key.c.case_id).where(
        case_key.c.use == "dedupe", case_key.c.key.in_(list(dedupe_keys))
    )
    with transaction() as connection:
        return {row.key: row.case_id for row in connection.execute(query)}


def exports_told() -> tuple[ExportEvent, ...]:
    """Every export that some case has, as its alert tells it where that was read again."""
    query = select(ledger.c.data).where(ledger.c.kind.in_((ALERT_JOINED, ALERT_READ_AGAIN)))
    with transaction() as connection:
        rows = connection.execute(query.order_by(ledger.c.time, ledger.c.case_id, ledger.c.seq)).scalars()
        found = [ExportEvent.model_validate(json.loads(data)["event"]) for data in rows]
    return tuple({event.event_id: event for event in found}.values())
