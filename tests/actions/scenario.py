"""One action in the lab: what was planned, what the attacker tries, and how somebody undoes it behind our back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from decisions.plan import PlannedAction
from tasks.actions.base import Action, State
from tests.actions.given import Roles
from tests.lab.conftest import RunningLab

REFUSED = {
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "InvalidClientTokenId",
    "AuthFailure",
    "403",
}


@dataclass
class Scenario:
    """Built by the tests of one action; the shared tests run it."""

    lab: RunningLab
    aws: Roles
    action: Action
    planned: PlannedAction
    attempts: tuple[Callable[[], str], ...] = ()
    """What the attacker tries, as error codes: `ok` before the action, something else after it."""
    undo: Callable[[], Any] = lambda: None
    """Somebody takes the effect away."""

    def read(self) -> State:
        return self.action.read(self.aws, self.planned)

    def tried(self) -> tuple[str, ...]:
        """`ok` for each attempt that is not refused, else the code of the refusal."""
        codes = (attempt() for attempt in self.attempts)
        return tuple(code if code in REFUSED else "ok" for code in codes)

    def writes(self) -> list[str]:
        """What our roles have written, as the lab's own CloudTrail has it."""
        return [e["eventName"] for e in self.lab.events() if _ours(e) and not e["readOnly"] and "errorCode" not in e]


def _ours(event: dict[str, Any]) -> bool:
    return "assumed-role/vmexport-" in event["userIdentity"].get("arn", "")
