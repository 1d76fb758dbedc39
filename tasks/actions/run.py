"""Carries out an approved plan, and takes it back: the only caller of `apply` and `revert`.

Order of one action: what is in force is read and stored (`action-started`), then written, then verified by effect, then
the receipt is stored (`action-done`). Whatever dies in between is finished by the next call: a stored `before` is never
replaced by a later one, and an action with a receipt is not entered again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from decisions.approval import ApprovedPlan, NotApproved, Proposal, approve, in_force, proposal_of
from decisions.evidence import Frozen
from decisions.ledger import LedgerEntry
from decisions.plan import Plan, PlannedAction
from decisions.receipt import Receipt, Verification
from records import ledger
from settings.organization import organization
from tasks import sts
from tasks.actions.base import FAILURES, Action, Clients
from tasks.actions.registry import actions
from tasks.actions.standing import account_for_begun, begun, receipts_in_force
from tasks.artifacts import publish_receipts


class CarriedOut(Frozen):
    """What became of an approved plan."""

    plan_hash: str
    gate: str
    receipts: tuple[Receipt, ...]
    left_out: tuple[str, ...]
    failed: tuple[str, ...]
    """A sentence for each action that could not be done or whose effect could not be verified."""


class Stale(Frozen):
    """The plan no longer fits the world, or is no longer agreed to: nothing was done."""

    plan_hash: str
    changed: tuple[str, ...]


async def carry_out(case_id: str, plan_hash: str) -> CarriedOut | Stale:
    """Apply and verify every approved action in order, or say what changed since the plan was made."""
    entries = ledger.entries(case_id)
    proposal = proposal_of(entries, plan_hash)
    plan = proposal.plan
    if finished := _find(entries, "plan-carried-out", plan.hash):
        return _carried_out(plan, finished, ledger.entries(plan.case_id))
    approved = approve(
        plan,
        in_force(entries, plan),
        organization(),
        frozenset(proposal.suspects),
        datetime.now(UTC),
        proposal.requested_by,
    )
    if isinstance(approved, NotApproved):
        return await _stale(plan, (f"The agreement no longer holds: {approved.why}.",))
    if changed := (*_joined(entries, proposal), *await _world_changed(approved, entries)):
        return await _stale(plan, changed)

    failed: dict[str, str] = {}
    for action in approved.actions:
        if blocked := [need for need in action.needs if need in failed]:
            failed[action.id] = f"{action.id} was not tried: it needs {', '.join(blocked)}, which failed."
            continue
        if why := await _run_one(approved, action):
            failed[action.id] = why
    if failed:
        await asyncio.to_thread(account_for_begun, case_id)
    said = {
        "plan_hash": plan.hash,
        "gate": plan.gate,
        "left_out": list(approved.leave_out),
        "failed": list(failed.values()),
    }
    finished = ledger.append(plan.case_id, "plan-carried-out", "flow", said, key=f"carried-out:{plan.hash}")
    outcome = _carried_out(plan, finished, ledger.entries(plan.case_id))
    await publish_receipts(case_id, plan.gate, outcome.receipts, outcome.failed)
    return outcome


async def _stale(plan: Plan, changed: tuple[str, ...]) -> Stale:
    await asyncio.to_thread(account_for_begun, plan.case_id)
    ledger.append(
        plan.case_id, "plan-stale", "flow", {"plan_hash": plan.hash, "gate": plan.gate, "changed": list(changed)}
    )
    return Stale(plan_hash=plan.hash, changed=changed)


def _find(entries: Sequence[LedgerEntry], kind: str, plan_hash: str) -> LedgerEntry | None:
    return next((e for e in entries if e.kind == kind and e.data.get("plan_hash") == plan_hash), None)


def _joined(entries: Sequence[LedgerEntry], proposal: Proposal) -> tuple[str, ...]:
    known = set(proposal.exports)
    new = [
        e
        for e in entries
        if e.kind == "alert-joined" and e.seq > proposal.seq and e.data["event"]["event_id"] not in known
    ]
    return (f"{len(new)} more export(s) joined the case since the plan was made.",) if new else ()


def _carried_out(plan: Plan, finished: LedgerEntry, entries: Sequence[LedgerEntry]) -> CarriedOut:
    done = [Receipt.model_validate(e.data) for e in entries if e.kind == "action-done"]
    return CarriedOut(
        plan_hash=plan.hash,
        gate=plan.gate,
        receipts=tuple(r for r in done if r.plan_hash == plan.hash),
        left_out=tuple(finished.data["left_out"]),
        failed=tuple(finished.data["failed"]),
    )


async def _world_changed(approved: ApprovedPlan, entries: Sequence[LedgerEntry]) -> tuple[str, ...]:
    """The preconditions of every action that has not begun, read again at once.

    Not those of a release: `revert` overwrites nothing that somebody changed, and says what is to be done by hand. As a
    stale plan it would be proposed again as it is, for ever, and hold back all that can be released.
    """
    if approved.plan.gate == "release":
        return ()
    plan_hash = approved.plan.hash
    started = {e.data["action_id"] for e in entries if e.kind == "action-started" and e.data["plan_hash"] == plan_hash}
    answers = [
        asyncio.to_thread(_precondition_changed, sts.aws(approved.plan.case_id), a)
        for a in approved.actions
        if a.id not in started
    ]
    return tuple(sentence for sentence in await asyncio.gather(*answers) if sentence)


def _precondition_changed(aws: Clients, planned: PlannedAction) -> str | None:
    action = actions()[planned.kind]
    facts = ", ".join(p.fact for p in planned.preconditions)
    try:
        fresh = action.precondition(planned, action.read(aws, planned))
    except FAILURES as error:
        return f"{planned.id}: {facts} could not be read again: {error}"
    if fresh in {p.sha256 for p in planned.preconditions}:
        return None
    return f"{planned.id}: {facts} changed since the plan was made."


async def _run_one(approved: ApprovedPlan, planned: PlannedAction) -> str | None:
    """Why the action is not in force (for a release: not taken back), or None."""
    action = actions()[planned.kind]
    tags = [f"step:{action.step}"]
    if approved.plan.gate == "release":
        verification = await revert_action.with_options(task_run_name=planned.id, tags=tags)(approved, planned)
        return None if verification.verified else "; ".join(verification.probes)
    receipt_or_why = await apply_action.with_options(task_run_name=planned.id, tags=tags)(approved, planned)
    if isinstance(receipt_or_why, str):
        return receipt_or_why
    if not receipt_or_why.verification.verified:
        return f"{planned.id} was applied, but its effect is not there: {'; '.join(receipt_or_why.verification.probes)}"
    return None


@task(name="apply", cache_policy=NO_CACHE, persist_result=False)
async def apply_action(approved: ApprovedPlan, planned: PlannedAction) -> Receipt | str:
    """Apply one approved action and verify it by effect; the sentence of the failure if it could not be done."""
    if planned not in approved.actions:
        raise ValueError(f"{planned.id} is not part of the approved plan {approved.plan.hash}")
    log = get_run_logger()
    result = await asyncio.to_thread(_apply, approved.plan, planned)
    log.info("%s: %s", planned.id, result if isinstance(result, str) else "; ".join(result.verification.probes))
    return result


def _apply(plan: Plan, planned: PlannedAction) -> Receipt | str:
    case, action, aws = plan.case_id, actions()[planned.kind], sts.aws(plan.case_id)
    mark = f"{plan.hash}:{planned.id}"
    if done := ledger.find(case, f"done:{mark}"):
        return Receipt.model_validate(done.data)
    try:
        before = _before(aws, plan, planned, action)
        applied = action.apply(aws, planned, before)
        at = datetime.now(UTC)
        verification = action.verify(aws, planned)
        after = action.read(aws, planned)
    except FAILURES as error:
        why = f"{planned.id} failed: {error}"
        ledger.append(
            case, "action-failed", "action", {"plan_hash": plan.hash, "action_id": planned.id, "error": str(error)}
        )
        return why
    receipt = Receipt(
        action_id=planned.id,
        kind=planned.kind,
        plan_hash=plan.hash,
        changed=applied.changed or before != after,
        before=before,
        after=after,
        request_ids=applied.request_ids,
        applied_at=at,
        verified_at=datetime.now(UTC) if verification.verified else None,
        verification=verification,
        inverse=planned.inverse,
        notes=applied.notes,
        custody=applied.custody,
    )
    ledger.append(case, "action-done", "action", receipt.model_dump(mode="json"), key=f"done:{mark}")
    return receipt


def _before(aws: Clients, plan: Plan, planned: PlannedAction, action: Action) -> dict[str, object]:
    """What was in force before this round first touched it: what is stored already comes before what is read now."""
    earlier = begun(ledger.entries(plan.case_id)).get(planned.id)
    if earlier and earlier.data["plan_hash"] == plan.hash:
        return earlier.data["before"]
    before = earlier.data["before"] if earlier else action.read(aws, planned)
    said = {"plan_hash": plan.hash, "action_id": planned.id, "before": before}
    ledger.append(plan.case_id, "action-started", "action", said)
    return before


@task(name="revert", cache_policy=NO_CACHE, persist_result=False)
async def revert_action(approved: ApprovedPlan, planned: PlannedAction) -> Verification:
    """Take back one action of an approved release; says so where it cannot."""
    if approved.plan.gate != "release" or planned not in approved.actions:
        raise ValueError(f"{planned.id} is not part of an approved release")
    return await asyncio.to_thread(_revert, approved.plan, planned)


def _revert(plan: Plan, planned: PlannedAction) -> Verification:
    case, mark = plan.case_id, f"reverted:{plan.hash}:{planned.id}"
    if done := ledger.find(case, mark):
        return Verification.model_validate(done.data["verification"])
    receipt = next(r for r in receipts_in_force(ledger.entries(case)) if r.action_id == planned.id)
    try:
        verification = actions()[planned.kind].revert(sts.aws(case), planned, receipt)
    except FAILURES as error:
        verification = Verification(verified=False, probes=(f"{planned.id} could not be taken back: {error}",))
    said = {"plan_hash": plan.hash, "action_id": planned.id, "verification": verification.model_dump(mode="json")}
    if not verification.verified:
        ledger.append(case, "action-failed", "action", said | {"error": "; ".join(verification.probes)})
        return verification
    ledger.append(case, "reverted", "action", said, key=mark)
    return verification
