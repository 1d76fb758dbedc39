"""The case ledger: a hash chain of entries, and how it is checked. Folding entries into a case: `decisions/case.py`."""

from __future__ import annotations

import hashlib
from typing import Any

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
    previous: str
    hash: str


def canonical_sha256(value: Any) -> str:
    """SHA-256 (hex) over RFC 8785 JSON of a JSON value."""
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()
