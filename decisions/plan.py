"""Containment as data: what will be done, to what, why, in which order, and how it is undone.

A plan is proposed by the actions themselves (`tasks/actions/*.plan`, no client), ordered here, checked against the
invariants here, and named by its hash. An approval names that hash and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Self, cast

from pydantic import Field, model_validator

from decisions.evidence import Frozen
from decisions.ledger import canonical_sha256
from decisions.organization import Organization

DESTRUCTION = "destruction"
"""The gate of what cannot be undone."""
COPY_KIND = "forensics.copy-export"
"""What must stand before it."""


class ActionClass(StrEnum):
    """What it costs to be wrong."""

    PREVENTIVE = "preventive"
    REVERSIBLE = "reversible"
    DESTRUCTIVE = "destructive"


class Precondition(Frozen):
    """A fact that the plan rests on; read again before the write, and compared by hash."""

    fact: str
    """In words, e.g. `bucket policy of corp-exports`."""
    sha256: str
    """Over RFC 8785 JSON of the state that the action reads."""


class PlannedAction(Frozen):
    """One change, complete enough to be judged, carried out and undone without asking anyone else."""

    id: str
    """`<kind>:<target>`, unique in a plan."""
    kind: str
    target: str
    account: str
    region: str
    action_class: ActionClass
    reason: str
    evidence: tuple[str, ...] = ()
    preconditions: tuple[Precondition, ...]
    parameters: dict[str, Any] = Field(default_factory=dict)
    """What apply needs, JSON only: fixed at planning so that the hash covers it."""
    before: dict[str, Any]
    after: dict[str, Any]
    inverse: str
    """In words: how it is undone, or that it cannot be."""
    blast_radius: str
    permissions: tuple[str, ...]
    needs: tuple[str, ...] = ()
    """Action ids that must be verified before this one runs."""


class Plan(Frozen):
    """Actions in order, for one gate of one case."""

    case_id: str
    gate: str
    """`containment`, `destruction`, `eradication`, `recovery`, `release`."""
    round: int = 1
    """Counts the plans of one gate: a plan made again never has the hash of an earlier one."""
    actions: tuple[PlannedAction, ...]
    hash: str

    @model_validator(mode="after")
    def _hash_is_its_own(self) -> Self:
        """A plan that was kept and read back is the one that was asked about, or it is none."""
        if self.hash != plan_hash(self.case_id, self.gate, self.actions, self.round):
            raise ValueError(f"plan {self.hash} of {self.case_id} does not hold what it was named for: it was changed")
        return self


class PlanError(ValueError):
    """A proposed plan breaks an invariant; the message says which action, why it matters and what to do."""


def make_plan(
    case_id: str,
    gate: str,
    actions: Sequence[PlannedAction],
    organization: Organization,
    verified: frozenset[str] = frozenset(),
    round: int = 1,
) -> Plan:
    """The plan of `actions` in their order, named by its hash.

    `verified`: ids of actions of earlier plans of the case whose receipts are verified. Raises PlanError.
    """
    planned = tuple(actions)
    for action in planned:
        _check_complete(action)
        _check_protected(action, organization)
    _check_needs(planned, verified)
    _check_deletions(planned, gate)
    return Plan(case_id=case_id, gate=gate, round=round, actions=planned, hash=plan_hash(case_id, gate, planned, round))


def plan_hash(case_id: str, gate: str, actions: Sequence[PlannedAction], round: int) -> str:
    """SHA-256 over RFC 8785 JSON of everything that the approver is shown."""
    shown = [a.model_dump(mode="json") for a in actions]
    return canonical_sha256({"case": case_id, "gate": gate, "round": round, "actions": shown})


def _check_complete(action: PlannedAction) -> None:
    if action.id != f"{action.kind}:{action.target}":
        raise PlanError(
            f"{action.id} is {action.kind} of {action.target}: its id must say so, as others name it by it."
        )
    if not action.preconditions or not action.before:
        raise PlanError(
            f"{action.id} does not say what it starts from, so it could neither be found stale nor taken back."
        )


def _check_needs(actions: tuple[PlannedAction, ...], verified: frozenset[str]) -> None:
    ids = [a.id for a in actions]
    for place, action in enumerate(actions):
        if action.id in ids[:place]:
            raise PlanError(f"{action.id} stands twice in the plan: two approvals of one change. Drop one.")
        missing = [need for need in action.needs if need not in verified and need not in ids[:place]]
        if missing:
            raise PlanError(f"{action.id} needs {', '.join(missing)} first, which the plan does not hold before it.")


def _check_deletions(actions: tuple[PlannedAction, ...], gate: str) -> None:
    destructive = False
    for action in actions:
        if action.action_class is ActionClass.DESTRUCTIVE:
            destructive = True
            if gate != DESTRUCTION:
                raise PlanError(f"{action.id} destroys evidence and stands in {gate}. It has a gate of its own.")
            if not any(_is_copy_of(need, action.target) for need in action.needs):
                raise PlanError(
                    f"{action.id} would destroy evidence: no forensics copy of it stands before it. "
                    f"Add '{COPY_KIND}' for that object, or drop the action."
                )
        elif destructive:
            raise PlanError(f"{action.id} comes after a deletion. Deletions come last: move it before them.")


def _is_copy_of(need: str, target: str) -> bool:
    """Whether an action id is the copy of the object, or of one version of it (`…@version`)."""
    kind, _, copied = need.partition(":")
    return kind == COPY_KIND and target in (copied, copied.rpartition("@")[0])


def _check_protected(action: PlannedAction, organization: Organization) -> None:
    for arn in (action.target, *_arns(action.parameters.get("principals"))):
        if is_break_glass(arn, organization):
            raise PlanError(f"{action.id} would touch the break-glass principal {arn}. It stays out of every plan.")
        if is_ours(arn, organization):
            raise PlanError(f"{action.id} would touch our own role {arn} and lock the responder out.")
    log_targets = action.parameters.get("log_delivery_bucket")
    if log_targets:
        raise PlanError(f"{action.id} would cut log delivery to {log_targets}: the evidence would stop arriving.")


def is_break_glass(arn: str, organization: Organization) -> bool:
    """Whether organization.toml keeps the principal out of every plan: by its ARN, or by a pattern (`*` for any text)."""
    return any(
        re.fullmatch(".*".join(map(re.escape, spared.split("*"))), arn) is not None
        for spared in organization.break_glass
    )


def is_ours(arn: str, organization: Organization) -> bool:
    """Whether the ARN is one of the response's own roles, the copier's included, wherever it lies."""
    return arn.startswith("arn:") and arn.rsplit("/", 1)[-1] in (
        *organization.responder_roles,
        organization.forensics_role,
    )


def _arns(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        return ()
    return tuple(item for item in cast("Sequence[Any]", value) if isinstance(item, str))


def changes_between(old: Plan, new: Plan) -> tuple[str, ...]:
    """What differs between the plan that was shown and the plan shown now, a sentence each."""
    was = {a.id: a for a in old.actions}
    now = {a.id: a for a in new.actions}
    gone = tuple(f"{i} is no longer proposed." for i in was if i not in now)
    added = tuple(f"{i} is new." for i in now if i not in was)
    changed = tuple(
        f"{i} was changed: its target or the state it starts from differs."
        for i in now
        if i in was and now[i] != was[i]
    )
    both = [[a.id for a in plan.actions if a.id in was and a.id in now] for plan in (old, new)]
    moved = ("The actions stand in another order.",) if both[0] != both[1] else ()
    return gone + added + changed + moved
