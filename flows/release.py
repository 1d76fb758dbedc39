"""Undo: takes back what a case changed, newest first, behind a gate of its own.

A deletion and a cancelled export cannot be taken back: they are not in the plan. Whoever asked for the release does not
also grant it.
"""

from __future__ import annotations

import asyncio
from functools import partial

from prefect import flow

from decisions.approval import Proposal, next_round, proposal_of
from decisions.ledger import LedgerEntry, canonical_sha256
from decisions.plan import ActionClass, Plan, PlannedAction, Precondition, make_plan
from decisions.receipt import Receipt
from flows.agreement import agree_and_carry_out
from flows.gates import Declined
from flows.results import RESULTS
from records import ledger
from settings.organization import organization
from tasks.actions.registry import actions
from tasks.actions.run import CarriedOut, Stale, carry_out, receipts_in_force
from tasks.actions.standing import account_for_begun
from tasks.artifacts import publish_plan


@flow(name="vm-export-release", flow_run_name="release {case_id}", persist_result=True, result_serializer=RESULTS)
async def release(case_id: str, requested_by: str, reason: str) -> CarriedOut | Declined | None:
    """Propose to take the case's changes back, ask, and do it. None when nothing is in force."""
    return await agree_and_carry_out(partial(propose_release, case_id, requested_by, reason), take_back)


@flow(name="plan release", persist_result=True, result_serializer=RESULTS)
async def propose_release(case_id: str, requested_by: str, reason: str) -> Plan:
    """The plan that puts back what was in force before the case."""
    plan = await asyncio.to_thread(record_release, case_id, requested_by, reason)
    await publish_plan(plan)
    return plan


@flow(name="release", persist_result=True, result_serializer=RESULTS)
async def take_back(case_id: str, plan_hash: str) -> CarriedOut | Stale:
    """Revert every agreed action, each checked against what was stored before it."""
    return await carry_out(case_id, plan_hash)


def record_release(case_id: str, requested_by: str, reason: str) -> Plan:
    """Turn the receipts in force into a plan of their reverts, and keep it in the ledger."""
    if not ledger.entries(case_id):
        raise LookupError(f"there is no case {case_id}: nothing can be released")
    account_for_begun(case_id)
    entries = ledger.entries(case_id)
    back = [_reverse(entries, r, reason) for r in reversed(receipts_in_force(entries)) if r.changed]
    plan = make_plan(
        case_id, "release", [a for a in back if a is not None], organization(), round=next_round(entries, "release")
    )
    suspects = tuple({s for e in entries if e.kind == "plan-proposed" for s in e.data["suspects"]})
    proposal = Proposal(plan=plan, suspects=suspects, requested_by=requested_by.strip().lower())
    ledger.append(
        case_id, "plan-proposed", "flow", proposal.model_dump(mode="json", exclude={"seq"}), key=f"proposed:{plan.hash}"
    )
    return plan


def _reverse(entries: tuple[LedgerEntry, ...], receipt: Receipt, reason: str) -> PlannedAction | None:
    planned = next(a for a in proposal_of(entries, receipt.plan_hash).plan.actions if a.id == receipt.action_id)
    if planned.action_class is not ActionClass.REVERSIBLE:
        return None
    back = planned.model_copy(
        update={
            "reason": f"release: {reason}",
            "before": receipt.after,
            "after": receipt.before,
            "inverse": "Contain again: the same action can be applied anew.",
            "blast_radius": "Undoes the containment of this target.",
            "needs": (),
        }
    )
    now_in_force = canonical_sha256(actions()[planned.kind].relevant(back, receipt.after))
    rests_on = tuple(Precondition(fact=p.fact, sha256=now_in_force) for p in planned.preconditions)
    return back.model_copy(update={"preconditions": rests_on})
