"""Containment as data: what will be done, to what, why, in which order, and how it is undone.

A plan is proposed by the actions themselves (`tasks/actions/*.plan`, no client), ordered here, checked against the
invariants here, and named by its hash. An approval names that hash and nothing else.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from decisions.evidence import Frozen


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
    actions: tuple[PlannedAction, ...]
    hash: str
