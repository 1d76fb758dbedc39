"""Who agreed to what: approvals, the policy that counts them, and the only mint of an `ApprovedPlan`."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from decisions.evidence import Frozen
from decisions.plan import Plan


class Approval(Frozen):
    """One person's answer to one gate about one exact plan."""

    case_id: str
    gate: str
    plan_hash: str
    decision: Literal["approve", "decline"]
    leave_out: tuple[str, ...] = ()
    approver: str
    method: Literal["totp", "slack", "cli-totp", "auto"]
    time: AwareDatetime
    reason: str
    expires: AwareDatetime


class ApprovedPlan(Frozen):
    """A plan that may be carried out. Minted only by `approve` in this module; `tasks/actions/run.py` takes nothing else."""

    plan: Plan
    leave_out: tuple[str, ...]
    approvals: tuple[Approval, ...]
