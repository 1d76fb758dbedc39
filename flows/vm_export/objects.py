"""The exported objects: what lies in the bucket, and who read it, with what is not recorded of that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from decisions.activity import LogAnswer, LogRecord
from decisions.evidence import Known, Unknown, utc
from decisions.exposure import ObjectRead, object_reads
from decisions.facts import DataEvents, left
from decisions.findings import ExportFacts
from decisions.organization import Organization
from decisions.resources import BucketState, ObjectVersion
from flows.vm_export.collection import Collection
from tasks import cloudtrail, s3
from tasks.logs import questions
from tasks.logs.interface import ObjectPlace, Scope

States = dict[str, Known[BucketState] | Unknown]


@dataclass
class Objects:
    """Versions by bucket, with the evidence by question."""

    answers: dict[str, Known[tuple[ObjectVersion, ...]] | Unknown] = field(default_factory=dict)
    evidence: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass
class Reads:
    """Reads by `bucket/key`, what may be missing from them, and the evidence by question."""

    answers: dict[str, Known[tuple[ObjectRead, ...]] | Unknown] = field(default_factory=dict)
    gaps: dict[str, tuple[str, ...]] = field(default_factory=dict)
    evidence: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where the image of an export lies, or will."""

    bucket: BucketState
    at: ObjectPlace
    since: datetime

    @property
    def name(self) -> str:
        """`bucket/key`; a key of which only the beginning is known ends with `*`."""
        return f"{self.at.bucket}/{self.at.key}{'*' if self.at.key_is_prefix else ''}"


def places(exports: Sequence[ExportFacts], states: States) -> tuple[Place, ...]:
    """Each place once, since the first export to it."""
    found: dict[str, Place] = {}
    for export in sorted(exports, key=lambda e: e.event.event_time):
        bucket = states.get(export.bucket.value) if isinstance(export.bucket, Known) else None
        if left(export) and isinstance(bucket, Known) and isinstance(export.key, Known):
            at = ObjectPlace(bucket=bucket.value.bucket, key=export.key.value, key_is_prefix=export.key_is_prefix)
            place = Place(bucket.value, at, export.event.event_time)
            found.setdefault(place.name, place)
    return tuple(found.values())


async def object_versions(collection: Collection, exports: Sequence[ExportFacts], states: States) -> Objects:
    """Versions of the exported images, by bucket; what could be listed of a bucket counts where a part could not."""
    objects = Objects()
    for name, state in states.items():
        if isinstance(state, Unknown):
            objects.answers[name] = state
    for place, collected in await _each(places(exports, states), lambda p: _versions(collection, p)):
        objects.evidence[f"versions of {place.name}"] = collected.evidence
        before = objects.answers.get(place.at.bucket)
        if isinstance(before, Known) and isinstance(collected.answer, Known):
            whole = tuple(dict.fromkeys((*before.value, *collected.answer.value)))
            objects.answers[place.at.bucket] = before.model_copy(update={"value": whole})
        elif not isinstance(before, Known):
            objects.answers[place.at.bucket] = collected.answer
    return objects


async def _versions(collection: Collection, place: Place) -> Any:
    b, at = place.bucket, place.at
    what = f"versions of {place.name}"
    return await collection.ask(what, s3.object_versions, b.account, b.region, at.bucket, at.key, at.key_is_prefix)


async def reads_of(
    collection: Collection,
    exports: Sequence[ExportFacts],
    states: States,
    ours: Organization,
    now: datetime,
    heard: Sequence[LogRecord] = (),
) -> Reads:
    """Who read each image since its export began. No record is an answer only where every read is recorded.

    `heard`: reads that hunts found, and that the logs asked here need not hold.
    """
    reads = Reads()
    for place, (answer, evidence) in await _each(places(exports, states), lambda p: _reads(collection, p, now)):
        reads.evidence[f"reads of {place.name}"] = evidence
        if isinstance(answer, Unknown):
            reads.answers[place.name] = answer
            continue
        found = object_reads(answer.value.records, ours, place.at.bucket)
        gaps = answer.value.coverage.gaps
        reads.gaps[place.name] = gaps
        if found or answer.value.coverage.complete:
            reads.answers[place.name] = Known(value=found, source=answer.source, asked_at=answer.asked_at)
        else:
            why = f"No read was found, but not every read is recorded: {' '.join(gaps)}"
            reads.answers[place.name] = Unknown(why=why, source=answer.source, asked_at=answer.asked_at)
    await _add_heard(reads, collection, places(exports, states), heard, ours, now)
    return reads


async def _add_heard(
    reads: Reads,
    collection: Collection,
    lie: Sequence[Place],
    heard: Sequence[LogRecord],
    ours: Organization,
    now: datetime,
) -> None:
    """What hunts found counts where the image lies, or where the log says, if that is not known."""
    for record in heard:
        place = _read_where(record, lie)
        found = object_reads([record], ours)
        before = reads.answers.get(place)
        known = before.value if isinstance(before, Known) else ()
        if not found or found[0].event_id in {read.event_id for read in known}:
            continue
        if isinstance(before, Unknown):
            reads.gaps[place] = (*reads.gaps.get(place, ()), before.why)
        told = tuple(sorted((*known, *found), key=lambda read: read.time))
        reads.answers[place] = Known(value=told, source="hunt", asked_at=now)
        answer = Known(value=record, source=record.origin, asked_at=now)
        kept = await collection.keep(f"read of {place} that a hunt found", answer)
        question = f"reads of {place}"
        reads.evidence[question] = (*reads.evidence.get(question, ()), *kept)


def _read_where(record: LogRecord, lie: Sequence[Place]) -> str:
    told = json.dumps([record.request_parameters, record.resources], ensure_ascii=False)
    named = next((place.name for place in lie if json.dumps(place.at.key, ensure_ascii=False)[1:-1] in told), None)
    parameters = record.request_parameters
    return named or f"{parameters.get('bucketName', 'a bucket that is not told')}/{parameters.get('key', '')}"


async def _reads(
    collection: Collection, place: Place, now: datetime
) -> tuple[Known[LogAnswer] | Unknown, tuple[str, ...]]:
    b = place.bucket
    recorded = await collection.ask(f"data events of {b.bucket}", cloudtrail.data_events, b.account, b.region, b.bucket)
    gaps = _not_recorded(recorded.answer, b, place.since)
    scope = Scope(accounts=(b.account,), regions=(b.region,), since=place.since, until=max(now, place.since))
    found = await collection.ask(f"reads of {place.name}", questions.object_reads, place.at, scope, gaps)
    return found.answer, (*recorded.evidence, *found.evidence)


def _not_recorded(events: Known[DataEvents] | Unknown, bucket: BucketState, since: datetime) -> tuple[str, ...]:
    """Why reads of the bucket's objects may have left no record."""
    if isinstance(events, Unknown):
        return (f"Whether CloudTrail records reads of {bucket.bucket} is not known: {events.why}",)
    told = events.value
    if told.on:
        late = told.since is not None and told.since > since
        return (
            (f"Data events of {bucket.bucket} are recorded only since {utc(told.since)}.",)
            if told.since and late
            else ()
        )
    off = f"S3 data events are off for bucket {bucket.bucket}: CloudTrail does not record reads of its objects."
    no_log = () if bucket.logging_target else (f"Server access logs are off for bucket {bucket.bucket}.",)
    return (off, *told.partial, *no_log)


async def _each(places: Sequence[Place], ask: Any) -> list[tuple[Place, Any]]:
    return list(zip(places, await asyncio.gather(*(ask(p) for p in places)), strict=True))
