"""Keeps what triage and investigation knew, so that a card can be drawn and a report written long after their run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from decisions.evidence import Evidence, Known
from decisions.export import ExportTask
from decisions.exposure import ObjectRead
from decisions.findings import Findings, Triaged
from decisions.readable import Readings
from decisions.resources import BucketState, ObjectVersion
from records import evidence

T = TypeVar("T")

TRIAGE, INVESTIGATION = "facts of triage", "facts of the investigation"
"""What the evidence is called."""


class FactsUnreadable(ValueError):
    """What was kept was written by another release, in another form."""


def keep(facts: Triaged | Findings) -> Evidence:
    """Store the facts as evidence of their case; what is kept already is not stored again. Raises OSError."""
    what = INVESTIGATION if isinstance(facts, Findings) else TRIAGE
    content = facts.model_dump_json(indent=1).encode()
    last = _last(facts.case_id, what)
    if last is not None and evidence.load(last) == content:
        return last
    return evidence.store(facts.case_id, what, "decisions", content, "application/json")


def latest(case_id: str) -> Triaged | Findings | None:
    """What was known last: the investigation's findings, else triage's facts, else None.

    Raises EvidenceDamaged, FactsUnreadable.
    """
    for what, kind in ((INVESTIGATION, Findings), (TRIAGE, Triaged)):
        if found := _last(case_id, what):
            return _parsed(found, TypeAdapter[Triaged | Findings](kind))
    return None


def reads_known(case_id: str) -> tuple[ObjectRead, ...]:
    """The reads of the image that the response knows of; of facts that cannot be read: none."""
    try:
        known = latest(case_id)
    except (evidence.EvidenceDamaged, FactsUnreadable):
        return ()  # better told twice than not at all
    reads = known.reads.values() if isinstance(known, Findings) else ()
    return tuple(read for answer in reads if isinstance(answer, Known) for read in answer.value)


def readings(findings: Findings) -> Readings:
    """Every state of bucket, task and listing that was read in the case, the newest findings included.

    Raises EvidenceDamaged, FactsUnreadable.
    """
    kept = evidence.listing(findings.case_id)
    tasks = (e.task for e in findings.exports if isinstance(e.task, Known))
    states = (s for s in findings.buckets.values() if isinstance(s, Known))
    listed = (v for v in findings.objects.values() if isinstance(v, Known))
    return Readings(
        buckets=(*_read(kept, "bucket ", TypeAdapter(BucketState)), *states),
        tasks=(*_read(kept, "export task ", TypeAdapter(ExportTask)), *tasks),
        versions=(*_read(kept, "versions of ", TypeAdapter(tuple[ObjectVersion, ...])), *listed),
    )


def _read(kept: tuple[Evidence, ...], what: str, form: TypeAdapter[T]) -> Iterator[Known[T]]:
    for piece in kept:
        if piece.what.startswith(what) and piece.media_type == "application/json":
            yield Known(value=_parsed(piece, form), source=piece.source, asked_at=piece.collected_at)


def _parsed(piece: Evidence, form: TypeAdapter[T]) -> T:
    try:
        return form.validate_json(evidence.load(piece))
    except ValidationError as error:
        why = f"{piece.id} ({piece.what}) is of another release: {error.error_count()} fields do not fit"
        raise FactsUnreadable(why) from error


def _last(case_id: str, what: str) -> Evidence | None:
    return next((e for e in reversed(evidence.listing(case_id)) if e.what == what), None)
