"""From a body to cases: durable first, then decoded, then grouped; what cannot be decoded is quarantined, never dropped.

The HTTP door and `vmexport ingest` come through here alike.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from decisions.alert import decode
from records import inbox

log = logging.getLogger("vmexport.receiver")


@dataclass(frozen=True)
class TakenIn:
    """What became of one body."""

    inbox_id: int
    cases: tuple[str, ...]
    """Cases that its exports opened or joined; empty: quarantined."""
    problems: tuple[str, ...]


def catch_up() -> tuple[str, ...]:
    """Work through bodies that were stored and not assigned, because something was missing then; their cases.

    Raises what `work` raises: the rest waits for the next call.
    """
    return tuple(case for item in inbox.pending() for case in work(item.id, item.body).cases)


def work(inbox_id: int, body: bytes) -> TakenIn:
    """Decode and group a body that is already stored; a second call for one body changes nothing.

    Raises SQLAlchemyError or OrganizationUnusable; the body then stays pending.
    """
    try:
        decoded = decode(body)
    except Exception as error:
        log.exception("body %s of the inbox could not be decoded", inbox_id)
        why = (
            f"decoding it failed ({type(error).__name__}); this is a defect of the decoder, and its log has the details"
        )
        inbox.quarantine(inbox_id, why)
        return TakenIn(inbox_id, (), (why,))
    if not decoded.events:
        why = "; ".join(decoded.problems) or "it holds no export of a virtual machine"
        inbox.quarantine(inbox_id, why)
        return TakenIn(inbox_id, (), (why,))
    assigned = inbox.assign(inbox_id, decoded.events, decoded.problems)
    cases = tuple(dict.fromkeys(a.case_id for a in assigned))
    return TakenIn(inbox_id, cases, decoded.problems)
