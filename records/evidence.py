"""What was collected for a case: bytes in the store, their SHA-256 in the ledger, checked at every reading."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import UTC, datetime

from sqlalchemy import func, select

from decisions.evidence import Coverage, Evidence
from records import ledger
from records.database import transaction
from records.evidence_store import EvidenceStore, Folder
from records.tables import evidence as table
from settings.records import records as settings

CASE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")
"""What may name a folder; the case ids of decisions/grouping.py are of this form."""
ENDINGS = {
    "application/json": "json",
    "application/x-ndjson": "jsonl",
    "application/pdf": "pdf",
    "application/gzip": "gz",
    "image/svg+xml": "svg",
    "text/csv": "csv",
    "text/html": "html",
    "text/markdown": "md",
    "text/plain": "txt",
}


class EvidenceDamaged(Exception):
    """The stored bytes are gone or are not those that were collected."""


def store(
    case_id: str, what: str, source: str, content: bytes, media_type: str, coverage: Coverage | None = None
) -> Evidence:
    """Keep `content` for the case under the next id, durably, with a ledger entry `evidence-collected`.

    What a process wrote that died before its entry was committed is set aside. Raises OSError, ValueError.
    """
    if not CASE_ID.fullmatch(case_id):
        raise ValueError(f"{case_id!r} cannot name a folder of evidence")
    with transaction() as connection:
        ledger.lock(connection, case_id)  # ids are given out one at a time
        number = (
            1
            + connection.execute(
                select(func.coalesce(func.max(table.c.number), 0)).where(table.c.case_id == case_id)
            ).scalar_one()
        )
        ending = ENDINGS.get(media_type.split(";")[0].strip().lower(), "bin")
        collected = Evidence(
            id=f"EV-{number:04d}",
            what=what,
            source=source,
            coverage=coverage,
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            media_type=media_type,
            stored_at=f"{case_id}/EV-{number:04d}-{slug(what)}.{ending}",
            collected_at=datetime.now(UTC),
        )
        document = collected.model_dump(mode="json")
        evidence_store().write(collected.stored_at, content)
        row = {"case_id": case_id, "number": number, "sha256": collected.sha256, "stored_at": collected.stored_at}
        connection.execute(table.insert().values(row | {"document": ledger.canonical(document)}))
        ledger.append_within(connection, case_id, "evidence-collected", "evidence", document)
    return collected


def load(collected: Evidence) -> bytes:
    """The bytes, as collected. Raises EvidenceDamaged if they are missing or their SHA-256 differs."""
    try:
        content = evidence_store().read(collected.stored_at, at_most=collected.size_bytes + 1)
    except OSError as error:
        raise EvidenceDamaged(f"{collected.id} cannot be read at {collected.stored_at}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != collected.sha256:
        raise EvidenceDamaged(f"{collected.id} at {collected.stored_at} was changed after it was collected")
    return content


def listing(case_id: str) -> tuple[Evidence, ...]:
    """Everything collected for the case, in order."""
    query = select(table.c.document).where(table.c.case_id == case_id).order_by(table.c.number)
    with transaction() as connection:
        return tuple(Evidence.model_validate_json(text) for text in connection.execute(query).scalars())


def find(case_id: str, evidence_id: str) -> Evidence | None:
    """One piece by its id (`EV-0001`), or None."""
    return next((e for e in listing(case_id) if e.id == evidence_id), None)


def location(collected: Evidence) -> str:
    """Where a person finds it: an absolute path for the folder store."""
    return evidence_store().location(collected.stored_at)


def evidence_store() -> EvidenceStore:
    """The configured store."""
    return Folder(settings().evidence_dir)


def slug(what: str) -> str:
    """A file name's worth of a sentence: ASCII letters, digits and dashes, whatever it held."""
    plain = unicodedata.normalize("NFKD", what).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].rstrip("-") or "evidence"
