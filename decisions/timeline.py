"""What happened, in order: the actor's calls, what changed who may read, reads of the image, and the response to it.

Moments come from log records and from the case's ledger; each says where it was read and which evidence holds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from decisions.activity import LogRecord
from decisions.case import fold
from decisions.document import Code, Inline, Line, parts
from decisions.evidence import Known, utc
from decisions.export import ExportApi, ExportEvent
from decisions.findings import ExportFacts, Findings
from decisions.ledger import LedgerEntry
from decisions.organization import Organization
from decisions.readable import by_responder
from decisions.story import caller_words, tell

Lane = Literal["actor", "others", "detection", "people", "response"]
ALIKE = timedelta(minutes=10)
"""Reading calls of one kind that follow each other within this time are one moment."""


@dataclass(frozen=True)
class Moment:
    """One thing that happened, or several alike that followed each other."""

    time: datetime
    lane: Lane
    """Whose doing it was: `actor`, `others` (who else touched what the case is about), `detection`, `people`, `response`."""
    what: Line
    """The sentence; a caller is named as people name them, in full in `caller`."""
    source: str
    evidence: tuple[str, ...] = ()
    event_id: str | None = None
    detail: bool = False
    """Of interest only to who wants all of it: reading calls, and steps of our own."""
    count: int = 1
    until: datetime | None = None
    caller: str | None = None
    """ARN or other name of who called, as it was found."""

    @property
    def text(self) -> str:
        """The sentence without its form."""
        return "".join(p if isinstance(p, str) else p.text for p in parts(self.what))


def timeline(
    entries: Sequence[LedgerEntry], findings: Findings | None, organization: Organization
) -> tuple[Moment, ...]:
    """Every moment of the case, oldest first; without findings only what alerts and ledger tell."""
    case = fold(entries)
    kept = {e.what: e.id for e in case.evidence}
    exports = {e.event_id: _export(e, "the alert") for e in case.exports}
    found: list[Moment] = []
    if findings:
        exports |= {e.event.event_id: _export(e.event, "CloudTrail", e.evidence) for e in findings.exports}
        actor = Callers.behind(findings.exports)
        found = [*_read(findings, kept, actor)]
        told = {*exports, *(m.event_id for m in found if m.event_id)}
        found += _recorded(findings, organization, kept, told, actor)
    said = [m for entry in entries if (m := _entry(entry))]
    detected = [m for e in case.exports if (m := _detected(e))]
    ordered = sorted([*exports.values(), *found, *said, *detected], key=lambda m: (m.time, m.lane, m.event_id or ""))
    return tuple(_together(ordered))


def _export(event: ExportEvent, source: str, evidence: Sequence[str] = ()) -> Moment:
    who = event.principal_arn or event.principal_id or event.access_key_id or "an unknown caller"
    what = event.task_id or event.instance_id or event.image_id or event.event_id
    line: list[Inline] = [*caller_words(who), f" called {event.api} for ", Code(what), f": {event.outcome}"]
    if event.bucket:
        line += [", to ", Code(f"s3://{event.bucket}/{event.prefix or ''}")]
    return Moment(event.event_time, "actor", line, source, tuple(evidence), event.event_id, caller=who)


def _detected(event: ExportEvent) -> Moment | None:
    if event.alert_created is None:
        return None
    line = ("Alert: ", Code(event.alert_rule or "a rule that is not named"))
    return Moment(event.alert_created, "detection", line, "the alert", (), f"alert {event.alert_id or event.event_id}")


def _recorded(
    findings: Findings, organization: Organization, kept: dict[str, str], told: set[str], actor: Callers
) -> Iterator[Moment]:
    """Log records, each once however many questions it answers; exports and reads are told elsewhere."""
    seen = set(told)
    for question, answer in findings.activity.items():
        for record in answer.value.records if isinstance(answer, Known) else ():
            if record.event_id in seen or by_responder(record, organization):  # the ledger tells what ours were for
                continue
            seen.add(record.event_id)
            evidence = (kept[question],) if question in kept else ()
            yield _call(record, actor.made(record), evidence)


@dataclass(frozen=True)
class Callers:
    """The identities behind a case's exports."""

    keys: frozenset[str]
    arns: frozenset[str]

    @classmethod
    def behind(cls, exports: Sequence[ExportFacts]) -> Callers:
        """Every identity of every chain that names a key or a principal."""
        hops = [h for e in exports for h in (e.actor, *e.actor.chain)]
        keys = frozenset(h.access_key_id for h in hops if h.access_key_id)
        return cls(keys, frozenset(h.principal_arn for h in hops if h.principal_arn))

    def made(self, record: LogRecord) -> bool:
        """Whether one of them made a call."""
        return record.access_key_id in self.keys or record.principal_arn in self.arns


