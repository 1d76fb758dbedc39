"""From what a hunt found to cases: exports through the inbox like any alert, late reads to the case that they are about.

Each finding is decided once. A process that dies in between leaves it `new`, and the next one finds what the dead one did:
the body in the inbox, the export in its case, the read in the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from decisions.activity import LogRecord
from decisions.case import ALERT_JOINED, CASE_OPENED, Case, CaseState, fold
from decisions.exposure import ObjectRead, object_reads, same_read
from decisions.grouping import event_key
from decisions.hunt import HuntFinding, event_of
from decisions.hunt_alert import SOURCE, finding_body
from records import closing, hunts, inbox, intake, known_exports, ledger
from records.database import transaction
from settings.organization import organization

Reads = Callable[[str], Sequence[ObjectRead]]
"""Case -> the reads that its response knows of."""
What = Literal["opened", "joined", "reopened", "told", "known", "noted"]
"""What became of a finding: it opened a case, joined one, opened one again, told an open one, was known, or is only kept."""


@dataclass(frozen=True)
class TakenIn:
    """One finding, and what became of it."""

    finding: HuntFinding
    what: What
    case_id: str | None
    said: str
    """A sentence: `seen: case VMX-… is closed`, or why it goes to no case."""


def take_in(reads: Reads) -> Iterator[TakenIn]:
    """Hand every new finding to the case that it belongs to, one at a time, oldest event first.

    Raises SQLAlchemyError or OrganizationUnusable; the rest stays new.
    """
    organization()
    while True:
        with transaction() as connection:
            found = hunts.new_findings(connection, limit=1)
            if not found:
                return
            taken = _decide(connection, found[0], reads)
            state = "noted" if taken.what == "noted" else "handed"
            hunts.decided_within(connection, [found[0].id], state, taken.case_id, taken.said)
        yield taken


def _decide(connection: Connection, finding: HuntFinding, reads: Reads) -> TakenIn:
    try:
        if finding.kind == "export":
            return _take_export(finding)
        if finding.kind == "download":
            return _take_download(connection, finding, reads)
    except ValueError as error:
        # One finding that cannot be kept must not hold up all that come after it.
        return TakenIn(finding, "noted", None, f"it could not be handed over: {str(error)[:500]}")
    return TakenIn(finding, "noted", None, "what a rule matches opens no case by itself")


def _take_export(finding: HuntFinding) -> TakenIn:
    body = json.dumps(finding_body(finding), sort_keys=True).encode()
    item = inbox.receive_once(body, SOURCE, "application/json")
    taken = intake.work(item)
    if not taken.cases:
        return TakenIn(finding, "noted", None, f"it lies in quarantine: {'; '.join(taken.problems)[:500]}")
    case_id = taken.cases[0]
    entries = ledger.entries(case_id)
    mine = {entry.kind for entry in entries if entry.data.get("inbox") == item.id}
    if CASE_OPENED in mine:
        return TakenIn(finding, "opened", case_id, f"it opened case {case_id}")
    if ALERT_JOINED in mine:
        return TakenIn(finding, "joined", case_id, f"it joined case {case_id}, which was open")
    return TakenIn(finding, "known", case_id, seen(fold(entries)))


def _take_download(connection: Connection, finding: HuntFinding, reads: Reads) -> TakenIn:
    record = finding.record
    if record is None or not object_reads([record], organization()):
        return TakenIn(finding, "noted", None, "it carried no image away, or a role of ours made it")
    cases = known_exports.cases_of([event_key(event_of(one)) for one in finding.about])
    if not cases:
        return TakenIn(finding, "noted", None, "no case knows the export that it is about")
    told = [_tell(connection, case_id, finding, record, reads) for case_id in sorted(set(cases.values()))]
    order: tuple[What, ...] = ("reopened", "told", "known")
    return min(told, key=lambda one: order.index(one.what))


def _tell(connection: Connection, case_id: str, finding: HuntFinding, record: LogRecord, reads: Reads) -> TakenIn:
    heard = object_reads(fold(ledger.entries_within(connection, case_id)).downloads, organization())
    if not any(same_read(read, record) for read in (*reads(case_id), *heard)):
        told = closing.download_within(connection, case_id, finding, "hunt")
        if told.reopened:
            return TakenIn(finding, "reopened", case_id, f"case {case_id} was closed, and is open again")
        if told.new:
            return TakenIn(finding, "told", case_id, f"it was told to case {case_id}, which is open")
    return TakenIn(finding, "known", case_id, seen(fold(ledger.entries_within(connection, case_id))))


def seen(case: Case) -> str:
    """What is said of a finding that a case knows."""
    return f"seen: case {case.id} is {'closed' if case.state is CaseState.CLOSED else 'open'}"
