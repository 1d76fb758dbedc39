"""Which actions there are: every file of this folder that defines `ACTION`. Adding one is adding a file."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import tasks.actions
from tasks.actions.base import Action

NOT_ACTIONS = frozenset({"run", "registry", "permissions"})
"""What carries actions out, finds them and writes down what they may do."""


@cache
def actions() -> dict[str, Action]:
    """Every action by its kind, in the order of their plans. Raises TypeError where a file breaks the contract."""
    found: dict[str, Action] = {}
    for module in iter_modules(tasks.actions.__path__):
        if module.name in NOT_ACTIONS:
            continue
        action: object = getattr(import_module(f"tasks.actions.{module.name}"), "ACTION", None)
        if action is None:
            continue
        if not isinstance(action, Action):
            raise TypeError(f"tasks/actions/{module.name}.py: ACTION is not an Action")
        if action.kind in found:
            raise TypeError(f"tasks/actions/{module.name}.py: {action.kind} is taken by another file")
        found[action.kind] = action
    return dict(sorted(found.items(), key=lambda pair: (pair[1].gate, pair[1].order, pair[0])))
