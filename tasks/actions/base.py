"""The contract of a response action, and the clients it is given.

One file in this folder is one action: it proposes itself from findings (`plan`, no client, so it cannot act), reads
the state that it may change, applies, verifies by effect and reverts. `tasks/actions/run.py` carries it out; nobody else does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Field

from decisions.evidence import Frozen
from decisions.findings import Findings
from decisions.ledger import canonical_sha256
from decisions.organization import Organization
from decisions.plan import ActionClass, PlannedAction, Precondition
from decisions.receipt import Receipt, Verification

State = dict[str, Any]
"""JSON of what an action may change, complete enough to put it back byte for byte."""


class ActionRefused(Exception):
    """An action will not do what it was asked; the sentence says what is in the way and the next step."""


FAILURES = (ClientError, BotoCoreError, ActionRefused)
"""What AWS or an action may answer instead of doing it; anything else is a defect of ours and ends the run."""


class Clients(Protocol):
    """boto3 clients by account, role tier and service; `tasks.sts` implements it."""

    def client(self, service: str, *, account: str, tier: str, region: str | None = None) -> Any:
        """A client with the session of `tier` (`read`, `respond`, `destructive`, `forensics`) in `account`."""
        ...


class Applied(Frozen):
    """What `apply` did: nothing if the wanted state was already in force."""

    changed: bool
    request_ids: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    custody: dict[str, Any] = Field(default_factory=dict)
    """For evidence copies: what goes into the chain of custody."""


class Action(ABC):
    """One response action. Every method that takes clients is idempotent."""

    kind: ClassVar[str]
    action_class: ClassVar[ActionClass]
    gate: ClassVar[str]
    """Which plan it belongs to: `containment`, `destruction`, `eradication`, `recovery`."""
    order: ClassVar[int]
    """Position in its plan; smaller first."""
    step: ClassVar[str]
    """Step of PLAYBOOK.md, e.g. `containment.1b`."""
    tier: ClassVar[str]
    permissions: ClassVar[tuple[str, ...]]
    """IAM actions of everything it does with its own tier, verify and revert included."""
    other_tiers: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """IAM actions that it needs in other tiers: what one role may not see, another looks up for it."""

    @abstractmethod
    def plan(self, findings: Findings, organization: Organization, now: datetime) -> tuple[PlannedAction, ...]:
        """Propose itself, or nothing. Unknown facts: no proposal (the missing fact is in `findings.missing`)."""

    def propose(
        self,
        *,
        target: str,
        account: str,
        region: str,
        reason: str,
        evidence: tuple[str, ...],
        fact: str,
        state: State,
        after: State,
        inverse: str,
        blast_radius: str,
        parameters: dict[str, Any] | None = None,
        needs: tuple[str, ...] = (),
    ) -> PlannedAction:
        """The action as planned, resting on `state`: the fact is hashed, the permissions and the class are its own."""
        draft = PlannedAction(
            id=f"{self.kind}:{target}",
            kind=self.kind,
            target=target,
            account=account,
            region=region,
            action_class=self.action_class,
            reason=f"{reason} (evidence: {', '.join(evidence) or 'none stored'})",
            evidence=evidence,
            preconditions=(),
            parameters=parameters or {},
            before=state,
            after=after,
            inverse=inverse,
            blast_radius=blast_radius,
            permissions=self.permissions,
            needs=needs,
        )
        rests_on = Precondition(fact=fact, sha256=self.precondition(draft, state))
        return draft.model_copy(update={"preconditions": (rests_on,)})

    @abstractmethod
    def read(self, aws: Clients, action: PlannedAction) -> State:
        """The state in force now, always fresh."""

    def relevant(self, action: PlannedAction, state: State) -> Any:
        """The part of the state that the plan rests on; other actions of one plan must not change it."""
        return state

    def precondition(self, action: PlannedAction, state: State) -> str:
        """Hash to compare with the plan's."""
        return canonical_sha256(self.relevant(action, state))

    @abstractmethod
    def reached(self, action: PlannedAction, state: State) -> bool:
        """Whether the wanted state is in force, so that nothing is left to write."""

    @abstractmethod
    def apply(self, aws: Clients, action: PlannedAction, before: State) -> Applied:
        """Bring the wanted state about; only what is missing is written, so a second call writes nothing."""

    @abstractmethod
    def verify(self, aws: Clients, action: PlannedAction) -> Verification:
        """By effect: fresh reads, policy simulation, and a canary call where one is at hand. Never by the write's 200."""

    @abstractmethod
    def revert(self, aws: Clients, action: PlannedAction, receipt: Receipt) -> Verification:
        """Put back exactly `receipt.before`; refuse, by saying so, where somebody changed it since."""
