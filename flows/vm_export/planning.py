"""Plans of the playbook: what each action proposes for one gate, from the world as it is now."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from prefect import flow

from decisions.actor import persons
from decisions.approval import Proposal, next_round
from decisions.findings import Findings
from decisions.plan import Plan, make_plan
from flows.results import RESULTS
from flows.vm_export.investigation import look
from records import ledger
from settings.organization import organization
from tasks.actions.registry import actions
from tasks.actions.run import receipts_in_force
from tasks.artifacts import publish_plan


@flow(name="plan", flow_run_name="{gate} plan", persist_result=True, result_serializer=RESULTS)
async def propose(case_id: str, gate: str) -> Plan:
    """The plan for one gate."""
    findings = await look(case_id)
    plan = await asyncio.to_thread(record_proposal, findings, gate)
    await publish_plan(plan)
    return plan


def record_proposal(findings: Findings, gate: str) -> Plan:
    """Let every action of the gate propose itself, check the invariants, and keep the plan in the ledger."""
    case_id, now, ours = findings.case_id, datetime.now(UTC), organization()
    entries = ledger.entries(case_id)
    done = receipts_in_force(entries)
    known = findings.model_copy(update={"receipts": done})
    mine = sorted((a for a in actions().values() if a.gate == gate), key=lambda a: (a.order, a.kind))
    proposed = [planned for action in mine for planned in action.plan(known, ours, now)]
    verified = frozenset(r.action_id for r in done if r.verification.verified)
    plan = make_plan(case_id, gate, proposed, ours, verified, next_round(entries, gate))
    proposal = Proposal(
        plan=plan,
        suspects=persons(findings),
        exports=tuple(e.event.event_id for e in findings.exports),
    )
    ledger.append(
        case_id, "plan-proposed", "flow", proposal.model_dump(mode="json", exclude={"seq"}), key=f"proposed:{plan.hash}"
    )
    return plan
