"""Values of a log that a ledger, a database and a JSON file can hold, whatever whoever made the call wrote into it."""

from __future__ import annotations

import math
from typing import Any, cast

from decisions.activity import LogRecord
from decisions.reading import clean

LARGEST_INTEGER = 2**53 - 1
"""RFC 8785 has no form for larger ones."""
DEEPEST = 32


def kept_record(record: LogRecord) -> LogRecord:
    """The record with all that can be kept of it."""
    return LogRecord.model_validate(keepable(record.model_dump()))


def keepable(value: Any, depth: int = 0) -> Any:
    """The value with what has no canonical form as text, and what is nested deeper than 32 levels left out."""
    if depth > DEEPEST:
        return "…"
    if isinstance(value, dict):
        return {clean(str(k)): keepable(v, depth + 1) for k, v in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [keepable(item, depth + 1) for item in cast("list[Any]", value)]
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float) and not (math.isfinite(value) and abs(value) <= LARGEST_INTEGER):
        return str(value)  # what is written as 9007199254740992.0 comes back as an integer
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST_INTEGER:
        return str(value) if value.bit_length() < 10_000 else "a number of more than 3,000 digits"
    return value
