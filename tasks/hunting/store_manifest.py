"""What the case store's database tells of a Parquet store: which log files did not go into it, or not wholly."""

from __future__ import annotations

from decisions.hunt import FileProblem
from records import hunts, store_parts
from records.database import transaction
from tasks.hunting.coverage import Period
from tasks.hunting.layout import ACCESS, LogFile
from tasks.hunting.store import Store
from tasks.hunting.store_folder import StoreUnusable, identity
from tasks.hunting.table_coverage import NotWhole


def not_whole(store: Store, period: Period) -> NotWhole | None:
    """Of every file that was ever read into it and may tell of the period; None where the database knows nothing of this store.

    Raises NoDatabase, and SQLAlchemy's errors where the database does not answer.
    """
    try:
        reader = identity(store)
    except StoreUnusable:
        return None  # a copy of the parts alone
    with transaction() as connection:
        if not store_parts.totals(connection, reader).files:
            return None
    problems: dict[str, list[FileProblem]] = {"quarantined": [], "damaged": []}
    for file in hunts.files_not_whole(reader):
        # Which kind it is the manifest does not say: access logs come latest.
        if not period.delivers(LogFile(file.key, file.size, ACCESS, day=file.day or "")):
            continue
        why = "; ".join(file.problems) or "it could not be read"
        problems[file.state].append(FileProblem(path=file.key, why=why))
    return NotWhole(tuple(problems["quarantined"]), tuple(problems["damaged"]))
