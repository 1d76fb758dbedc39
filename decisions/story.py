"""What one ledger entry says, as a sentence for a timeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from decisions.document import Code, Inline, Line
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


def _gate(data: D) -> str:
    return f"gate {data.get('gate')}"


def _answered(data: D) -> Told:
    left_out = [Code(str(i)) for i in data.get("leave_out") or ()]
    line: list[Inline] = [Code(str(data["approver"])), f" answered the {_gate(data)}: {data['decision']}"]
    for n, action in enumerate(left_out):
        line += [" without " if n == 0 else ", ", action]
    line += [" (", Code(str(data["reason"])), ")"] if data.get("reason") else []
    return "people", line, False


def _asked(data: D) -> Told:
    line: list[Inline] = [f"The {_gate(data)} asks: {data['have']} of {data['need']} approvals"]
    line += [f". {data['problem']}"] if data.get("problem") else []
    return "response", line, False


def _done(data: D) -> Told:
    verified = data["verification"]["verified"]
    word = "in force, verified" if verified else "applied, NOT verified"
    return (
        "response",
        (Code(str(data["action_id"])), f": {word}", "" if data["changed"] else " (it was so already)"),
        False,
    )


def _proposed(data: D) -> Told:
    plan = data["plan"]
    return "response", f"A plan of {len(plan['actions'])} actions for {plan['gate']}, {plan['hash'][:12]}", True


_SENTENCES: dict[str, Callable[[D], Told | None]] = {
    "case-opened": lambda d: ("detection", "The case was opened", False),
    "alert-joined": lambda d: ("detection", ("The alert of export ", Code(str(d["event"]["event_id"])), " was taken in"), True),
    "run-started": lambda d: ("response", ("The response began: run ", Code(str(d["run"]))), True),
    "evidence-collected": lambda d: ("response", (f"{d['id']} collected: ", Code(str(d["what"]))), True),
    "assessed": lambda d: ("response", f"Severity: {d['assessment']['level']}", False),
    "verdict": lambda d: ("response", f"Verdict: {d['verdict']}", False),
    "plan-proposed": _proposed,
    "gate-asked": _asked,
    "gate-answered": _answered,
    "gate-refused": lambda d: ("people", (f"An answer to the {_gate(d)} by ", Code(str(d["approver"])), f" was refused: {d['refused']}"), False),
    "action-started": lambda d: ("response", (Code(str(d["action_id"])), ": begun"), True),
    "action-done": _done,
    "action-failed": lambda d: ("response", (Code(str(d["action_id"])), f": FAILED: {d['error']}"), False),
    "plan-carried-out": lambda d: ("response", f"The plan of the {_gate(d)} was carried out, {len(d['failed'])} failed", True),
    "plan-stale": lambda d: ("response", f"The plan of the {_gate(d)} was stale: {' '.join(d['changed'])}", False),
    "reverted": lambda d: ("response", (Code(str(d["action_id"])), ": taken back"), False),
    "case-closed": lambda d: ("response", "The case was closed", False),
    "report-written": lambda d: ("response", "The report was written", False),
    "gap": lambda d: ("response", (f"Not known: {d['what']}: {d['why']}",), True),
    "custody": lambda d: ("response", ("Custody of ", Code(str(d.get("artefact"))), " went to ", Code(str(d.get("to")))), False),
}  # fmt: skip
