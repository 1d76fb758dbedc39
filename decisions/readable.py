"""How long somebody outside could read the image: from the moment it lay in the bucket to a verified lock or deletion.

Both ends and what lies between are known only as far as somebody looked, so every duration has a least and a most.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from pydantic import AwareDatetime

from decisions.access import is_public, outsiders
from decisions.activity import LogRecord
from decisions.evidence import Frozen, Known, Unknown, utc
from decisions.export import ExportEvent, ExportTask
from decisions.facts import left
from decisions.findings import Findings
from decisions.ledger import LedgerEntry
from decisions.organization import Organization
from decisions.resources import BucketState, ObjectVersion
from decisions.statements import PERMISSIONS

LOCK, DELETE = "s3.lock-export", "s3.delete-export"


class Readings(Frozen):
    """Every answer that was kept of a bucket, task or listing, with the moment it was read."""

    buckets: tuple[Known[BucketState], ...] = ()
    tasks: tuple[Known[ExportTask], ...] = ()
    versions: tuple[Known[tuple[ObjectVersion, ...]], ...] = ()


class Span(Frozen):
    """A time in which the image lay where outsiders could read it, surely or perhaps."""

    bucket: str
    since: AwareDatetime
    until: AwareDatetime
    sure: bool
    why: str


class Exposure(Frozen):
    """The union of all spans over all buckets."""

    least_s: float
    most_s: float
    spans: tuple[Span, ...]
    open_end: bool
    """It is not known to have ended."""
    notes: tuple[str, ...] = ()


def exposure(
    entries: Sequence[LedgerEntry], findings: Findings, readings: Readings, ours: Organization, now: datetime
) -> Known[Exposure] | Unknown:
    """The time in which the image could be read from outside; zero where it never lay in a bucket."""
    spans: list[Span] = []
    notes: list[str] = []
    ends: list[bool] = []
    for export in findings.exports:
        if not left(export):
            notes.append(f"{export.event.event_id}: the request was not accepted, so nothing was written.")
            continue
        if isinstance(export.bucket, Unknown):
            return Unknown(why=export.bucket.why, source="exposure", asked_at=now)
        there = _there(export.event, export.bucket.value, readings, findings, entries, now)
        if there is None:
            notes.append(f"{export.event.event_id}: EC2 says that the image was never written.")
            continue
        found = _open_spans(export.bucket.value, there, entries, findings, readings, ours)
        if isinstance(found, str):
            return Unknown(why=found, source="exposure", asked_at=now)
        spans += found
        ends.append(there.open_end and any(s.until == there.until for s in found))
    changes = findings.activity.get(PERMISSIONS)
    if isinstance(changes, Known):
        notes += [f"Changes of who may read it may be missing: {gap}" for gap in changes.value.coverage.gaps]
    sure = [(s.since, s.until) for s in spans if s.sure]
    whole = Exposure(
        least_s=union_seconds(sure),
        most_s=union_seconds([(s.since, s.until) for s in spans]),
        spans=tuple(sorted(set(spans), key=lambda s: (s.since, s.until))),
        open_end=any(ends),
        notes=tuple(dict.fromkeys(notes)),
    )
    return Known(value=whole, source="exposure", asked_at=now)


def union_seconds(spans: Iterable[tuple[datetime, datetime]]) -> float:
    """Seconds that are in at least one of the spans; spans that end before they begin count nothing."""
    total, reached = 0.0, None
    for since, until in sorted(spans):
        begin = since if reached is None else max(since, reached)
        if until > begin:
            total += (until - begin).total_seconds()
            reached = until
    return total


class _There(Frozen):
    """When the image lay in the bucket."""

    early: AwareDatetime
    late: AwareDatetime
    until: AwareDatetime
    open_end: bool


def _there(
    event: ExportEvent,
    bucket: str,
    readings: Readings,
    findings: Findings,
    entries: Sequence[LedgerEntry],
    now: datetime,
) -> _There | None:
    """None only where EC2 says that the task ended without an image."""
    tasks = [
        t for t in readings.tasks if t.value.bucket == bucket and t.value.task_id in (event.task_id, event.image_id)
    ]
    listed = [(k.asked_at, v) for k in readings.versions for v in k.value if v.bucket == bucket and not v.delete_marker]
    known = (a.value for place, a in findings.reads.items() if isinstance(a, Known) and place.startswith(f"{bucket}/"))
    read = [r.time for reads in known for r in reads]
    seen = [*(t.asked_at for t in tasks if t.value.finished), *(at for at, _ in listed), *read]
    last = max(tasks, key=lambda t: t.asked_at, default=None)
    if not seen and last is not None and not last.value.running and not last.value.finished:
        return None
    early = max(event.event_time, min((v.last_modified for _, v in listed), default=event.event_time))
    ended = None if _still_there(findings, bucket) else max(_verified(entries, DELETE, bucket), default=None)
    return _There(
        early=min([early, *seen]), late=min(seen, default=ended or now), until=ended or now, open_end=ended is None
    )


def _still_there(findings: Findings, bucket: str) -> bool:
    listed = findings.objects.get(bucket)
    return isinstance(listed, Known) and any(not v.delete_marker for v in listed.value)


def _open_spans(
    bucket: str,
    there: _There,
    entries: Sequence[LedgerEntry],
    findings: Findings,
    readings: Readings,
    ours: Organization,
) -> list[Span] | str:
    """The parts of `there` in which outsiders had access, or why nobody can say."""
    states = [r for r in readings.buckets if r.value.bucket == bucket]
    if not states:
        answer = findings.buckets.get(bucket)
        why = answer.why if isinstance(answer, Unknown) else "its settings were never read"
        return f"Who could read {bucket} is not known: {why}"
    locks = _verified(entries, LOCK, bucket)
    changed = sorted({*_changes(findings, bucket, ours), *locks, *_released(entries, bucket)})
    edges = [there.early, *(t for t in changed if there.early < t < there.until), there.until]
    spans: list[Span] = []
    for since, until in pairwise(edges):
        told = [_open(s.value, ours) for s in states if since <= s.asked_at < until or _before(s, since, changed)]
        if since in locks:
            continue
        answer = True if True in told else None if not told or None in told else False
        if answer is not False:
            spans += _cut(bucket, since, until, there.late, answer)
    return spans


def _before(state: Known[BucketState], since: datetime, changed: Sequence[datetime]) -> bool:
    """Whether a reading from before a span still held at its begin: nothing was changed in between."""
    return state.asked_at < since and not any(state.asked_at < c <= since for c in changed)


def _cut(bucket: str, since: datetime, until: datetime, late: datetime, answer: bool | None) -> list[Span]:
    why = "outsiders could read it" if answer else "who could read it then is not known"
    if not answer or late >= until:
        return [Span(bucket=bucket, since=since, until=until, sure=False, why=why)]
    if since >= late:
        return [Span(bucket=bucket, since=since, until=until, sure=True, why=why)]
    maybe = f"{why}; the image may have been there since {utc(since)}"
    return [
        Span(bucket=bucket, since=since, until=late, sure=False, why=maybe),
        Span(bucket=bucket, since=late, until=until, sure=True, why=why),
    ]


def _open(bucket: BucketState, ours: Organization) -> bool | None:
    return True if outsiders(bucket, ours) else is_public(bucket)


def _changes(findings: Findings, bucket: str, ours: Organization) -> list[datetime]:
    """When anybody but our responders changed who may read: theirs counts from its verification."""
    answer = findings.activity.get(PERMISSIONS)
    records: Sequence[LogRecord] = answer.value.records if isinstance(answer, Known) else ()
    about: list[Any] = [r for r in records if r.request_parameters.get("bucketName") == bucket and not r.error_code]
    return [r.time for r in about if not by_responder(r, ours)]


def by_responder(record: LogRecord, ours: Organization) -> bool:
    """Whether a role of ours made a call, by name and account: anybody can name a role of their own account like it."""
    account = (record.issuer_arn or "").split(":")[4:5]
    known = {a.id for a in ours.accounts} | {ours.management_account, ours.forensics_account}
    return set(account) <= known and (record.issuer_arn or "").rpartition("/")[2] in ours.responder_roles


def _verified(entries: Sequence[LedgerEntry], kind: str, bucket: str) -> list[datetime]:
    done = [e.data for e in entries if e.kind == "action-done" and e.data["kind"] == kind and e.data["verified_at"]]
    return [datetime.fromisoformat(d["verified_at"]) for d in done if _bucket_of(d["action_id"]) == bucket]


def _released(entries: Sequence[LedgerEntry], bucket: str) -> list[datetime]:
    back = (e for e in entries if e.kind == "reverted" and str(e.data["action_id"]).startswith(f"{LOCK}:"))
    return [e.time for e in back if _bucket_of(e.data["action_id"]) == bucket]


def _bucket_of(action_id: str) -> str:
    return action_id.split(":", 1)[1].removeprefix("s3://").split("/", 1)[0]
