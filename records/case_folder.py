"""An exported case: a folder that proves itself, without a database and without us.

ledger.jsonl               every entry as RFC 8785 JSON, one a line
evidence/<case>/EV-…       what was collected
manifest.json              count of entries, hash of the last, SHA-256 of everything; follows from the other two
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rfc8785

from decisions.evidence import Evidence
from decisions.ledger import LedgerEntry, check_chain, entry_fields
from records.evidence_store import EvidenceStore, Folder, files_below

LEDGER, MANIFEST, EVIDENCE = "ledger.jsonl", "manifest.json", "evidence"


def ledger_lines(entries: Sequence[LedgerEntry]) -> bytes:
    """The content of ledger.jsonl."""
    return b"".join(rfc8785.dumps(entry_fields(entry)) + b"\n" for entry in entries)


def manifest(entries: Sequence[LedgerEntry], lines: bytes) -> dict[str, Any]:
    """The content of manifest.json, which follows from the ledger alone."""
    collected, _ = collected_evidence(entries)
    return {
        "case": entries[0].case,
        "entries": len(entries),
        "head": entries[-1].hash,
        "ledger_sha256": hashlib.sha256(lines).hexdigest(),
        "evidence": [{"id": e.id, "path": f"{EVIDENCE}/{e.stored_at}", "sha256": e.sha256} for e in collected],
    }


def manifest_bytes(content: dict[str, Any]) -> bytes:
    """As it is written: for people to read, and the same bytes every time."""
    return json.dumps(content, indent=2, sort_keys=True).encode() + b"\n"


def verify_directory(directory: Path, head: str | None = None) -> tuple[str, ...]:
    """Everything in an exported case that is not as it was written, a sentence each; empty: it is whole.

    `head`: the hash of the last entry, where it is known from elsewhere; without it, somebody who rewrites ledger and
    manifest together can cut entries off the end. Needs no database. A folder that is no export is said to be none.
    """
    folder = Folder(directory)
    try:
        lines = folder.read(LEDGER)
    except OSError as error:
        return (f"{LEDGER} cannot be read: {error.strerror}",)
    entries, problems = _parse(lines)
    problems += [broken.why for broken in check_chain(entries)]
    if not entries:
        return (*problems, f"{LEDGER} holds no entry")
    if head is not None and entries[-1].hash != head:
        problems.append(f"the last entry is {entries[-1].hash}, not {head}: entries were cut off or exchanged")
    problems += _manifest_problems(folder, entries, lines)
    problems += evidence_problems(entries, Folder(directory / EVIDENCE))
    collected, _ = collected_evidence(entries)
    expected = {LEDGER, MANIFEST, *(f"{EVIDENCE}/{e.stored_at}" for e in collected)}
    present = {p.relative_to(directory).as_posix() for p in files_below(directory)}
    return (*problems, *(f"{path!r} does not belong to the case" for path in sorted(present - expected)))


def evidence_problems(entries: Sequence[LedgerEntry], store: EvidenceStore) -> list[str]:
    """What of the collected evidence is missing or changed in the store."""
    collected, problems = collected_evidence(entries)
    for piece in collected:
        try:
            content = store.read(piece.stored_at, at_most=piece.size_bytes + 1)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            problems.append(f"{piece.id} cannot be read at {piece.stored_at!r}: {why}")
            continue
        if hashlib.sha256(content).hexdigest() != piece.sha256:
            problems.append(f"{piece.id} at {piece.stored_at!r} was changed after it was collected")
    return problems


def collected_evidence(entries: Sequence[LedgerEntry]) -> tuple[list[Evidence], list[str]]:
    """The evidence that the ledger names, and the entries that name none as they should."""
    collected: list[Evidence] = []
    problems: list[str] = []
    for entry in entries:
        if entry.kind == "evidence-collected":
            try:
                collected.append(Evidence.model_validate(entry.data))
            except ValueError:
                problems.append(f"entry {entry.seq} does not describe a piece of evidence")
    twice = [name for name, n in Counter(e.id for e in collected).items() if n > 1]
    return collected, problems + [f"{name} was collected more than once" for name in twice]


def _parse(lines: bytes) -> tuple[list[LedgerEntry], list[str]]:
    entries: list[LedgerEntry] = []
    problems: list[str] = []
    *whole, rest = lines.split(b"\n")
    if rest:
        problems.append(f"{LEDGER}: the last line has no end: it was cut off or added to")
    for number, line in enumerate(whole, 1):
        try:
            entry = LedgerEntry.model_validate(json.loads(line))
            same = rfc8785.dumps(entry_fields(entry)) == line
        except (ValueError, RecursionError):
            problems.append(f"{LEDGER} line {number} is not a ledger entry")
            continue
        entries.append(entry)
        if not same:
            problems.append(f"{LEDGER} line {number} was changed: it is not written as it was exported")
    return entries, problems


def _manifest_problems(folder: Folder, entries: Sequence[LedgerEntry], lines: bytes) -> list[str]:
    expected = manifest(entries, lines)
    try:
        written = folder.read(MANIFEST)
    except OSError as error:
        return [f"{MANIFEST} cannot be read: {error.strerror}; the export may not have ended"]
    if written == manifest_bytes(expected):
        return []
    try:
        said = json.loads(written)
        differ = [name for name in expected if said.get(name) != expected[name]]
    except (ValueError, RecursionError, AttributeError):
        return [f"{MANIFEST} was changed: it is not a manifest any more"]
    if "entries" in differ:
        return [f"{MANIFEST} speaks of {str(said.get('entries'))[:20]} entries, {LEDGER} holds {expected['entries']}"]
    return [f"{MANIFEST} does not fit the ledger ({', '.join(differ) or 'other bytes'}): one of them was changed"]
