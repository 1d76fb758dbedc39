"""What one ledger entry says, as a sentence for a timeline."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

from decisions.activity import LogRecord
from decisions.document import Code, Inline, Line
from decisions.evidence import utc
from decisions.ledger import LedgerEntry

Lane = Literal["detection", "people", "response"]
Told = tuple[Lane, Line, bool]
"""Whose doing, the sentence, and whether it is a detail."""
D = dict[str, Any]


def tell(entry: LedgerEntry) -> Told | None:
    """The sentence; None for what another moment already tells. Kinds that are not known are told by their name."""
    if entry.kind in _SENTENCES:
        return _SENTENCES[entry.kind](entry.data)
    return "response", (entry.kind, " by ", Code(entry.by)), True


SESSION = re.compile(r"arn:aws[\w-]*:sts::(\d{12}):assumed-role/([^/]+)/(.+)")
USER = re.compile(r"arn:aws[\w-]*:iam::(\d{12}):user/(?:.*/)?([^/]+)")


def caller_words(arn: str) -> list[Inline]:
    """A caller as people name them: user, or session and role, with the account; any other name as it stands."""
    if found := SESSION.fullmatch(arn):
        return [Code(found[3]), " (role ", Code(found[2]), f" of {found[1]})"]
    if found := USER.fullmatch(arn):
        return ["user ", Code(found[2]), f" of {found[1]}"]
    return [Code(arn)]


DEEDS = {
    "ec2.cancel-export": "Export cancelled",
    "events.watch-exports": "EventBridge rule on exports set",
    "forensics.copy-export": "Image copied to the evidence bucket",
    "iam.deactivate-access-key": "Access key deactivated",
    "iam.deny-user": "User denied everything",
    "iam.remove-export-permission": "Permission to export removed",
    "iam.revoke-role-sessions": "Role sessions revoked",
    "organizations.attach-export-guardrail": "Service control policy against exports attached",
    "s3.delete-export": "Exported image deleted",
    "s3.deny-export-writes": "Bucket closed to the export service",
    "s3.lock-export": "Exported image locked against strangers",
    "s3.remove-export-grant": "Export service's grant on the bucket removed",
}
"""What each kind of action has done, for people who do not know its id."""


def deed(action_id: str) -> list[Inline]:
    """What an action did and to what; an action that has no words here is told by its id."""
    kind, _, target = action_id.partition(":")
    return [f"{DEEDS[kind]}: ", Code(target)] if kind in DEEDS else [Code(action_id)]


def _gate(data: D) -> str:
    return f"gate {data.get('gate')}"


def _answered(data: D) -> Told:
    left_out = [Code(str(i)) for i in data.get("leave_out") or ()]
    line: list[Inline] = [
        Code(str(data["approver"])),
        f" {_ANSWERS.get(str(data['decision']), data['decision'])} at the {_gate(data)}",
    ]
    for n, action in enumerate(left_out):
        line += [" without " if n == 0 else ", ", action]
    line += [" (", Code(str(data["reason"])), ")"] if data.get("reason") else []
    return "people", line, False


def _asked(data: D) -> Told:
    line: list[Inline] = [f"The {_gate(data)} waits for people: {data['have']} of {data['need']} have approved"]
    line += [f". {data['problem']}"] if data.get("problem") else []
    return "response", line, False


def _done(data: D) -> Told:
    verified = data["verification"]["verified"]
    word = "in force, verified" if verified else "applied, NOT verified"
    return (
        "response",
        (*deed(str(data["action_id"])), f": {word}", "" if data["changed"] else " (it was so already)"),
        False,
    )


def _proposed(data: D) -> Told:
    plan = data["plan"]
    return "response", f"A plan of {len(plan['actions'])} actions for {plan['gate']}, {plan['hash'][:12]}", True


def _read_again(data: D) -> Told:
    said = " ".join(map(str, data["differences"]))
    words = f" was read again where it came from: {said or 'it says the same'}"
    return "detection", ("The alert ", Code(str(data["alert_id"])), words), not said


def _downloaded(data: D) -> Told:
    record = LogRecord.model_validate(data["record"])
    line: list[Inline] = [f"A hunt found that at {utc(record.time)} "]
    named = record.caller and not record.is_anonymous
    line += caller_words(str(record.caller)) if named else [record.caller or "somebody"]
    line += [" read the exported image (", Code(record.event_name), ")"]
    line += [" from ", Code(record.source_address)] if record.source_address else []
    return "detection", line, False


_ANSWERS = {"approve": "approved", "decline": "declined"}
_SENTENCES: dict[str, Callable[[D], Told | None]] = {
    "case-opened": lambda d: ("detection", "The case was opened", False),
    "alert-joined": lambda d: ("detection", ("The alert of export ", Code(str(d["event"]["event_id"])), " was taken in"), True),
    "alert-read-again": _read_again,
    "run-started": lambda d: ("response", ("The response began: run ", Code(str(d["run"]))), True),
    "evidence-collected": lambda d: ("response", (f"{d['id']} collected: ", Code(str(d["what"]))), True),
    "assessed": lambda d: ("response", f"Severity: {d['assessment']['level']}", False),
    "verdict": lambda d: ("response", f"Verdict: {d['verdict']}", False),
    "plan-proposed": _proposed,
    "gate-asked": _asked,
    "gate-answered": _answered,
    "gate-refused": lambda d: ("people", (f"An answer to the {_gate(d)} by ", Code(str(d["approver"])), f" was refused: {d['refused']}"), False),
    "action-started": lambda d: ("response", (Code(str(d["action_id"])), " was begun"), True),
    "action-done": _done,
    "action-failed": lambda d: ("response", (Code(str(d["action_id"])), f" FAILED: {d['error']}"), False),
    "plan-carried-out": lambda d: ("response", f"The plan of the {_gate(d)} was carried out, {len(d['failed'])} failed", True),
    "plan-stale": lambda d: ("response", f"The plan of the {_gate(d)} was stale: {' '.join(d['changed'])}", False),
    "reverted": lambda d: ("response", (Code(str(d["action_id"])), " was taken back"), False),
    "case-closed": lambda d: ("response", "The case was closed", False),
    "download-found": _downloaded,
    "case-reopened": lambda d: ("response", ("The case was opened again: ", str(d["why"])), False),
    "report-written": lambda d: ("response", "The report was written", False),
    "gap": lambda d: ("response", (f"Not known: {d['what']}: {d['why']}",), True),
    "custody": lambda d: ("response", ("Custody of ", Code(str(d.get("artefact"))), " went to ", Code(str(d.get("to")))), False),
}  # fmt: skip
