"""One gate, whole: plan, ask, carry out; and again for as long as the world has moved meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from decisions.plan import Plan
from flows import gates
from flows.write_back import write_back
from tasks.actions.run import CarriedOut, Stale

Propose = Callable[[], Awaitable[Plan]]
Phase = Callable[[str, str], Awaitable[CarriedOut | Stale]]


async def agree_and_carry_out(propose: Propose, phase: Phase) -> CarriedOut | gates.Declined | None:
    """Run `phase` with what people agreed to; None when there is nothing to do, Declined when somebody said no.

    Called from a parent flow only. Every branch depends on persisted results: a resumed run takes the same way.
    A stale plan is made again and asked about again; so is one of whose actions some failed, where people answer.
    """
    changed: tuple[str, ...] = ()
    while True:
        plan = await propose()
        if not plan.actions:
            return None
        answer = await gates.ask(plan, changed)
        if isinstance(answer, gates.Declined):
            await write_back(plan.case_id)
            return answer
        outcome = await phase(plan.case_id, plan.hash)
        await write_back(plan.case_id)
        if isinstance(outcome, CarriedOut) and (not outcome.failed or not answer.approvers):
            return outcome  # what policy agreed to and failed is not tried for ever: nobody would be asked
        changed = outcome.changed if isinstance(outcome, Stale) else outcome.failed
