"""What a case has in force: the receipts that were not taken back, and what was begun without coming to a receipt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from decisions.approval import proposal_of
from decisions.ledger import LedgerEntry
from decisions.plan import ActionClass, PlannedAction
from decisions.receipt import Receipt, Verification
from records import ledger
from tasks import sts
from tasks.actions.base import FAILURES
from tasks.actions.registry import actions
from tasks.actions.state_change import StateChange


def receipts_in_force(entries: Sequence[LedgerEntry]) -> tuple[Receipt, ...]:
    """What was done in the case and not taken back since, in the order it was done; one receipt for all rounds of an action.

    Its `before` is the first round's, so that a release goes all the way back; but where somebody changed a part of the
    state between two rounds, that part goes back to what they made of it.
    """
    standing: dict[str, Receipt] = {}
    for entry in entries:
        if entry.kind == "action-done":
            receipt = Receipt.model_validate(entry.data)
            earlier = standing.get(receipt.action_id)
            standing[receipt.action_id] = _continued(earlier, receipt) if earlier else receipt
        elif entry.kind == "reverted":
            standing.pop(entry.data["action_id"], None)
    return tuple(standing.values())


def begun(entries: Sequence[LedgerEntry]) -> dict[str, LedgerEntry]:
    """Action id -> its first `action-started` that has neither a receipt nor a way back after it."""
    still: dict[str, LedgerEntry] = {}
    for entry in entries:
        if entry.kind == "action-started":
            still.setdefault(entry.data["action_id"], entry)
        elif entry.kind in {"action-done", "reverted"}:
            still.pop(entry.data["action_id"], None)
    return still


def account_for_begun(case_id: str) -> None:
    """Give every change that was begun and came to no receipt the receipt of what stands now: it can be taken back then.

    For actions that failed half-way, and for those cut off whose agreement ended before the next run. AWS is only read.
    """
    entries = ledger.entries(case_id)
    for action_id, started in begun(entries).items():
        plan = proposal_of(entries, started.data["plan_hash"]).plan
        planned = next(a for a in plan.actions if a.id == action_id)
        if planned.action_class is ActionClass.REVERSIBLE:
            _account_for(case_id, planned, started)


def _account_for(case_id: str, planned: PlannedAction, started: LedgerEntry) -> None:
    action, aws, plan_hash = actions()[planned.kind], sts.aws(case_id), started.data["plan_hash"]
    before: dict[str, Any] = started.data["before"]
    try:
        after = action.read(aws, planned)
        if after == before:
            return
        whole = action.reached(planned, after)
        half = Verification(verified=False, probes=(f"{planned.id} was begun and not finished.",))
        verification = action.verify(aws, planned) if whole else half
    except FAILURES as error:
        said = {"plan_hash": plan_hash, "action_id": planned.id, "error": f"it was begun; what stands now: {error}"}
        ledger.append(case_id, "action-failed", "action", said)
        return
    receipt = Receipt(
        action_id=planned.id,
        kind=planned.kind,
        plan_hash=plan_hash,
        changed=True,
        before=before,
        after=after,
        request_ids=(),
        applied_at=started.time,
        verified_at=datetime.now(UTC) if verification.verified else None,
        verification=verification,
        inverse=planned.inverse,
        notes=("It was begun and broke off before its receipt; this one says what was found afterwards.",),
    )
    key = f"accounted:{plan_hash}:{planned.id}:{started.seq}"
    ledger.append(case_id, "action-done", "action", receipt.model_dump(mode="json"), key=key)


def _continued(earlier: Receipt, receipt: Receipt) -> Receipt:
    first = {
        part: earlier.before[part] if part in earlier.before and _untouched(part, earlier, receipt) else value
        for part, value in receipt.before.items()
    }
    return receipt.model_copy(update={"before": first, "changed": earlier.changed or receipt.changed})


def _untouched(part: str, earlier: Receipt, receipt: Receipt) -> bool:
    """Whether a part of the state is still what the earlier round made of it."""
    then, now = earlier.after.get(part), receipt.before[part]
    action = actions().get(receipt.kind)
    return then == now or (isinstance(action, StateChange) and action.put_back({part: now}, {part: then}))
