"""An action that is fully told by the state it wants: the shape of every action that can be undone.

Such an action says what the state should be (`wanted`, pure) and how a difference is written (`write`). Applying is
writing the difference to the wanted state, reverting is writing the difference to the stored one; either may be cut
off anywhere and called again, because only what still differs is written.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from decisions.ledger import canonical_sha256
from decisions.plan import PlannedAction
from decisions.receipt import Receipt, Verification
from tasks.actions.base import Action, Applied, Clients, State
from tasks.actions.settled import Look, verification


class StateChange(Action):
    """Apply, verify and revert, from `wanted` and `write`."""

    @abstractmethod
    def wanted(self, action: PlannedAction, state: State) -> State:
        """What `state` becomes; equal to `state` once it is in force. Raises ActionRefused where it cannot be."""

    @abstractmethod
    def write(self, aws: Clients, action: PlannedAction, current: State, target: State) -> tuple[str, ...]:
        """Bring `current` to `target`, writing only what differs; the request ids of the writes."""

    @abstractmethod
    def effects(self, aws: Clients, action: PlannedAction) -> Sequence[Look]:
        """Probes of the effect, beside the fresh read that every verification makes."""

    def own(self, part: str, value: Any) -> Any:
        """A part without what other actions of one case change in it; a plan does not rest on that."""
        return value

    def same(self, one: State, other: State) -> bool:
        """Whether two states mean the same to AWS; parts of a state are compared one at a time with it."""
        return one == other

    def put_back(self, now: State, before: State) -> bool:
        """Whether `now` is what `before` was. S3 lists the principals of a policy in another order at each read."""
        return self.same(now, before)

    def relevant(self, action: PlannedAction, state: State) -> Any:
        """The two states that the plan lies between, and each of its parts that is neither: somebody changed it.

        A part that is as wanted already has not spoilt the plan. Seen from the way back it is the same value.
        """
        ends = [
            {part: self.own(part, end.get(part)) for part in action.before} for end in (action.before, action.after)
        ]
        wanted = self.wanted(action, state)
        changed = {
            part: self.own(part, state[part])
            for part in action.before
            if self.own(part, state[part]) not in [end[part] for end in ends]
            and not self.same({part: state[part]}, {part: wanted[part]})
        }
        return {"between": sorted(ends, key=canonical_sha256), "changed": changed}

    def reached(self, action: PlannedAction, state: State) -> bool:
        return self.same(self.wanted(action, state), state)

    def apply(self, aws: Clients, action: PlannedAction, before: State) -> Applied:
        current = self.read(aws, action)
        target = self.wanted(action, current)
        if self.same(target, current):
            return Applied(changed=False)
        return Applied(changed=True, request_ids=self.write(aws, action, current, target))

    def verify(self, aws: Clients, action: PlannedAction) -> Verification:
        return verification([lambda: self._in_force(aws, action), *self.effects(aws, action)])

    def revert(self, aws: Clients, action: PlannedAction, receipt: Receipt) -> Verification:
        current = self.read(aws, action)
        foreign = [part for part in current if not self._ours(part, current, receipt)]
        if foreign:
            return Verification(
                verified=False,
                probes=(
                    f"{action.id} was not taken back: {', '.join(foreign)} was changed by somebody since. "
                    "Take back what was changed later first, or restore by hand from the receipt's `before`.",
                ),
            )
        if not self.put_back(current, receipt.before):
            self.write(aws, action, current, receipt.before)
        return verification([lambda: self._restored(aws, action, receipt)])

    def _in_force(self, aws: Clients, action: PlannedAction) -> tuple[bool, str]:
        holds = self.reached(action, self.read(aws, action))
        return holds, f"Read again: {action.target} {'is' if holds else 'is NOT'} in the planned state."

    def _restored(self, aws: Clients, action: PlannedAction, receipt: Receipt) -> tuple[bool, str]:
        now = self.read(aws, action)
        if now == receipt.before:
            return True, f"Read again: {action.target} is exactly as it was before the action."
        if self.put_back(now, receipt.before):
            return (
                True,
                f"Read again: {action.target} means what it meant before the action; AWS writes it another way.",
            )
        return False, f"Read again: {action.target} is NOT as it was before the action."

    def _ours(self, part: str, current: State, receipt: Receipt) -> bool:
        now = {part: current[part]}
        return any(part in known and self.same(now, {part: known[part]}) for known in (receipt.after, receipt.before))
