"""Whether policies allow a request, in one word."""

from __future__ import annotations

from decisions.iam_policy import evaluate_identity
from tests.decisions.policies import (
    policy,
    request,
    statement,
)

ALL = policy(statement())
NONE = policy(statement(action="iam:List*"))
DENY = policy(statement("Deny"))


def allows(document, asked=None, **more):
    return evaluate_identity(asked or request(), [document], **more).allowed


def with_condition(condition, effect="Allow"):
    return policy(statement(effect, Condition=condition))
