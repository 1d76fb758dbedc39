"""What an action did: the proof that it ran, what was there before, and how it was checked."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime

from decisions.evidence import Frozen


class Verification(Frozen):
    """A check by effect: each probe with its answer."""

    verified: bool
    probes: tuple[str, ...]
    """Sentences: what was tried or read, and what came back."""


class Receipt(Frozen):
    """One carried-out action, as kept in the ledger (`action-done`)."""

    action_id: str
    kind: str
    plan_hash: str
    changed: bool
    before: dict[str, Any]
    after: dict[str, Any]
    request_ids: tuple[str, ...]
    applied_at: AwareDatetime
    verified_at: AwareDatetime | None
    verification: Verification
    inverse: str
    notes: tuple[str, ...] = ()
    custody: dict[str, Any] = {}
