"""A whole case: written into a folder, and proved against what is kept of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select

from decisions.ledger import check_chain
from records import ledger
from records.case_folder import (
    EVIDENCE,
    LEDGER,
    MANIFEST,
    collected_evidence,
    evidence_problems,
    ledger_lines,
    manifest,
    manifest_bytes,
    verify_directory,
)
from records.database import transaction
from records.evidence import evidence_store
from records.evidence_store import Folder
from records.tables import evidence as evidence_table

__all__ = ["export", "verify_case", "verify_directory"]


def export(case_id: str, directory: Path) -> dict[str, Any]:
    """Write the case's ledger, evidence and manifest into a new or empty folder; returns the manifest.

    Evidence is written as it lies in the store, unreadable pieces left out: `verify_directory` names both.
    Raises LookupError for an unknown case, FileExistsError for a folder that holds something.
    """
    entries = ledger.entries(case_id)
    if not entries:
        raise LookupError(f"there is no case {case_id}")
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise FileExistsError(f"{directory} is not empty: an export needs a folder of its own")
    store, into, copies = evidence_store(), Folder(directory), Folder(directory / EVIDENCE)
    for piece in collected_evidence(entries)[0]:
        try:
            content = store.read(piece.stored_at)
        except (OSError, ValueError):
            continue
        copies.write(piece.stored_at, content)
    lines = ledger_lines(entries)
    said = manifest(entries, lines)
    into.write(LEDGER, lines)
    into.write(MANIFEST, manifest_bytes(said))  # last: a folder without one is an export that did not end
    return said


def verify_case(case_id: str) -> tuple[str, ...]:
    """Everything that is not as it was written in the case's ledger, evidence table and store; empty: it is whole.

    Raises LookupError for an unknown case.
    """
    if ledger.head(case_id)[0] == 0:
        raise LookupError(f"there is no case {case_id}")
    store = evidence_store()
    query = select(evidence_table.c.stored_at, evidence_table.c.sha256).where(evidence_table.c.case_id == case_id)
    try:
        with transaction() as connection:  # with the chain held, no file is there whose entry is yet to come
            seq, last_hash = ledger.lock(connection, case_id)
            entries = ledger.entries_within(connection, case_id)
            listed = {row.stored_at: row.sha256 for row in connection.execute(query)}
            present = set(store.listing(case_id))
    except ledger.LedgerDamaged as damage:
        return (str(damage),)
    problems = [broken.why for broken in check_chain(entries)]
    if not entries or (entries[-1].seq, entries[-1].hash) != (seq, last_hash):
        problems.append(f"entry {seq} was written last and is not there as it was: the end was cut off or exchanged")
    problems += evidence_problems(entries, store)
    collected = {e.stored_at: e.sha256 for e in collected_evidence(entries)[0]}
    differ = sorted({path for path, _ in collected.items() ^ listed.items()})
    problems += [f"{path!r} differs between ledger and evidence table" for path in differ]
    extra = sorted(present - set(collected))
    return (*problems, *(f"{path!r} lies in the evidence store, and the ledger does not know it" for path in extra))
