"""Which case an export belongs to already."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from records.database import transaction
from records.tables import case_key


def cases_of(dedupe_keys: Sequence[str]) -> dict[str, str]:
    """Key -> case, for those keys of `decisions.grouping.dedupe_keys` that a case has."""
    query = select(case_key.c.key, case_key.c.case_id).where(
        case_key.c.use == "dedupe", case_key.c.key.in_(list(dedupe_keys))
    )
    with transaction() as connection:
        return {row.key: row.case_id for row in connection.execute(query)}
