"""Who agreed to what: approvals, the policy that counts them, and the only mint of an `ApprovedPlan`.

An approval names the hash of one plan. It is valid for a time, from a person who is not the suspect and not the one
who asked for the release, once per person. How many are needed follows from account sensitivity and action class.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import AwareDatetime, ModelWrapValidatorHandler, ValidationInfo, model_validator

from decisions.evidence import Frozen
from decisions.ledger import LedgerEntry
from decisions.organization import ApprovalPolicy, Autonomy, Organization
from decisions.plan import ActionClass, Plan, PlannedAction

APPROVALS: dict[Autonomy, int] = {"auto": 0, "one": 1, "two": 2}


class Approval(Frozen):
    """One person's answer to one gate about one exact plan."""

    case_id: str
    gate: str
    plan_hash: str
    decision: Literal["approve", "decline"]
    leave_out: tuple[str, ...] = ()
    approver: str
    """Address of the person, or `policy` where the organisation set the level `auto` in advance."""
    method: Literal["totp", "auto"]
    time: AwareDatetime
    reason: str
    expires: AwareDatetime


_MINT = object()


class ApprovedPlan(Frozen):
    """A plan that may be carried out. Only `approve` makes one; `tasks/actions/run.py` takes nothing else."""

    plan: Plan
    leave_out: tuple[str, ...]
    approvals: tuple[Approval, ...]

    @model_validator(mode="wrap")
    @classmethod
    def _only_by_approve(cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        if info.context is not _MINT:
            raise ValueError("an ApprovedPlan is minted by decisions.approval.approve, from approvals; never by hand")
        return handler(value)

    @property
    def actions(self) -> tuple[PlannedAction, ...]:
        """The actions that were agreed to, in order."""
        return tuple(a for a in self.plan.actions if a.id not in self.leave_out)


def in_force(entries: Sequence[LedgerEntry], plan: Plan) -> tuple[Approval, ...]:
    """The answers about this plan that no carrying-out has used up yet, as the ledger has them.

    A plan that was carried out has used its approvals: a run that is retried after its end asks again.
    """
    spent = max(
        (e.seq for e in entries if e.kind == "plan-carried-out" and e.data.get("plan_hash") == plan.hash), default=0
    )
    answers = (e for e in entries if e.kind == "gate-answered" and e.seq > spent)
    return tuple(a for a in (Approval.model_validate(e.data) for e in answers) if a.plan_hash == plan.hash)


class Proposal(Frozen):
    """The ledger's `plan-proposed`: a plan with what its gate must know."""

    plan: Plan
    suspects: tuple[str, ...]
    """Names and addresses of the people behind the export; none of them may answer."""
    requested_by: str | None = None
    """Who asked for a release."""
    exports: tuple[str, ...] = ()
    """Event ids of the exports that the plan is about."""
    seq: int = 0
    """Its place in the ledger."""


def proposal_of(entries: Sequence[LedgerEntry], plan_hash: str) -> Proposal:
    """The proposal of the plan with this hash. Raises LookupError if the case never made it."""
    for entry in entries:
        if entry.kind == "plan-proposed" and entry.data["plan"]["hash"] == plan_hash:
            return Proposal.model_validate(entry.data | {"seq": entry.seq})
    raise LookupError(
        f"no plan {plan_hash} was ever proposed in this case: it can be neither asked about nor carried out"
    )


def next_round(entries: Sequence[LedgerEntry], gate: str) -> int:
    """The number of the next plan of this gate: no earlier answer can count for it."""
    return 1 + sum(1 for e in entries if e.kind == "plan-proposed" and e.data["plan"]["gate"] == gate)


class NotApproved(Frozen):
    """Why a plan may not be carried out (yet)."""

    why: str
    have: int
    need: int


def autonomy(action: PlannedAction, organization: Organization) -> Autonomy:
    """The level that the organisation set for this class of action on this account; unknown accounts count as production."""
    account = organization.account(action.account)
    sensitivity = account.sensitivity if account else "production"
    policy: ApprovalPolicy = organization.approvals
    default: Autonomy = "two" if action.action_class is ActionClass.DESTRUCTIVE else "one"
    return getattr(policy, action.action_class.value).get(sensitivity, default)


def approvals_needed(plan: Plan, leave_out: Sequence[str], organization: Organization) -> int:
    """How many distinct people must agree: the strictest level among the actions that remain."""
    levels = [APPROVALS[autonomy(a, organization)] for a in plan.actions if a.id not in leave_out]
    return max(levels, default=1)


def refuse_answer(
    approval: Approval,
    plan: Plan,
    earlier: Sequence[Approval],
    suspects: frozenset[str],
    requested_by: str | None = None,
) -> str | None:
    """Why this answer does not count, in a sentence; None when it does. The person's code was checked before."""
    who = approval.approver
    if approval.plan_hash != plan.hash:
        return "The answer names another plan than the one that is asked about."
    if is_suspect(who, suspects):
        return f"{who} is the person behind the export or cannot be told apart from them: ask somebody else."
    if requested_by is not None and is_suspect(who, frozenset({requested_by})):
        return f"{who} asked for this release: somebody else must agree to it."
    if any(_name(a.approver) == _name(who) and a.decision == "approve" and a.expires > approval.time for a in earlier):
        return f"{who} has already answered: a second, different person is needed."
    ids = {a.id for a in plan.actions}
    unknown = [i for i in approval.leave_out if i not in ids]
    if unknown:
        return f"leave_out names {', '.join(unknown)}, which is not in the plan. Copy the ids from the table."
    if approval.decision == "approve":
        return _broken_needs(plan, approval.leave_out)
    return None


def _broken_needs(plan: Plan, leave_out: Sequence[str]) -> str | None:
    out = set(leave_out)
    if out >= {a.id for a in plan.actions}:
        return "Every action is left out: that is a decline. Answer decline, with the reason."
    for action in plan.actions:
        broken = [need for need in action.needs if need in out]
        if action.id not in out and broken:
            return f"{action.id} needs {', '.join(broken)}: leave both out or neither."
    return None


def is_suspect(address: str, suspects: frozenset[str]) -> bool:
    """Whether an approver's address may be one of these people: the same name before the @, and before a `+`.

    Erring on this side costs a second phone call; erring on the other lets the suspect approve.
    """
    return any(_name(address) == _name(s) for s in suspects if s)


def _name(address: str) -> str:
    return address.strip().lower().split("@", 1)[0].split("+", 1)[0]


def approve(
    plan: Plan,
    approvals: Sequence[Approval],
    organization: Organization,
    suspects: frozenset[str],
    now: datetime,
    requested_by: str | None = None,
) -> ApprovedPlan | NotApproved:
    """Mint the approved plan if enough valid approvals of exactly this hash exist at `now`."""
    valid: dict[str, Approval] = {}
    for given in sorted(approvals, key=lambda a: a.time):
        if given.plan_hash != plan.hash or given.gate != plan.gate or given.case_id != plan.case_id:
            continue
        if given.decision == "decline":
            return NotApproved(why=f"{given.approver} declined: {given.reason or 'no reason given'}", have=0, need=1)
        if (
            given.expires <= now
            or given.time > now
            or is_suspect(given.approver, suspects)
            or (requested_by is not None and is_suspect(given.approver, frozenset({requested_by})))
        ):
            continue
        valid.setdefault(_name(given.approver), given)
    leave_out = tuple(sorted({i for a in valid.values() for i in a.leave_out}))
    need = approvals_needed(plan, leave_out, organization)
    people = [a for a in valid.values() if a.method != "auto"]
    if len(people) < need:
        return NotApproved(why=f"{len(people)} of {need} approvals", have=len(people), need=need)
    if broken := _broken_needs(plan, leave_out):
        return NotApproved(why=broken, have=len(people), need=need)
    return ApprovedPlan.model_validate(
        {"plan": plan, "leave_out": leave_out, "approvals": tuple(valid.values())}, context=_MINT
    )