def _call(record: LogRecord, by_actor: bool, evidence: tuple[str, ...]) -> Moment:
    who = record.principal_arn or record.principal_id or record.invoked_by or "an unknown caller"
    line: list[Inline] = [*caller_words(who), f" called {record.event_name}"]
    target = next((v for k in TARGETS if isinstance(v := record.request_parameters.get(k), str) and v), None)
    line += [" on ", Code(target)] if target else []
    line += [" from ", Code(record.source_address)] if record.source_address else []
    line += [": ", Code(record.error_code)] if record.error_code else []
    detail = record.read_only is not False or (
        record.error_code is not None and record.event_name not in set(ExportApi)
    )
    source = "S3 access log" if record.category == "access-log" else "CloudTrail"
    lane: Lane = "actor" if by_actor else "others"
    return Moment(record.time, lane, line, source, evidence, record.event_id, detail, caller=who)


TARGETS = (
    "bucketName", "userName", "roleName", "policyArn", "roleArn", "instanceId", "imageId", "snapshotId", "name",
)  # fmt: skip
"""Parameters that name what a call was about."""


def _read(findings: Findings, kept: dict[str, str], actor: Callers) -> Iterator[Moment]:
    for place, answer in findings.reads.items():
        found = kept.get(f"reads of {place}")
        for read in answer.value if isinstance(answer, Known) else ():
            where = {True: "from OUTSIDE", False: "from inside", None: "whether from outside is not known"}[
                read.outside
            ]
            line: list[Inline] = [
                Code(read.who),
                " read ",
                Code(f"s3://{place}"),
                f" ({read.operation}), {where}. {read.why}",
            ]
            lane: Lane = "actor" if read.principal_arn in actor.arns else "others"
            yield Moment(read.time, lane, line, "S3", (found,) if found else (), read.event_id, caller=read.who)


def _entry(entry: LedgerEntry) -> Moment | None:
    told = tell(entry)
    if told is None:
        return None
    lane, line, detail = told
    return Moment(entry.time, lane, line, f"ledger {entry.seq}", _cited(entry), f"{entry.case}/{entry.seq}", detail)


def _cited(entry: LedgerEntry) -> tuple[str, ...]:
    return (str(entry.data["id"]),) if entry.kind == "evidence-collected" else ()


def _together(ordered: Sequence[Moment]) -> Iterator[Moment]:
    """Reading calls of the same words that follow each other, as one moment with its number."""
    held: Moment | None = None
    for moment in ordered:
        if held and _alike(held, moment):
            held = replace(held, count=held.count + 1, until=moment.time)
            continue
        if held:
            yield held
        held = moment
    if held:
        yield held


def _alike(first: Moment, then: Moment) -> bool:
    close = then.time - (first.until or first.time) <= ALIKE
    return (
        first.detail
        and then.detail
        and close
        and (first.lane, first.text, first.caller) == (then.lane, then.text, then.caller)
    )


def as_json(moment: Moment) -> dict[str, Any]:
    """One moment for a machine; absent fields null."""
    return {
        "time": utc(moment.time),
        "until": utc(moment.until) if moment.until else None,
        "lane": moment.lane,
        "what": moment.text,
        "caller": moment.caller,
        "count": moment.count,
        "source": moment.source,
        "evidence": list(moment.evidence),
        "event_id": moment.event_id,
        "detail": moment.detail,
    }
