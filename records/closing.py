"""The end of a case: in one transaction with a look whether something joined that nobody has dealt with; and its return."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from decisions.case import CASE_CLOSED, CASE_REOPENED, DOWNLOAD_FOUND, CaseState, fold
from decisions.hunt import HuntFinding, event_of
from decisions.keepable import keepable
from records import ledger
from records.assignment import ASSIGN_LOCK
from records.database import transaction


def close(case_id: str, by: str, data: Mapping[str, Any], known: Collection[str]) -> tuple[str, ...]:
    """Close the case, unless exports joined it, or hunts found reads of its images, whose event ids are not in `known`.

    These are returned, and it stays open. Nothing can join while this looks. A case that is closed already stays as it was
    closed; one that was opened again is closed again.
    """
    with transaction() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": ASSIGN_LOCK})
        ledger.lock(connection, case_id)
        entries = ledger.entries_within(connection, case_id)
        case = fold(entries)
        if case.state is CaseState.CLOSED:
            return ()
        unknown = tuple(e.event_id for e in (*case.exports, *case.downloads) if e.event_id not in known)
        if not unknown:
            ledger.append_within(connection, case_id, CASE_CLOSED, by, data)
        return unknown


@dataclass(frozen=True)
class Told:
    """What a late download meant to one case."""

    case_id: str
    new: bool
    """False: the case's ledger has it already."""
    reopened: bool


def download_within(connection: Connection, case_id: str, download: HuntFinding, by: str) -> Told:
    """Tell a case of a read of its image that a hunt found, once, and open it again if it is closed; one transaction.

    The caller's transaction: what it writes beside, stands or falls with it. Raises ValueError for a finding that holds no
    record.
    """
    if download.record is None:
        raise ValueError(f"finding {download.id} holds no record of a read")
    connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": ASSIGN_LOCK})
    before, _ = ledger.lock(connection, case_id)
    said = {
        "finding": download.id,
        "exports": [event_of(one) for one in download.about],
        "record": keepable(download.record.model_dump(mode="json")),
    }
    # An event id holds what the reader wrote into a key: a hash of it is a key in any database.
    named = hashlib.sha256(download.event_id.encode("utf-8", "surrogatepass")).hexdigest()
    entry = ledger.append_within(connection, case_id, DOWNLOAD_FOUND, by, said, key=f"download:{named}")
    if entry.seq <= before:
        return Told(case_id, new=False, reopened=False)
    closed = fold(ledger.entries_within(connection, case_id)).state is CaseState.CLOSED
    if closed:
        why = f"a hunt found a read of the exported image by {download.event_name} that the response did not know of"
        again = {"finding": download.id, "why": why}
        ledger.append_within(connection, case_id, CASE_REOPENED, by, again, key=f"reopened:{named}")
    return Told(case_id, new=True, reopened=closed)
