"""The four metrics of the playbook, each measured between two moments that are named, or unknown and why.

Null is not zero, and a negative duration is a definition or a clock that is wrong: it is named, never reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime

from decisions.approval import Approval
from decisions.case import fold
from decisions.document import Line, Strong
from decisions.evidence import Evidence, Frozen, Known, Unknown, utc
from decisions.export import ExportEvent
from decisions.facts import left
from decisions.findings import Findings
from decisions.ledger import LedgerEntry
from decisions.organization import Organization
from decisions.readable import Exposure, Readings, Span, exposure
from decisions.receipt import Receipt

COPIES = "forensics.copy-export"
"""Stands in the containment plan and contains nothing: how long the copy takes does not count."""


class Duration(Frozen):
    """Seconds between two moments, each said in words."""

    seconds: float
    since: AwareDatetime
    since_what: str
    until: AwareDatetime
    until_what: str
    parts: tuple[tuple[str, float], ...] = ()
    """What it is made of, where that is known: name and seconds."""
    notes: tuple[str, ...] = ()


Measured = Known[Duration] | Unknown


Accessed = Literal["yes", "no", "unknown"]


class Metrics(Frozen):
    """The four metrics, with what they rest on."""

    detection: Measured
    containment: Measured
    accessed_outside: Accessed
    accessed_reasons: tuple[str, ...]
    exposure: Known[Exposure] | Unknown

    def figures(self) -> dict[str, Any]:
        """Flat, for machines: null where it is unknown. `exposure_s` is the longest that it can have been."""
        known = self.exposure.value if isinstance(self.exposure, Known) else None
        return {
            "time_to_detection_s": _seconds(self.detection),
            "time_to_containment_s": _seconds(self.containment),
            "accessed_outside": self.accessed_outside,
            "exposure_s": known.most_s if known else None,
            "exposure_at_least_s": known.least_s if known else None,
        }


def measure(
    entries: Sequence[LedgerEntry], findings: Findings, readings: Readings, ours: Organization, now: datetime
) -> Metrics:
    """All four, from the ledger, what was found, and everything that was read of bucket, task and image."""
    case = fold(entries)
    taken_in = next((e.time for e in entries if e.kind == "alert-joined"), None)
    detected = detection(case.exports, taken_in, now)
    exposed = exposure(entries, findings, readings, ours, now)
    accessed, reasons = accessed_outside(findings, case.evidence, exposed)
    return Metrics(
        detection=detected,
        containment=containment(entries, detected, now),
        accessed_outside=accessed,
        accessed_reasons=reasons,
        exposure=exposed,
    )


def detection(exports: Sequence[ExportEvent], taken_in: datetime | None, now: datetime) -> Measured:
    """From the first request to the first alert; split into CloudTrail's delivery and the rule's interval where told.

    `taken_in`: when the first alert reached us, which counts where no alert tells when it was made.
    """
    if not exports:
        return _unknown("The case has no export.", now)
    first = min(exports, key=lambda e: e.event_time)
    alerts = [e for e in exports if e.alert_created is not None]
    told = min(alerts, key=lambda e: e.alert_created or e.event_time, default=None)
    if told is not None and told.alert_created is not None:
        made, what = told.alert_created, "the alert was made"
    elif taken_in is not None:
        made, what = (
            taken_in,
            "the first alert was taken in; it does not tell when it was made, so this is the longest it can be",
        )
    else:
        return _unknown("No alert tells when it was made, and none was taken in.", now)
    return _between(first.event_time, f"{first.api} was called", made, what, now, _split(first, told))


def _split(first: ExportEvent, told: ExportEvent | None) -> tuple[tuple[str, float], ...]:
    """Only where one record tells all three moments; a negative part means that they cannot be compared."""
    if told is None or told.event_id != first.event_id or told.ingested is None or told.alert_created is None:
        return ()
    delivery = (told.ingested - told.event_time).total_seconds()
    rule = (told.alert_created - told.ingested).total_seconds()
    return (("CloudTrail's delivery", delivery), ("the rule's interval", rule)) if min(delivery, rule) >= 0 else ()


def containment(entries: Sequence[LedgerEntry], detected: Measured, now: datetime) -> Measured:
    """From the alert to the last effect of containment that was verified. A write that AWS took is not yet one."""
    case = fold(entries)
    carried = [e.data for e in entries if e.kind == "plan-carried-out" and e.data["gate"] == "containment"]
    if not carried:
        why = "No containment was carried out" + (f": the verdict is {case.verdict}." if case.verdict else ".")
        return _unknown(why, now)
    if failed := carried[-1]["failed"]:
        return _unknown(f"Containment is not complete: {failed[0]}", now)
    plans = {c["plan_hash"] for c in carried}
    effects = [r for r in _newest(entries) if r.plan_hash in plans and r.kind != COPIES]
    if unverified := [r.action_id for r in effects if r.verified_at is None]:
        return _unknown(f"The effect of {', '.join(unverified)} was never verified.", now)
    if not effects:
        return _unknown("Every action of the containment was left out.", now)
    if isinstance(detected, Unknown):
        return _unknown(f"It counts from the detection, which is unknown: {detected.why}", now)
    last = max(effects, key=_verified)
    start = detected.value
    what = f"the effect of {last.action_id}, the last of {len(effects)}, was verified"
    measured = _between(start.until, start.until_what, _verified(last), what, now)
    return _noted(measured, _left_out(case.approvals, plans))


def _left_out(approvals: Sequence[Approval], plans: set[str]) -> tuple[str, ...]:
    ids = sorted({i for a in approvals if a.plan_hash in plans for i in a.leave_out})
    return (f"Left out by the approvers, so not in force: {', '.join(ids)}.",) if ids else ()


def _newest(entries: Sequence[LedgerEntry]) -> tuple[Receipt, ...]:
    """The newest receipt of each action, also of those that were taken back later: they did contain."""
    done = [Receipt.model_validate(e.data) for e in entries if e.kind == "action-done"]
    return tuple({r.action_id: r for r in done}.values())


def _verified(receipt: Receipt) -> datetime:
    if receipt.verified_at is None:
        raise ValueError(f"{receipt.action_id} was not verified")
    return receipt.verified_at


def accessed_outside(
    findings: Findings, evidence: Sequence[Evidence], exposed: Known[Exposure] | Unknown
) -> tuple[Accessed, tuple[str, ...]]:
    """Whether somebody outside read the image. `no` only where every read is recorded, to the end of the exposure."""
    if not any(left(e) for e in findings.exports):
        return "no", ("No export was accepted, so there is no image to read.",)
    outside: list[str] = []
    doubts: list[str] = []
    for place, answer in findings.reads.items():
        if isinstance(answer, Unknown):
            doubts.append(f"Reads of {place}: {answer.why}")
            continue
        outside += [f"{r.who} read s3://{place} at {utc(r.time)}. {r.why}" for r in answer.value if r.outside]
        doubts += [f"{r.who} read s3://{place} at {utc(r.time)}. {r.why}" for r in answer.value if r.outside is None]
        doubts += _not_searched(place, evidence, exposed)
    if outside:
        return "yes", tuple(outside)
    if not findings.reads:
        doubts.append("Nobody could ask who read it: bucket or key is not known.")
    return ("unknown", tuple(doubts)) if doubts else ("no", ("Every read is recorded, and none came from outside.",))


def _not_searched(place: str, evidence: Sequence[Evidence], exposed: Known[Exposure] | Unknown) -> list[str]:
    """What the newest search for reads of a place did not cover."""
    searched = next((e.coverage for e in reversed(evidence) if e.what == f"reads of {place}" and e.coverage), None)
    if searched is None:
        return [f"How far the search for reads of {place} reached is not known."]
    if not searched.complete:
        return [f"Reads of {place}: {gap}" for gap in searched.gaps] or [f"Not every read of {place} is recorded."]
    spans = exposed.value.spans if isinstance(exposed, Known) else ()
    end = max((s.until for s in spans), default=None)
    if isinstance(exposed, Unknown):
        return [f"Until when {place} could be read is not known: {exposed.why}"]
    if end is not None and searched.searched_to < end:
        return [
            f"Reads of {place} after {utc(searched.searched_to)} may not have been delivered yet: look again later."
        ]
    return []


def measured_rows(metrics: Metrics) -> tuple[tuple[Line, ...], ...]:
    """Metric, result and how it was measured, for a table."""
    said: dict[str, Line] = {"yes": Strong("YES"), "no": "no", "unknown": Strong("unknown")}
    return (
        ("Time to detection", *_told(metrics.detection)),
        ("Time to containment", *_told(metrics.containment)),
        (
            "Accessed outside the organization",
            said[metrics.accessed_outside],
            " ".join(metrics.accessed_reasons[:SAID]),
        ),
        ("Duration of exposure", *_exposed(metrics.exposure)),
    )


SAID = 6


def _told(measured: Measured) -> tuple[Line, Line]:
    if isinstance(measured, Unknown):
        return Strong("unknown"), measured.why
    it = measured.value
    parts = f" Of this, {' and '.join(f'{name} took {duration(s)}' for name, s in it.parts)}." if it.parts else ""
    how = f"From {utc(it.since)} ({it.since_what}) to {utc(it.until)} ({it.until_what}).{parts} {' '.join(it.notes)}"
    return duration(it.seconds), how.strip()


def _exposed(exposed: Known[Exposure] | Unknown) -> tuple[Line, Line]:
    if isinstance(exposed, Unknown):
        return Strong("unknown"), exposed.why
    it = exposed.value
    spans = " ".join(f"{s.bucket}, {utc(s.since)} to {utc(s.until)}: {s.why}." for s in merged(it.spans)[:SAID])
    end = " It is not known to have ended." if it.open_end else ""
    how = f"{spans}{end} {' '.join(it.notes)}".strip() or "The image lay where nobody outside could read it."
    if round(it.least_s) == round(it.most_s):
        return duration(it.most_s), how
    return f"{duration(it.least_s)} to {duration(it.most_s)}", how


def merged(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Spans of one bucket and one reason that touch or overlap, as one: two images in one bucket are exposed together."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.bucket, s.why, s.since)):
        last = found[-1] if found else None
        if (
            last
            and (last.bucket, last.why, last.sure) == (span.bucket, span.why, span.sure)
            and span.since <= last.until
        ):
            found[-1] = last.model_copy(update={"until": max(last.until, span.until)})
        else:
            found.append(span)
    return tuple(sorted(found, key=lambda s: (s.since, s.until)))


def duration(seconds: float) -> str:
    """`2 d 03 h`, `1 h 05 min`, `3 min 20 s`, `0 s`."""
    whole = round(seconds)
    for unit, size, below, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part:02d} {below}"
    return f"{whole} s"


def _seconds(measured: Measured) -> float | None:
    return measured.value.seconds if isinstance(measured, Known) else None


def _between(
    since: datetime,
    since_what: str,
    until: datetime,
    until_what: str,
    now: datetime,
    parts: tuple[tuple[str, float], ...] = (),
) -> Measured:
    seconds = (until - since).total_seconds()
    if seconds < 0:
        return _unknown(
            f"The figure would be negative ({seconds:.0f} s): {until_what} at {utc(until)}, before {since_what} at "
            f"{utc(since)}. A clock is wrong, or the two moments are not what they are taken for.",
            now,
        )
    measured = Duration(
        seconds=seconds, since=since, since_what=since_what, until=until, until_what=until_what, parts=parts
    )
    return Known(value=measured, source="metrics", asked_at=now)


def _noted(measured: Measured, notes: tuple[str, ...]) -> Measured:
    if isinstance(measured, Unknown):
        return measured
    return measured.model_copy(update={"value": measured.value.model_copy(update={"notes": notes})})


def _unknown(why: str, now: datetime) -> Unknown:
    return Unknown(why=why, source="metrics", asked_at=now)
