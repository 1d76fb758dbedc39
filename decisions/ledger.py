"""The case ledger: a hash chain of entries, and how it is checked. Folding entries into a case: `decisions/case.py`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import rfc8785
from pydantic import AwareDatetime

from decisions.evidence import Frozen

GENESIS = "0" * 64


class LedgerEntry(Frozen):
    """One thing that happened. `hash` is SHA-256 over RFC 8785 JSON of all the other fields."""

    case: str
    seq: int
    """From 1, without holes."""
    time: AwareDatetime
    kind: str
    """What happened: see `decisions/case.py` for every kind and its data."""
    by: str
    """Component (`receiver`, `flow`, `action`) or an authenticated person (`person:alice@example.com`)."""
    data: dict[str, Any]
    key: str | None = None
    """What makes it happen once: a second append with this key in this case writes nothing."""
    previous: str
    hash: str


class Break(Frozen):
    """One place where a ledger is not what was written."""

    seq: int
    """The entry concerned."""
    what: Literal["changed", "removed", "out-of-order", "unchained"]
    why: str


def canonical_sha256(value: Any) -> str:
    """SHA-256 (hex) over RFC 8785 JSON of a JSON value."""
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()


def entry_fields(entry: LedgerEntry) -> dict[str, Any]:
    """The entry as JSON, its time in UTC: what is hashed (less `hash`) and exported."""
    return entry.model_dump(mode="json") | {"time": entry.time.astimezone(UTC).isoformat()}


def entry_hash(entry: LedgerEntry) -> str:
    """The hash that the entry must bear."""
    return canonical_sha256({k: v for k, v in entry_fields(entry).items() if k != "hash"})


def next_entry(
    case: str, last: tuple[int, str], time: datetime, kind: str, by: str, data: dict[str, Any], key: str | None = None
) -> LedgerEntry:
    """The entry that continues a chain after `last` (seq and hash; `(0, GENESIS)` for the first one)."""
    seq, previous = last
    entry = LedgerEntry(
        case=case, seq=seq + 1, time=time, kind=kind, by=by, data=data, key=key, previous=previous, hash=""
    )
    return entry.model_copy(update={"hash": entry_hash(entry)})


def check_chain(entries: Sequence[LedgerEntry]) -> tuple[Break, ...]:
    """Where the entries are not one whole chain in the order it was written, each place named; empty: it is whole.

    Entries cut off the end leave a whole chain: compare the last hash with one that is known from elsewhere.
    """
    breaks: list[Break] = []
    later = {entry.seq for entry in entries}
    seq, previous = 0, GENESIS
    for entry in entries:
        breaks += _misplaced(entry, seq, later)
        if entry.seq == seq + 1 and entry.previous != previous:
            why = f"entry {entry.seq} does not continue entry {seq}: one of them was exchanged"
            breaks.append(Break(seq=entry.seq, what="unchained", why=why))
        if entry_hash(entry) != entry.hash:
            breaks.append(
                Break(seq=entry.seq, what="changed", why=f"entry {entry.seq} was changed after it was written")
            )
        if entry.case != entries[0].case:
            why = f"entry {entry.seq} belongs to case {entry.case}, not to {entries[0].case}"
            breaks.append(Break(seq=entry.seq, what="unchained", why=why))
        seq, previous = entry.seq, entry.hash
    return tuple(breaks)


def _misplaced(entry: LedgerEntry, seq: int, present: set[int]) -> list[Break]:
    if entry.seq <= seq:
        why = f"entry {entry.seq} stands after entry {seq}: it was moved, or stands twice"
        return [Break(seq=entry.seq, what="out-of-order", why=why)]
    skipped = [n for n in range(seq + 1, min(entry.seq, seq + 1001)) if n not in present]
    if skipped:
        gone = f"entry {skipped[0]} is" if len(skipped) == 1 else f"entries {skipped[0]} to {skipped[-1]} are"
        return [Break(seq=skipped[0], what="removed", why=f"{gone} missing")]
    if entry.seq != seq + 1:
        why = f"entry {entry.seq} stands after entry {seq}: the order was changed"
        return [Break(seq=entry.seq, what="out-of-order", why=why)]
    return []
