"""The smallest edit after which a policy does not allow a VM export any more, and allows everything else as before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from decisions.policy import EXPORT_ACTIONS, SID_PREFIX, CannotEdit, Policy, PolicyEdit
from decisions.policy_document import quota, size, statements, strings
from decisions.policy_matching import action_matches

NO_EXPORT = f"{SID_PREFIX}NoExport"
FILTERS = ("scp", "boundary", "session")
"""They limit by what they do not allow: without its last statement such a policy would not be stricter but gone."""
WITHOUT_EXPORTS = {
    "resource": "a resource's policy does not decide about EC2's APIs",
    "trust": "a trust policy does not decide about EC2's APIs",
    "aws-managed": "it belongs to AWS: detach it, or add an inline policy with a Deny for the export APIs beside it",
}


def deny_exports(actions: Sequence[str] = EXPORT_ACTIONS, sid: str = NO_EXPORT) -> dict[str, Any]:
    """The statement that denies the export APIs, whatever else allows them."""
    return {"Sid": sid, "Effect": "Deny", "Action": list(actions), "Resource": "*"}


def smallest_edit(policy: Policy, actions: Sequence[str] = EXPORT_ACTIONS, beside: int = 0) -> PolicyEdit | CannotEdit:
    """Take `actions` from a document: entries that name one go, what covers one by a pattern gets a Deny beside it.

    `beside`: size of the holder's other inline policies, which share one quota with this one.
    """
    if why := WITHOUT_EXPORTS.get(policy.type):
        return CannotEdit(policy_id=policy.id, why=f"{policy.id} cannot be edited: {why}.")
    kept, sentences = _without_entries(policy, actions)
    covering = [_name(n, s) for n, s in kept if s.get("Effect") == "Allow" and _covers(s, actions)]
    after = [s for _, s in kept]
    if covering and not any(_denies(s, actions) for s in after):
        sentences += [f"{name} covers the export APIs and stays; a Deny for them is added." for name in covering]
        after.append(deny_exports(actions, _free_sid(after)))
    if not sentences:
        return PolicyEdit(policy_id=policy.id, before=policy.document, after=policy.document, sentences=())
    document = policy.document | {"Statement": after} if after else None
    if document is not None and (why := _too_large(policy, document, beside)):
        return CannotEdit(policy_id=policy.id, why=why)
    return PolicyEdit(policy_id=policy.id, before=policy.document, after=document, sentences=tuple(sentences))


def _without_entries(policy: Policy, actions: Sequence[str]) -> tuple[list[tuple[int, dict[str, Any]]], list[str]]:
    """The statements with their places, without entries that name one of the actions and nothing else."""
    names = {a.lower() for a in actions}
    found = list(enumerate(statements(policy.document), 1))
    kept: list[tuple[int, dict[str, Any]]] = []
    sentences: list[str] = []
    for place, statement in found:
        entries = strings(statement.get("Action"))
        rest = [e for e in entries if e.lower() not in names]
        if statement.get("Effect") != "Allow" or len(rest) == len(entries):
            kept.append((place, statement))
            continue
        gone = ", ".join(e for e in entries if e.lower() in names)
        if rest:
            kept.append((place, statement | {"Action": rest}))
            sentences.append(f"{_name(place, statement)} no longer allows {gone}.")
        else:
            sentences.append(f"{_name(place, statement)} is removed: it allowed {gone} and nothing else.")
    if not kept and policy.type in FILTERS:
        return found, []
    return kept, sentences


def _covers(statement: dict[str, Any], actions: Sequence[str]) -> bool:
    return any(action_matches(a, statement) for a in actions)


def _denies(statement: dict[str, Any], actions: Sequence[str]) -> bool:
    """Whether a statement denies all of the actions to everybody, everywhere and always."""
    always = "Condition" not in statement and strings(statement.get("Resource")) == ("*",)
    return statement.get("Effect") == "Deny" and always and all(action_matches(a, statement) for a in actions)


def _free_sid(kept: Sequence[dict[str, Any]]) -> str:
    taken = {s.get("Sid") for s in kept}
    return next(sid for n in range(len(kept) + 1) if (sid := f"{NO_EXPORT}{n or ''}") not in taken)


def _too_large(policy: Policy, after: dict[str, Any], beside: int) -> str | None:
    needed, allowed = size(after) + beside, quota(policy)
    if needed <= allowed or size(after) <= size(policy.document):
        return None
    return (
        f"{policy.id} would have {needed} characters, {allowed} are allowed there: shorten it by {needed - allowed}, "
        "or attach a Deny for the export APIs as a policy of its own."
    )


def _name(place: int, statement: dict[str, Any]) -> str:
    sid = statement.get("Sid")
    return f"Statement {place} ({sid[:80]!a})" if isinstance(sid, str) and sid else f"Statement {place}"
