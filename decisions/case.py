"""What a case is: a fold over its ledger. Here stands every kind of entry, with what its data holds.

The ledger is the truth; a `Case` is never stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, Field

from decisions.activity import LogRecord
from decisions.approval import Approval
from decisions.evidence import Evidence, Frozen
from decisions.export import ExportEvent
from decisions.findings import Assessment, Severity, Verdict
from decisions.ledger import LedgerEntry
from decisions.receipt import Receipt

CASE_OPENED = "case-opened"
"""`event_id` of the export that opened it, `inbox` id and `sha256` of the body that told of it."""
ALERT_JOINED = "alert-joined"
"""`event` (ExportEvent), `inbox` id, `sha256` of the body, `joined_by` (the key that two exports share, null for the first),
`related` (other open cases that share a key)."""
ALERT_READ_AGAIN = "alert-read-again"
"""`alert_id`, `told` (event id that the body gave), `event` (the ExportEvent as the alert itself tells it), `differences`
(sentences). What was read again stands in for what was told."""
RUN_STARTED = "run-started"
"""`run` (Prefect's flow run id), `deployment`, `at`."""
EVIDENCE_COLLECTED = "evidence-collected"
"""An `Evidence`."""
ASSESSED = "assessed"
"""`assessment` (Assessment)."""
VERDICT = "verdict"
"""`verdict`, `reasons` and `missing` (sentences)."""
PLAN_PROPOSED = "plan-proposed"
"""A `Proposal` without its seq: `plan`, `suspects`, `requested_by`, `exports`."""
GATE_ASKED = "gate-asked"
"""`gate`, `plan_hash`, `need`, `have`, `asked` (the question's own key), `run`, `until`, `problem`."""
GATE_ANSWERED = "gate-answered"
"""An `Approval`, also one that declines."""
GATE_REFUSED = "gate-refused"
"""`gate`, `plan_hash`, `approver` as given, `refused` (why the answer does not count)."""
ACTION_STARTED = "action-started"
"""`plan_hash`, `action_id`, `before`: what was in force before this case first touched it."""
ACTION_DONE = "action-done"
"""A `Receipt`."""
ACTION_FAILED = "action-failed"
"""`plan_hash`, `action_id`, `error`; `verification` where a revert has no effect."""
PLAN_CARRIED_OUT = "plan-carried-out"
"""`plan_hash`, `gate`, `left_out` (action ids), `failed` (sentences). It uses up the plan's approvals."""
PLAN_STALE = "plan-stale"
"""`plan_hash`, `gate`, `changed` (sentences): nothing was done."""
REVERTED = "reverted"
"""`plan_hash` of the release, `action_id`, `verification`."""
CASE_CLOSED = "case-closed"
"""`verdict` and why it ends; exports that come later open a case of their own."""
DOWNLOAD_FOUND = "download-found"
"""A read of an exported image that a hunt found and the response did not: `finding` (its id), `exports` (event ids of the
exports that it is about), `record` (LogRecord)."""
CASE_REOPENED = "case-reopened"
"""`finding` (id of what was found after the end), `why` (a sentence). The response begins again, and closes the case again."""
REPORT_WRITTEN = "report-written"
"""`html` and `markdown` (where the report lies), `metrics`."""
GAP = "gap"
"""`what` could not be looked at, `why`, and what would close the gap."""
CUSTODY = "custody"
"""One step in the chain of custody: `artefact`, `from`, `to`, `sha256`, `at`, `by`."""

KINDS = frozenset(
    {
        CASE_OPENED, ALERT_JOINED, ALERT_READ_AGAIN, RUN_STARTED, EVIDENCE_COLLECTED, ASSESSED, VERDICT, PLAN_PROPOSED, GATE_ASKED, GATE_ANSWERED,
        GATE_REFUSED, ACTION_STARTED, ACTION_DONE, ACTION_FAILED, PLAN_CARRIED_OUT, PLAN_STALE, REVERTED, CASE_CLOSED,
        DOWNLOAD_FOUND, CASE_REOPENED, REPORT_WRITTEN, GAP, CUSTODY,
    }
)  # fmt: skip


class CaseState(StrEnum):
    """How far the response has come."""

    OPEN = "open"
    CONTAINED = "contained"
    """Every action that people agreed to for containment is in force and verified."""
    CLOSED = "closed"


class Case(Frozen):
    """A case as its ledger tells it now."""

    id: str
    opened_at: AwareDatetime
    updated_at: AwareDatetime
    closed_at: AwareDatetime | None = None
    """None while it is open, also after it was opened again."""
    reopened: int = 0
    """How often it was opened again."""
    state: CaseState = CaseState.OPEN
    exports: tuple[ExportEvent, ...] = ()
    corrections: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Event id of an export whose alert was read again -> where the body had said something else; empty: nowhere."""
    downloads: tuple[LogRecord, ...] = ()
    """Reads of the exported images that hunts found."""
    assessment: Assessment | None = None
    verdict: Verdict | None = None
    missing: tuple[str, ...] = ()
    """Facts that could not be had when the verdict was found, a sentence each."""
    runs: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    approvals: tuple[Approval, ...] = ()
    """Answers that agreed, in order; declines are in `declined`."""
    declined: tuple[Approval, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    """The newest receipt of each action that is in force, in the order they were first done."""
    reverted: tuple[Receipt, ...] = ()
    """What was done and taken back."""
    gaps: tuple[dict[str, Any], ...] = ()
    report: dict[str, Any] | None = None
    seq: int
    """Number of entries it was folded from."""
    head: str
    """Hash of the last of them: whoever keeps it can tell later whether the end of the ledger was cut off."""

    @property
    def severity(self) -> Severity | None:
        """The level of the last assessment; None before triage."""
        return self.assessment.level if self.assessment else None

    @property
    def actors(self) -> tuple[str, ...]:
        """The callers, each once: principal ARN, else principal id, else access key."""
        named = (e.principal_arn or e.principal_id or e.access_key_id for e in self.exports)
        return tuple(dict.fromkeys(name for name in named if name))


def fold(entries: Sequence[LedgerEntry]) -> Case:
    """The case that these entries, in order, tell of; kinds it does not know change nothing but `seq` and `head`.

    Raises LookupError when there are none.
    """
    if not entries:
        raise LookupError("there is no such case: its ledger has no entries")
    first = entries[0]
    case = Case(id=first.case, opened_at=first.time, updated_at=first.time, seq=0, head=first.previous)
    for entry in entries:
        step = _STEPS.get(entry.kind)
        change = step(case, entry) if step else {}
        case = case.model_copy(update=change | {"seq": entry.seq, "head": entry.hash, "updated_at": entry.time})
    return case


Change = dict[str, Any]


def _alert_joined(case: Case, entry: LedgerEntry) -> Change:
    """A new export is not contained by what was done about the earlier ones."""
    event = ExportEvent.model_validate(entry.data["event"])
    state = CaseState.OPEN if case.state is CaseState.CONTAINED else case.state
    return {"exports": (*case.exports, event), "state": state}


def _alert_read_again(case: Case, entry: LedgerEntry) -> Change:
    """The alert as it was read where it came from replaces what a body said of it."""
    event = ExportEvent.model_validate(entry.data["event"])
    told, alert_id = entry.data["told"], entry.data["alert_id"]
    exports = (event if (e.event_id, e.alert_id) == (told, alert_id) else e for e in case.exports)
    differences = (*case.corrections.get(event.event_id, ()), *map(str, entry.data["differences"]))
    return {
        "exports": tuple({e.event_id: e for e in exports}.values()),
        "corrections": case.corrections | {event.event_id: tuple(dict.fromkeys(differences))},
    }


def _run_started(case: Case, entry: LedgerEntry) -> Change:
    return {"runs": (*case.runs, str(entry.data["run"]))}


def _evidence_collected(case: Case, entry: LedgerEntry) -> Change:
    return {"evidence": (*case.evidence, Evidence.model_validate(entry.data))}


def _assessed(case: Case, entry: LedgerEntry) -> Change:
    return {"assessment": Assessment.model_validate(entry.data["assessment"])}


def _verdict(case: Case, entry: LedgerEntry) -> Change:
    return {"verdict": Verdict(entry.data["verdict"]), "missing": tuple(entry.data.get("missing", ()))}


def _gate_answered(case: Case, entry: LedgerEntry) -> Change:
    answer = Approval.model_validate(entry.data)
    which = "approvals" if answer.decision == "approve" else "declined"
    return {which: (*getattr(case, which), answer)}


def _action_done(case: Case, entry: LedgerEntry) -> Change:
    receipt = Receipt.model_validate(entry.data)
    standing = {r.action_id: r for r in case.receipts} | {receipt.action_id: receipt}
    return {"receipts": tuple(standing.values())}


def _reverted(case: Case, entry: LedgerEntry) -> Change:
    back = tuple(r for r in case.receipts if r.action_id == entry.data["action_id"])
    return {"receipts": tuple(r for r in case.receipts if r not in back), "reverted": (*case.reverted, *back)}


def _plan_carried_out(case: Case, entry: LedgerEntry) -> Change:
    if case.state is CaseState.CLOSED:
        return {}
    if entry.data["gate"] == "containment":
        return {"state": CaseState.OPEN if entry.data["failed"] else CaseState.CONTAINED}
    return {"state": CaseState.OPEN} if entry.data["gate"] == "release" else {}


def _case_closed(case: Case, entry: LedgerEntry) -> Change:
    return {"state": CaseState.CLOSED, "closed_at": entry.time}


def _download_found(case: Case, entry: LedgerEntry) -> Change:
    return {"downloads": (*case.downloads, LogRecord.model_validate(entry.data["record"]))}


def _case_reopened(case: Case, entry: LedgerEntry) -> Change:
    return {"state": CaseState.OPEN, "closed_at": None, "reopened": case.reopened + 1}


def _gap(case: Case, entry: LedgerEntry) -> Change:
    return {"gaps": (*case.gaps, entry.data)}


def _report_written(case: Case, entry: LedgerEntry) -> Change:
    return {"report": entry.data}


_STEPS: dict[str, Callable[[Case, LedgerEntry], Change]] = {
    ALERT_JOINED: _alert_joined,
    ALERT_READ_AGAIN: _alert_read_again,
    RUN_STARTED: _run_started,
    EVIDENCE_COLLECTED: _evidence_collected,
    ASSESSED: _assessed,
    VERDICT: _verdict,
    GATE_ANSWERED: _gate_answered,
    ACTION_DONE: _action_done,
    REVERTED: _reverted,
    PLAN_CARRIED_OUT: _plan_carried_out,
    CASE_CLOSED: _case_closed,
    DOWNLOAD_FOUND: _download_found,
    CASE_REOPENED: _case_reopened,
    GAP: _gap,
    REPORT_WRITTEN: _report_written,
}
