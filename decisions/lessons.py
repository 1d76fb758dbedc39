"""What a finished case teaches: what was not done and why, and what is left to do; only what the case itself shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from decisions.case import Case, fold
from decisions.document import Code, Line, Strong
from decisions.evidence import Known, Unknown, utc
from decisions.findings import Findings, Verdict
from decisions.kibana_links import KibanaPlace
from decisions.ledger import LedgerEntry
from decisions.metrics import Metrics
from decisions.timeline import Moment


@dataclass(frozen=True)
class Reviewed:
    """Everything that a report is drawn from."""

    entries: Sequence[LedgerEntry]
    findings: Findings
    metrics: Metrics
    moments: Sequence[Moment]
    run_url: str | None
    now: datetime
    kibana: KibanaPlace | None = None
    """Where Kibana is; without it the report has no links there."""

    @property
    def verdict_reasons(self) -> tuple[str, ...]:
        """Of the verdict that the ledger holds last."""
        told = next((e for e in reversed(self.entries) if e.kind == "verdict"), None)
        return tuple(map(str, told.data.get("reasons", ()))) if told else ()

    @property
    def case(self) -> Case:
        """The case as its ledger tells it."""
        return fold(self.entries)


def not_done(entries: Sequence[LedgerEntry]) -> tuple[Line, ...]:
    """Declined plans, left-out and failed actions, and what was taken back."""
    found: list[Line] = []
    done = {e.data["action_id"] for e in entries if e.kind == "action-done"}
    for entry in entries:
        data = entry.data
        if entry.kind == "gate-answered" and data["decision"] == "decline":
            found.append(
                (
                    f"The plan of the gate {data['gate']} was declined by ",
                    Code(str(data["approver"])),
                    ": ",
                    Code(str(data["reason"]) or "no reason given"),
                )
            )
        elif entry.kind == "plan-carried-out":
            found += [
                (Code(str(i)), f" was left out at the gate {data['gate']} by its approvers.") for i in data["left_out"]
            ]
        elif entry.kind == "action-failed" and data["action_id"] not in done:
            found.append((Code(str(data["action_id"])), f" failed: {data['error']}"))
        elif entry.kind == "reverted":
            found.append((Code(str(data["action_id"])), f" was taken back at {utc(entry.time)}."))
    return tuple(dict.fromkeys(found))


def recommendations(of: Reviewed) -> tuple[Line, ...]:
    """What the case itself shows to be lacking, most urgent first; nothing general."""
    case, metrics, findings = of.case, of.metrics, of.findings
    if case.verdict is Verdict.EXPECTED:
        return _detection(of)
    todo: list[Line] = []
    todo += [
        (Strong("Do again by hand:"), " ", Code(r.action_id), " is not verified.")
        for r in case.receipts
        if not r.verification.verified
    ]
    if isinstance(metrics.containment, Unknown):
        todo.append(f"See that it is contained: {metrics.containment.why}")
    cuts = {e.actor.cut.how for e in findings.exports if not e.actor.cut.possible}
    todo += [f"Cut the actor off by hand: {how}" for how in sorted(cuts)]
    if metrics.accessed_outside != "no" and any(isinstance(e.instance, Known) for e in findings.exports):
        todo.append("Change every secret that lay on the exported disk: keys, passwords, certificates, tokens.")
    if metrics.accessed_outside == "unknown":
        todo.append("Switch S3 data events on for buckets that exports go to: without them a download leaves no trace.")
    return (*todo, *_detection(of))


def _detection(of: Reviewed) -> tuple[Line, ...]:
    """How the detection may be made better, as far as this case shows."""
    todo: list[Line] = []
    for name, seconds in of.metrics.detection.value.parts if isinstance(of.metrics.detection, Known) else ():
        if seconds > SLOW_SECONDS:
            todo.append(f"Shorten {name}: it took {round(seconds / 60)} minutes of the time to detection.")
    undecided = of.case.assessment.undecided if of.case.assessment else ()
    todo += [f"Make this rule decidable: {rule}" for rule in undecided[:5]]
    return tuple(todo)


SLOW_SECONDS = 900
"""A part of the detection that takes longer is worth a change; CloudTrail itself needs up to 15 minutes."""
