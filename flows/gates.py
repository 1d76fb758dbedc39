"""The only module that suspends a run: it asks a person about one exact plan, and takes nothing else for an answer.

The suspended run is the waiting room; the approval itself lives in the ledger. A gate first looks there for enough valid
approvals of this plan hash, so a run that died in the middle of containment goes on at once, while a retry after the
end, after expiry or with another plan asks again (its key holds the attempt number). Only the parent flow may call
`ask`: Prefect cannot suspend subflows.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import count
from typing import Any, Literal

from prefect import task
from prefect.context import TaskRunContext
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.runtime import flow_run
from pydantic import Field

from decisions.approval import Approval, ApprovedPlan, approve, in_force, proposal_of, refuse_answer
from decisions.evidence import Frozen
from decisions.plan import Plan
from decisions.report import case_in_brief, gate_description
from flows.results import RESULTS
from flows.write_back import write_back
from records import approvers, ledger
from settings.organization import organization


class Answer(RunInput):
    """The form that Prefect shows. Decision, approver and code have no default: an untouched form is refused."""

    decision: Literal["approve", "decline"] = Field(description="What is to be done with exactly this plan.")
    approver: str = Field(
        min_length=3, max_length=254, description="Your address, as enrolled with vmexport approver add."
    )
    code: str = Field(
        pattern=r"^\s*\d{6}\s*$", description="The six digits that your authenticator shows now. Good once."
    )
    leave_out: list[str] = Field(
        default=[], description="Ids of actions that must not be done. Copy them from the table."
    )
    reason: str = Field(default="", max_length=2000, description="Why; kept in the case.")


class Agreed(Frozen):
    """Enough people agreed to the plan, less what they left out."""

    agreed: Literal[True] = True
    plan_hash: str
    leave_out: tuple[str, ...]
    approvers: tuple[str, ...]


class Declined(Frozen):
    """A person said no."""

    agreed: Literal[False] = False
    plan_hash: str
    by: str
    reason: str


class Waiting(Frozen):
    """Not decided yet."""

    page: str
    """What the form says, in Markdown."""


def _by_question(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    """One result for each question of each attempt: a resumed run reads it back, a retried run asks anew."""
    return f"{context.task.name}:{parameters['asked']}"


async def ask(plan: Plan, changed: tuple[str, ...] = ()) -> Agreed | Declined:
    """Ask until the plan is agreed to or declined.

    Raises FlowPauseTimeout after the organisation's gate time-out (72 h by default): the run fails and nothing was done.
    """
    attempt = flow_run.run_count
    run_id = str(flow_run.id)
    problem: str | None = None
    for n in count(1):
        asked = f"{run_id}:{plan.gate}:{plan.hash[:12]}:r{attempt}-{n}"
        said = await look_for_answer(plan, asked, problem, changed)
        if not isinstance(said, Waiting):
            return said
        await write_back(plan.case_id)
        answer = await suspend_flow_run(
            wait_for_input=Answer.with_initial_data(description=said.page),
            key=f"{plan.gate}-{plan.hash[:12]}-r{attempt}-{n}",
            timeout=int(organization().approvals.gate_timeout.total_seconds()),
        )
        problem = await take_answer(plan, asked, answer.model_dump())
    raise AssertionError("unreachable: count() does not end")


@task(name="look for approval", persist_result=True, result_serializer=RESULTS, cache_key_fn=_by_question)
async def look_for_answer(
    plan: Plan, asked: str, problem: str | None, changed: tuple[str, ...]
) -> Agreed | Declined | Waiting:
    """Whether the ledger already holds enough valid approvals of exactly this plan, or a decline; else note the question."""
    return await asyncio.to_thread(_look_for_answer, plan, asked, problem, changed)


def _look_for_answer(
    plan: Plan, asked: str, problem: str | None, changed: tuple[str, ...] = ()
) -> Agreed | Declined | Waiting:
    now, ours = datetime.now(UTC), organization()
    entries = ledger.entries(plan.case_id)
    given = in_force(entries, plan)
    if no := next((a for a in given if a.decision == "decline"), None):
        return Declined(plan_hash=plan.hash, by=no.approver, reason=no.reason)
    proposal = proposal_of(entries, plan.hash)
    verdict = approve(plan, given, ours, frozenset(proposal.suspects), now, proposal.requested_by)
    if isinstance(verdict, ApprovedPlan):
        if not verdict.approvals:
            _grant_by_policy(plan, now)
        return Agreed(
            plan_hash=plan.hash, leave_out=verdict.leave_out, approvers=tuple(a.approver for a in verdict.approvals)
        )
    question = {
        "gate": plan.gate,
        "plan_hash": plan.hash,
        "need": verdict.need,
        "have": verdict.have,
        "asked": asked,
        "run": asked.split(":", 1)[0],
        "until": (now + ours.approvals.gate_timeout).isoformat(),
        "problem": problem,
    }
    ledger.append(plan.case_id, "gate-asked", "flow", question, key=f"asked:{asked}")
    second = f"{verdict.why}: a second, different person must agree." if verdict.have else None
    page = gate_description(
        plan, needed=verdict.need, about=case_in_brief(entries), problem=problem or second, changed=changed
    )
    return Waiting(page=page)


def _grant_by_policy(plan: Plan, now: datetime) -> None:
    by_policy = Approval(
        case_id=plan.case_id,
        gate=plan.gate,
        plan_hash=plan.hash,
        decision="approve",
        approver="policy",
        method="auto",
        time=now,
        reason="organization.toml sets the level auto for every action of this plan",
        expires=now + organization().approvals.valid_for,
    )
    ledger.append(plan.case_id, "gate-answered", "policy", by_policy.model_dump(mode="json"), key=f"auto:{plan.hash}")


@task(name="take answer", persist_result=True, result_serializer=RESULTS, cache_key_fn=_by_question)
async def take_answer(plan: Plan, asked: str, answer: dict[str, object]) -> str | None:
    """Check and record one answer; the reason to ask again if it does not count."""
    return await asyncio.to_thread(_take_answer, plan, asked, Answer.model_validate(answer))


def _take_answer(plan: Plan, asked: str, answer: Answer) -> str | None:
    case, now = plan.case_id, datetime.now(UTC)
    if earlier := ledger.find(
        case, f"answer:{asked}"
    ):  # died after recording it: the code must not count as used twice
        return earlier.data.get("refused")
    who = answer.approver.strip().lower()
    approval = Approval(
        case_id=case,
        gate=plan.gate,
        plan_hash=plan.hash,
        decision=answer.decision,
        leave_out=tuple(i.strip() for i in answer.leave_out if i.strip()),
        approver=who,
        method="totp",
        time=now,
        reason=answer.reason,
        expires=now + organization().approvals.valid_for,
    )
    entries = ledger.entries(case)
    proposal = proposal_of(entries, plan.hash)
    why = refuse_answer(
        approval, plan, in_force(entries, plan), frozenset(proposal.suspects), proposal.requested_by
    ) or _code_refused(who, answer.code.strip(), now)
    if why:
        refused = {"gate": plan.gate, "plan_hash": plan.hash, "approver": who, "refused": why}
        ledger.append(case, "gate-refused", "flow", refused, key=f"answer:{asked}")
        return why
    ledger.append(case, "gate-answered", f"person:{who}", approval.model_dump(mode="json"), key=f"answer:{asked}")
    return None


def _code_refused(who: str, code: str, now: datetime) -> str | None:
    checked = approvers.verify(who, code, now=now)
    return checked.why if isinstance(checked, approvers.Refused) else None
