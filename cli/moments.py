"""Moments as they are written on the command line: `90d` (so many days ago), `2026-03-01`, an ISO 8601 moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from datetime import datetime

WHEN = "400d (so many days ago), 2026-03-01 or an ISO 8601 moment (UTC without an offset)"


@overload
def moment(option: str, text: str) -> datetime: ...
@overload
def moment(option: str, text: str | None) -> datetime | None: ...
def moment(option: str, text: str | None) -> datetime | None:
    """The moment that an option names; None where it was not given. Raises UsageProblem."""
    from datetime import UTC, datetime

    from cli.console import UsageProblem
    from tasks.hunting.hunt import day

    if text is None:
        return None
    try:
        return day(text, datetime.now(UTC))
    except (ValueError, OverflowError) as error:
        raise UsageProblem(f"{option} {text!r} is no time. Write {WHEN}.") from error
