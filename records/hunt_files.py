"""Which days the log files are of that came into a store just now."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from records.database import transaction
from records.tables import log_file


def first_day_read(store_id: str, since: datetime) -> tuple[str | None, int]:
    """The earliest day of delivery among files that were read since a moment, and how many of them tell no day."""
    undated = func.count().filter(func.coalesce(log_file.c.day, "") == "")
    query = select(func.min(func.nullif(log_file.c.day, "")), undated)
    read = (log_file.c.reader == store_id, log_file.c.read_at >= since)
    with transaction() as connection:
        row = connection.execute(query.where(*read)).one()
    return row[0], row[1]
