"""The end of a case: in one transaction with a look whether an export joined that nobody has dealt with."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import text

from decisions.case import CASE_CLOSED, fold
from records import ledger
from records.assignment import ASSIGN_LOCK
from records.database import transaction


def close(case_id: str, by: str, data: Mapping[str, Any], known: Collection[str]) -> tuple[str, ...]:
    """Close the case, unless exports joined it whose event ids are not in `known`; these are returned, and it stays open.

    No export can join while this looks. A case that is closed already stays as it was closed.
    """
    with transaction() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": ASSIGN_LOCK})
        ledger.lock(connection, case_id)
        entries = ledger.entries_within(connection, case_id)
        if any(e.kind == CASE_CLOSED for e in entries):
            return ()
        unknown = tuple(e.event_id for e in fold(entries).exports if e.event_id not in known)
        if not unknown:
            ledger.append_within(connection, case_id, CASE_CLOSED, by, data)
        return unknown
