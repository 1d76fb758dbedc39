"""The ledger of each case: appended to, never changed; one chain per case however many processes write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import rfc8785
from sqlalchemy import Connection, Row, select
from sqlalchemy.dialects.postgresql import insert

from decisions.ledger import GENESIS, LedgerEntry, next_entry
from records.database import transaction
from records.tables import chain, ledger


class NotJson(ValueError):
    """The data of an entry cannot be written as canonical JSON, so it could not be proved later."""


class LedgerDamaged(Exception):
    """The database holds something in place of an entry that is none."""


def append(case_id: str, kind: str, by: str, data: Mapping[str, Any], *, key: str | None = None) -> LedgerEntry:
    """Write one entry and return it; with a `key` that the case already has, write nothing and return that first entry.

    `kind` and `data`: decisions/case.py. Raises NotJson.
    """
    with transaction() as connection:
        return append_within(connection, case_id, kind, by, data, key=key)


def append_within(
    connection: Connection, case_id: str, kind: str, by: str, data: Mapping[str, Any], *, key: str | None = None
) -> LedgerEntry:
    """`append` as a part of the caller's transaction, which holds the case's chain until it ends."""
    written = canonical(data)
    last = lock(connection, case_id)
    if key is not None and (first := _find(connection, case_id, key)):
        return first
    entry = next_entry(case_id, last, datetime.now(UTC), kind, by, json.loads(written), key)
    row = {**entry.model_dump(exclude={"case", "data"}), "case_id": case_id, "data": written}
    connection.execute(ledger.insert().values(row))
    connection.execute(chain.update().where(chain.c.case_id == case_id).values(seq=entry.seq, hash=entry.hash))
    return entry


def lock(connection: Connection, case_id: str) -> tuple[int, str]:
    """Hold the case's chain until the transaction ends; the seq and hash of its last entry."""
    connection.execute(insert(chain).values(case_id=case_id, seq=0, hash=GENESIS).on_conflict_do_nothing())
    row = connection.execute(
        select(chain.c.seq, chain.c.hash).where(chain.c.case_id == case_id).with_for_update()
    ).one()
    return row.seq, row.hash


def entries(case_id: str, kind: str | None = None) -> tuple[LedgerEntry, ...]:
    """The case's entries in order, all or of one kind; empty for a case that does not exist. Raises LedgerDamaged."""
    with transaction() as connection:
        return entries_within(connection, case_id, kind)


def entries_within(connection: Connection, case_id: str, kind: str | None = None) -> tuple[LedgerEntry, ...]:
    """`entries` as a part of the caller's transaction."""
    query = select(ledger).where(ledger.c.case_id == case_id).order_by(ledger.c.seq)
    if kind is not None:
        query = query.where(ledger.c.kind == kind)
    return tuple(_entry(row) for row in connection.execute(query))


def find(case_id: str, key: str) -> LedgerEntry | None:
    """The entry with this key, or None."""
    with transaction() as connection:
        return _find(connection, case_id, key)


def head(case_id: str) -> tuple[int, str]:
    """Seq and hash of the last entry, as kept beside the ledger: `(0, GENESIS)` for a case that does not exist."""
    with transaction() as connection:
        row = connection.execute(select(chain.c.seq, chain.c.hash).where(chain.c.case_id == case_id)).one_or_none()
    return (row.seq, row.hash) if row else (0, GENESIS)


def cases() -> tuple[str, ...]:
    """Ids of all cases, oldest first."""
    query = select(ledger.c.case_id).where(ledger.c.seq == 1).order_by(ledger.c.time, ledger.c.case_id)
    with transaction() as connection:
        return tuple(connection.execute(query).scalars())


def canonical(data: Mapping[str, Any]) -> str:
    """RFC 8785 text of a JSON object. Raises NotJson."""
    try:
        return rfc8785.dumps(dict(data)).decode()
    except (ValueError, RecursionError) as error:  # also what UTF-8 cannot hold: lone surrogates
        raise NotJson(f"the entry cannot be written as canonical JSON: {error}") from error


def _find(connection: Connection, case_id: str, key: str) -> LedgerEntry | None:
    row = connection.execute(select(ledger).where(ledger.c.case_id == case_id, ledger.c.key == key)).one_or_none()
    return _entry(row) if row else None


def _entry(row: Row[Any]) -> LedgerEntry:
    fields = dict(row._mapping)
    case, data = fields.pop("case_id"), fields.pop("data")
    try:
        return LedgerEntry(case=case, data=json.loads(data), **fields)
    except (ValueError, RecursionError) as error:
        raise LedgerDamaged(f"entry {row.seq} of {case} was changed: it is not an entry any more") from error
