"""Probes of a cut identity: what IAM's own simulator answers, and a harmless call with the cut credential itself."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from decisions.plan import PlannedAction
from decisions.policy import EXPORT_ACTIONS
from tasks import canary
from tasks.actions.inline_policy import name_of
from tasks.actions.settled import Look

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

CUT_ACTIONS = (*EXPORT_ACTIONS, "s3:GetObject", "s3:PutBucketPolicy", "sts:AssumeRole")
"""What an actor who exported a machine would try next."""


def denied_look(iam: IAMClient, arn: str, issued: str | None = None) -> tuple[bool, str]:
    """Whether the simulator answers an explicit deny for everything the actor would try next.

    `issued`: the moment (ISO 8601) at which the simulated session was issued. Source: iam:SimulatePrincipalPolicy.
    """
    context: list[Any] = []
    if issued:
        key = {"ContextKeyName": "aws:TokenIssueTime", "ContextKeyType": "date", "ContextKeyValues": [issued]}
        context = [key]
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=arn, ActionNames=list(CUT_ACTIONS), ContextEntries=context
    )
    answers = {r["EvalActionName"]: r["EvalDecision"] for page in pages for r in page["EvaluationResults"]}
    open_still = sorted(a for a in CUT_ACTIONS if answers.get(a) != "explicitDeny")
    if open_still:
        return False, f"SimulatePrincipalPolicy: {name_of(arn)} is NOT denied {', '.join(open_still)}."
    return (
        True,
        f"SimulatePrincipalPolicy: {name_of(arn)} is denied {len(answers)} of {len(CUT_ACTIONS)} actions tried.",
    )


def canary_looks(action: PlannedAction) -> tuple[Look, ...]:
    """One look for each of the actor's credentials that is at hand (in a drill); none otherwise."""
    keys: list[str] = action.parameters.get("access_key_ids", [])
    return tuple(partial(_refused, key, action) for key in keys if canary.at_hand(key))


def _refused(key: str, action: PlannedAction) -> tuple[bool, str]:
    refusal = canary.probe(key, action.account, action.region)
    return refusal is not None, f"The actor's credential {key}: {refusal or 'NOT refused by ec2:DescribeInstances'}."
