"""Containment: the playbook's phase, carried out from an approved plan. Steps: PLAYBOOK.md; the actions: tasks/actions/."""

from __future__ import annotations

from prefect import flow

from flows.results import RESULTS
from tasks.actions.run import CarriedOut, Stale, carry_out


@flow(name="containment", persist_result=True, result_serializer=RESULTS)
async def contain(case_id: str, plan_hash: str) -> CarriedOut | Stale:
    """Cut the actor off, freeze the bucket and copy the export, as agreed."""
    return await carry_out(case_id, plan_hash)


@flow(name="destruction", persist_result=True, result_serializer=RESULTS)
async def destroy(case_id: str, plan_hash: str) -> CarriedOut | Stale:
    """Delete the export where it was written, as two people agreed, after its copy was verified."""
    return await carry_out(case_id, plan_hash)
