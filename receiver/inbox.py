"""From a body to cases: durable first, then decoded, then grouped; what cannot be decoded is quarantined, never dropped.

The HTTP door and `vmexport ingest` come through here alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from decisions.alert import decode
from records import inbox


@dataclass(frozen=True)
class TakenIn:
    """What became of one body."""

    inbox_id: int
    cases: tuple[str, ...]
    """Cases that its exports opened or joined; empty: quarantined."""
    problems: tuple[str, ...]


def take_in(body: bytes, source: str, content_type: str | None) -> TakenIn:
    """Store the body, decode it, and open or join its cases. Raises SQLAlchemyError when it cannot be stored."""
    item = inbox.receive(body, source, content_type)
    return work(item.id, body)


def work(inbox_id: int, body: bytes) -> TakenIn:
    """Decode and group a body that is already stored; a second call for one body changes nothing."""
    decoded = decode(body)
    if not decoded.events:
        why = "; ".join(decoded.problems) or "it holds no export of a virtual machine"
        inbox.quarantine(inbox_id, why)
        return TakenIn(inbox_id, (), (why,))
    assigned = inbox.assign(inbox_id, decoded.events)
    cases = tuple(dict.fromkeys(a.case_id for a in assigned))
    return TakenIn(inbox_id, cases, decoded.problems)
