"""`vmexport gates | approve | decline | release`: what the Prefect UI's form does, from a terminal."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

Gate = Annotated[
    str,
    typer.Argument(
        metavar="GATE", help="The gate as `vmexport gates` names it: CASE/GATE, or the case if only one waits"
    ),
]
As = Annotated[
    str, typer.Option("--as", metavar="ADDRESS", help="Your address, as enrolled with `vmexport approver add`")
]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; kept in the case")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object")]
Code = Annotated[
    str | None,
    typer.Option(
        metavar="DIGITS",
        help="The one-time code; asked for, or read from a pipe, when missing (a code on a command line stays in the shell's history)",
    ),
]


def open_gates() -> list[dict[str, Any]]:
    """Questions that wait for an answer now, oldest first."""
    from records import ledger

    waiting: list[dict[str, Any]] = []
    now = datetime.now(UTC)
    for case in ledger.cases():
        asked: dict[str, dict[str, Any]] = {}
        for entry in ledger.entries(case):
            if entry.kind == "gate-asked":
                asked[entry.data["plan_hash"]] = entry.data | {"case": case, "since": entry.time.isoformat()}
            elif entry.kind in {"gate-answered", "gate-refused", "plan-carried-out", "plan-stale"}:
                asked.pop(entry.data["plan_hash"], None)
            elif entry.kind == "case-closed":
                asked = {h: a for h, a in asked.items() if a["gate"] == "release"}
        waiting += [a for a in asked.values() if datetime.fromisoformat(a["until"]) > now]
    return sorted(waiting, key=lambda a: a["since"])


def find_gate(name: str) -> dict[str, Any]:
    """The one waiting gate of this name. Raises UsageProblem with what does wait."""
    from cli.console import UsageProblem

    waiting = open_gates()
    found = [g for g in waiting if name in {f"{g['case']}/{g['gate']}", g["case"]}]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"{g['case']}/{g['gate']}" for g in waiting) or "none"
    which = "more than one gate" if found else "no gate"
    raise UsageProblem(f"{which} {name!r} waits for an answer. Waiting now: {names}.")


def gates(as_json: Annotated[bool, typer.Option("--json", help="One JSON array")] = False) -> None:
    """What waits for an answer, since when, until when.

    Example: vmexport gates
    """
    from cli.console import say
    from decisions.evidence import utc

    waiting = open_gates()
    if as_json:
        typer.echo(json.dumps(waiting, indent=2))
        return
    if not waiting:
        say("No gate waits for an answer.")
    for gate in waiting:
        times = (
            f"since {utc(datetime.fromisoformat(gate['since']))}, until {utc(datetime.fromisoformat(gate['until']))}"
        )
        say(f"{gate['case']}/{gate['gate']}  {gate['have']} of {gate['need']} approvals, {times}")
        say(
            f"    plan {gate['plan_hash'][:12]}; see and answer it: vmexport approve {gate['case']}/{gate['gate']} --as ADDRESS"
        )


def approve(
    gate: Gate,
    as_: As,
    leave_out: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Id of an action that must not be done; repeatable")
    ] = None,
    reason: Reason = "",
    code: Code = None,
    as_json: Json = False,
) -> None:
    """Agree to the plan that a gate shows. It is shown, then asks for your one-time code.

    Example: vmexport approve VMX-20260302-ABCD/containment --as alice@example.com
    """
    _answer(gate, as_, "approve", leave_out or [], reason, code, as_json)


def decline(gate: Gate, as_: As, reason: Reason = "", code: Code = None, as_json: Json = False) -> None:
    """Refuse the plan that a gate shows. Nothing of it is done.

    Example: vmexport decline VMX-20260302-ABCD/containment --as alice@example.com --reason "approved migration"
    """
    _answer(gate, as_, "decline", [], reason, code, as_json)


def _answer(
    name: str, who: str, decision: str, leave_out: list[str], reason: str, code: str | None, as_json: bool
) -> None:
    from cli.console import UsageProblem, say, say_json
    from cli.orchestration import NotTaken, resume
    from cli.processes import NotReady, wait_until
    from decisions.approval import proposal_of
    from decisions.report import plan_for_terminal
    from records import ledger

    gate = find_gate(name)
    plan = proposal_of(ledger.entries(gate["case"]), gate["plan_hash"]).plan
    if unknown := sorted(set(leave_out) - {a.id for a in plan.actions}):
        raise UsageProblem(
            f"the plan has no action {unknown[0]}. Its actions: {', '.join(a.id for a in plan.actions)}."
        )
    say(plan_for_terminal(plan), error=as_json)
    answer = {
        "decision": decision, "approver": who, "code": code or asked_code(who), "leave_out": leave_out, "reason": reason
    }  # fmt: skip
    try:
        resume(gate["run"], answer)
        wait_until(lambda: _outcome(gate) is not None, 120, "the run took the answer, but did not judge it")
    except (NotTaken, NotReady) as error:
        raise UsageProblem(f"the answer was not taken: {error}.") from error
    if refused := _outcome(gate):
        raise UsageProblem(f"the answer does not count: {refused} The gate asks again.")
    if as_json:
        say_json({"case": gate["case"], "gate": gate["gate"], "decision": decision, "plan_hash": plan.hash})
        return
    say(f"{ANSWERED[decision]}: {gate['case']}/{gate['gate']}, plan {plan.hash[:12]}.")


ANSWERED = {"approve": "approved", "decline": "declined"}


def asked_code(who: str) -> str:
    """The code, typed unseen, or the first line of a pipe. Raises UsageProblem when there is none."""
    from cli.console import UsageProblem

    code = (
        typer.prompt(f"One-time code of {who}", hide_input=True, err=True)
        if sys.stdin.isatty()
        else sys.stdin.readline()
    )
    if not code.strip():
        raise UsageProblem("there is no one-time code. Run it in a terminal, pipe the code in, or give --code.")
    return code.strip()


def _outcome(gate: dict[str, Any]) -> str | None:
    """None while the run has not judged the answer; then the refusal, or an empty string."""
    from records import ledger

    entry = ledger.find(gate["case"], f"answer:{gate['asked']}")
    return None if entry is None else entry.data.get("refused", "")


def release(
    case: Annotated[str, typer.Argument(metavar="CASE", help="Case id, e.g. VMX-20260302-ABCD")],
    as_: As,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why the containment is taken back; kept in the case")],
    as_json: Json = False,
) -> None:
    """Undo a case's changes: plan, gate, revert. Somebody other than you must agree.

    Example: vmexport release VMX-20260302-ABCD --as alice@example.com --reason "approved migration after all"
    """
    from cli.console import UsageProblem, entries_of, say, say_json
    from cli.orchestration import NotTaken, start_release

    entries_of(case)
    try:
        run = start_release(case, as_, reason)
    except NotTaken as error:
        raise UsageProblem(f"the release was not started: {error}.") from error
    if as_json:
        say_json({"case": case, "run": run})
        return
    say(f"release of {case} asked for; run {run}. Its gate appears in `vmexport gates` as {case}/release.")
