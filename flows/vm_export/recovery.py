"""Recovery: the playbook's phase, carried out from an approved plan. Steps: PLAYBOOK.md; the actions: tasks/actions/."""

from __future__ import annotations

from prefect import flow

from flows.results import RESULTS
from tasks.actions.run import CarriedOut, Stale, carry_out


@flow(name="recovery", persist_result=True, result_serializer=RESULTS)
async def recover(case_id: str, plan_hash: str) -> CarriedOut | Stale:
    """Set the guardrails that would have stopped it, as agreed."""
    return await carry_out(case_id, plan_hash)
