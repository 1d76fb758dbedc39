"""`vmexport case list | show | card | timeline | export`: what is known of a case, for people and for machines."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from decisions.case import Case
    from decisions.document import Block, Line
    from records.outbox import OutboxItem

app = typer.Typer(help="What is known of a case.", no_args_is_help=True, rich_markup_mode=None)
CaseId = Annotated[str, typer.Argument(metavar="CASE", help="Case id, e.g. VMX-20260302-ABCD")]
Json = Annotated[bool, typer.Option("--json", help="JSON, for machines")]


@app.command("list")
def list_(
    as_json: Json = False,
    open_only: Annotated[bool, typer.Option("--open", help="Only cases that are not closed")] = False,
) -> None:
    """All cases, newest first.

    Example: vmexport case list --open
    """
    from cli.console import say, say_json, show
    from decisions.case import CaseState, fold
    from decisions.document import Table
    from records import ledger

    cases = [fold(ledger.entries(case_id)) for case_id in reversed(ledger.cases())]
    chosen = [c for c in cases if not (open_only and c.state is CaseState.CLOSED)]
    if as_json:
        say_json([_summary(c) for c in chosen])
    elif chosen:
        head = ("Case", "Opened", "State", "Severity", "Verdict", "Exports", "Actor")
        show((Table(head, tuple(_row(c) for c in chosen)),))
    else:
        say("There are no cases." if not cases else "No case is open.")


@app.command("show")
def show_(case: CaseId, as_json: Json = False) -> None:
    """What the ledger says of a case, entry by entry.

    Example: vmexport case show VMX-20260302-ABCD
    """
    from cli.console import entries_of, say_json, show
    from decisions.case import fold
    from decisions.document import Bullets, Code, Heading, Table
    from decisions.evidence import utc
    from decisions.ledger import entry_fields
    from decisions.story import tell

    entries = entries_of(case)
    folded = fold(entries)
    if as_json:
        kibana = [{"key": n.key, "state": n.state, "why": n.why, "answer": n.answer} for n in _notes(case)]
        say_json(_summary(folded) | {"ledger": [entry_fields(e) for e in entries], "kibana": kibana})
        return
    told: list[tuple[Line, ...]] = []
    for entry in entries:
        sentence = tell(entry)
        told.append((str(entry.seq), utc(entry.time), Code(entry.by), sentence[1] if sentence else entry.kind))
    facts = (
        f"{name.replace('_', ' ')}: {value or '–'}"
        for name, value in _summary(folded).items()
        if not isinstance(value, list)
    )
    page = (Heading(1, folded.id), Bullets(tuple(facts)), Table(("#", "Time", "By", "What"), tuple(told)))
    show((*page, *_in_kibana(case)))


@app.command("card")
def card(case: CaseId, as_json: Json = False) -> None:
    """How bad and why, the facts, what is missing, what to do next.

    Example: vmexport case card VMX-20260302-ABCD
    """
    from cli.console import entries_of, say_json, show
    from decisions.card import card_page
    from tasks import case_facts
    from tasks.elastic.place import kibana_place

    entries, facts = entries_of(case), case_facts.latest(case)
    if as_json:
        say_json(_summary_of(entries) | {"facts": facts.model_dump(mode="json") if facts else None})
    else:
        show(card_page(entries, facts, None, datetime.now(UTC), kibana_place()))


@app.command("timeline")
def timeline(
    case: CaseId,
    as_json: Json = False,
    all_: Annotated[bool, typer.Option("--all", help="Reading calls and our own steps as well")] = False,
) -> None:
    """What happened, in order. Calls of the actor, reads of the image, the response; JSON holds all of it.

    Example: vmexport case timeline VMX-20260302-ABCD
    """
    from cli.console import entries_of, say_json, show
    from decisions.document import Heading
    from decisions.findings import Findings
    from decisions.review import moments_table
    from decisions.timeline import as_json as as_object
    from decisions.timeline import timeline as moments_of
    from settings.organization import organization
    from tasks import case_facts

    entries, facts = entries_of(case), case_facts.latest(case)
    moments = moments_of(entries, facts if isinstance(facts, Findings) else None, organization())
    if as_json:
        say_json([as_object(m) for m in moments])
    else:
        show((Heading(1, f"{case}: what happened (UTC)"), *moments_table(moments, everything=all_)))


@app.command("export")
def export(
    case: CaseId,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="A new or empty folder")],
    as_json: Json = False,
) -> None:
    """Write a case into a folder that proves itself. `vmexport verify DIR` needs nothing else.

    Example: vmexport case export VMX-20260302-ABCD --to ./VMX-20260302-ABCD
    """
    from cli.console import UsageProblem, say, say_json
    from records import cases

    try:
        written = cases.export(case, to)
    except LookupError as error:
        raise UsageProblem(f"{error}. `vmexport case list` names them.") from error
    except FileExistsError as error:
        raise UsageProblem(f"{error}. Name a new folder.") from error
    except OSError as error:
        raise UsageProblem(f"{to} cannot be written: {error.strerror}. Name another folder.") from error
    if as_json:
        say_json(written)
        return
    say(f"{case}: {written['entries']} entries and {len(written['evidence'])} pieces of evidence are in {to}.")
    say(f"Keep this hash elsewhere: it proves later that nothing was cut off.\n    {written['head']}")
    say(f"Check with: vmexport verify {to} --head {written['head']}")


def _notes(case: str) -> tuple[OutboxItem, ...]:
    from records import outbox

    return outbox.items("kibana", case)


def _in_kibana(case: str) -> tuple[Block, ...]:
    """What was written into Kibana, what waits and why; nothing where nothing was to be written."""
    from decisions.document import Bullets, Code, Heading, Link, Paragraph
    from decisions.evidence import utc
    from decisions.kibana_links import case_link
    from tasks.elastic.place import kibana_place

    notes, place = _notes(case), kibana_place()
    if not notes:
        return ()
    opened = next((n.answer for n in notes if n.key == "case" and n.answer), None)
    link: tuple[Line, ...] = ()
    if opened and place:
        link = (Link("The case there", case_link(place.model_copy(update={"space": opened["space"]}), opened["id"])),)
    count = {state: sum(n.state == state for n in notes) for state in ("done", "waiting", "given-up")}
    told: list[Line] = [
        (Code(n.key), f" {n.state}" + (f" until {utc(n.next_at)}" if n.state == "waiting" else ""), f": {n.why}")
        for n in notes
        if n.why
    ]
    said = f"{count['done']} of {len(notes)} notes are written, {count['waiting']} wait, {count['given-up']} were given up."
    return (Heading(2, "Kibana"), Paragraph(said), *((Bullets((*link, *told)),) if link or told else ()))


def _summary_of(entries: Any) -> dict[str, Any]:
    from decisions.case import fold

    return _summary(fold(entries))


def _summary(case: Case) -> dict[str, Any]:
    from decisions.evidence import utc

    return {
        "case": case.id,
        "opened_at": utc(case.opened_at),
        "updated_at": utc(case.updated_at),
        "state": case.state,
        "reopened": case.reopened,
        "severity": case.severity,
        "verdict": case.verdict,
        "exports": [e.event_id for e in case.exports],
        "actors": list(case.actors),
        "runs": list(case.runs),
        "actions": [{"id": r.action_id, "verified": r.verification.verified} for r in case.receipts],
        "reverted": [r.action_id for r in case.reverted],
        "evidence": [{"id": e.id, "what": e.what, "sha256": e.sha256} for e in case.evidence],
        "missing": list(case.missing),
        "entries": case.seq,
        "head": case.head,
    }


def _state(case: Case) -> str:
    """The state, and that it was closed before."""
    return f"{case.state}, reopened" if case.reopened else str(case.state)


def _row(case: Case) -> tuple[Line, ...]:
    from decisions.document import Code
    from decisions.evidence import utc

    actor = case.actors[0] if case.actors else ""
    return (
        case.id, utc(case.opened_at), _state(case), case.severity or "–", case.verdict or "–", str(len(case.exports)),
        Code(actor) if actor else "–",
    )  # fmt: skip
