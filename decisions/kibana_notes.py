"""What Kibana should say of a case, from its ledger: a case of its own, its alerts' status, a comment for each step.

Alerts are closed by us, with a reason, and the Kibana case does not synchronise them: its own way of closing alerts knows
no reason, and both together would write everything twice. Alerts are closed only where the case was resolved: an export
that nobody could judge, or that is not contained, stays acknowledged, and its case in progress, for a person to end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from decisions.case import (
    ASSESSED,
    CASE_CLOSED,
    CASE_REOPENED,
    DOWNLOAD_FOUND,
    GATE_ANSWERED,
    GATE_ASKED,
    PLAN_CARRIED_OUT,
    PLAN_STALE,
    REPORT_WRITTEN,
    VERDICT,
    fold,
)
from decisions.document import Page
from decisions.evidence import Frozen
from decisions.findings import Severity, Verdict
from decisions.kibana_comments import (
    answered,
    asked,
    assessed,
    carried_out,
    closed,
    described,
    downloaded,
    drawn,
    reopened,
    reported,
    stale,
    verdict,
)
from decisions.kibana_links import ALERT_ID, KibanaPlace
from decisions.ledger import LedgerEntry

TAG = "vm-export"
UNJUDGED = "medium"
"""Severity of a Kibana case before triage: unknown must not look harmless."""

Reason = Literal["expected_activity", "issue_resolved"]


class OpenCase(Frozen):
    """A case in Kibana, found again by its tags."""

    do: Literal["open-case"] = "open-case"
    title: str
    description: str
    tags: tuple[str, ...]
    severity: str
    alert_ids: tuple[str, ...]
    """The case opens in the space of the first of them that exists."""


class TakeAlerts(Frozen):
    """Alerts that are open become acknowledged, are tagged, and hang on the case."""

    do: Literal["take-alerts"] = "take-alerts"
    alert_ids: tuple[str, ...]
    event_ids: tuple[str, ...]
    """Other alerts of our rules about these very events are taken too."""
    tags: tuple[str, ...]


class SetCase(Frozen):
    """Severity or status of the case in Kibana."""

    do: Literal["set-case"] = "set-case"
    severity: str | None = None
    status: Literal["in-progress", "closed"] | None = None


class Comment(Frozen):
    """A comment on the case in Kibana."""

    do: Literal["comment"] = "comment"
    text: str
    marker: str
    """Stands in the text: a comment with it is not written again."""


class CloseAlerts(Frozen):
    """Alerts that are not closed yet are closed, with the reason."""

    do: Literal["close-alerts"] = "close-alerts"
    alert_ids: tuple[str, ...]
    event_ids: tuple[str, ...]
    reason: Reason


Deed = OpenCase | TakeAlerts | SetCase | Comment | CloseAlerts


class Note(Frozen):
    """One thing to write, under a key that is the same whenever it is thought of again."""

    key: str
    deed: Deed


def notes_of(entries: Sequence[LedgerEntry], place: KibanaPlace | None = None) -> tuple[Note, ...]:
    """Everything that Kibana should have been told by now, in the order to tell it; empty for a case without entries."""
    if not entries:
        return ()
    return (_open(entries, place), _take(entries), *_told(entries))


def tags_of(case_id: str) -> tuple[str, ...]:
    """Tags of the case in Kibana and of its alerts; the second finds them again."""
    return TAG, f"soar:{case_id}"


def marker(case_id: str, key: str) -> str:
    """What stands at the end of a comment, and tells that it was written."""
    return f"vmexport {case_id}/{key}"


def closing_reason(entries: Sequence[LedgerEntry]) -> Reason | None:
    """Why the alerts may be closed at the end of the case; None: they stay acknowledged."""
    case = fold(entries)
    if case.verdict is Verdict.EXPECTED:
        return "expected_activity"
    if case.verdict in (Verdict.SUSPICIOUS, Verdict.MALICIOUS) and _contained(entries):
        return "issue_resolved"
    return None


def _contained(entries: Sequence[LedgerEntry]) -> bool:
    """Whether the last plan of containment had nothing to do, or was carried out without a failure."""
    plans = [e for e in entries if e.kind == "plan-proposed" and e.data["plan"]["gate"] == "containment"]
    if not plans:
        return False
    plan = plans[-1].data["plan"]
    done = (e for e in entries if e.kind == PLAN_CARRIED_OUT and e.data["plan_hash"] == plan["hash"])
    return not plan["actions"] or any(not e.data["failed"] for e in done)


def _open(entries: Sequence[LedgerEntry], place: KibanaPlace | None) -> Note:
    case = fold(entries)
    accounts = sorted({e.recipient_account for e in case.exports if e.recipient_account})
    where = f" in account {', '.join(accounts[:3])}" if accounts else ""
    deed = OpenCase(
        title=f"{case.id}: EC2 exported as VM{where}",
        description=drawn(described(case, place), marker(case.id, "case")),
        tags=tags_of(case.id),
        severity=UNJUDGED,
        alert_ids=_alerts(entries),
    )
    return Note(key="case", deed=deed)


def _take(entries: Sequence[LedgerEntry]) -> Note:
    """All alerts of the case under one key; with one more alert it is another key, and those already taken stay as they are."""
    case, alerts, events = entries[0].case, _alerts(entries), _events(entries)
    named = hashlib.sha256("\n".join((*sorted(alerts), "", *sorted(events))).encode(errors="replace")).hexdigest()
    return Note(key=f"alerts:{named[:16]}", deed=TakeAlerts(alert_ids=alerts, event_ids=events, tags=tags_of(case)))


def _told(entries: Sequence[LedgerEntry]) -> Iterator[Note]:
    case_id = entries[0].case
    severity: Severity | None = None
    last: dict[str, object] = {}
    for n, entry in enumerate(entries):
        before = entries[: n + 1]
        if entry.kind == ASSESSED and (level := fold(before).severity) and level is not severity:
            severity = level
            yield Note(key=f"severity:{entry.seq}", deed=SetCase(severity=level.value, status="in-progress"))
        subject = _subject(entry)
        draw = _COMMENTS.get(entry.kind)
        if draw is None or last.get(entry.kind) == subject:
            continue
        last[entry.kind] = subject
        key = f"{entry.kind}:{entry.seq}"
        text = drawn(draw(before), marker(case_id, key))
        yield Note(key=key, deed=Comment(text=text, marker=marker(case_id, key)))
        if entry.kind == CASE_CLOSED and (reason := closing_reason(before)):
            alerts, events = _alerts(before), _events(before)
            again = f":{entry.seq}" if fold(before).reopened else ""
            yield Note(key=f"close-alerts{again}", deed=CloseAlerts(alert_ids=alerts, event_ids=events, reason=reason))
            yield Note(key=f"close-case{again}", deed=SetCase(status="closed"))
        if entry.kind == CASE_REOPENED:
            yield Note(key=f"reopen-case:{entry.seq}", deed=SetCase(status="in-progress"))


def _subject(entry: LedgerEntry) -> object:
    """What a comment would be about: said once, until it changes. Judgements are found anew before each plan."""
    if entry.kind == ASSESSED:
        return entry.data["assessment"]["level"], tuple(entry.data["assessment"]["reasons"])
    if entry.kind == VERDICT:
        return entry.data["verdict"], tuple(entry.data["reasons"])
    return entry.data["plan_hash"] if entry.kind == GATE_ASKED else entry.seq


def _alerts(entries: Sequence[LedgerEntry]) -> tuple[str, ...]:
    """Ids of the alerts that told of the exports, as far as they can be ids."""
    ids = (e.alert_id for e in fold(entries).exports if e.alert_id)
    return tuple(dict.fromkeys(i for i in ids if ALERT_ID.fullmatch(i)))


def _events(entries: Sequence[LedgerEntry]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(e.event_id for e in fold(entries).exports))


def _closed(entries: Sequence[LedgerEntry]) -> Page:
    return closed(entries, closing_reason(entries))


_COMMENTS: dict[str, Callable[[Sequence[LedgerEntry]], Page]] = {
    ASSESSED: assessed,
    VERDICT: verdict,
    GATE_ASKED: asked,
    GATE_ANSWERED: answered,
    PLAN_CARRIED_OUT: carried_out,
    PLAN_STALE: stale,
    REPORT_WRITTEN: reported,
    CASE_CLOSED: _closed,
    DOWNLOAD_FOUND: downloaded,
    CASE_REOPENED: reopened,
}
