"""The texts of a case in Kibana: one page for each step, told from the ledger up to that step, drawn as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from decisions.approval import Approval, proposal_of
from decisions.card import bullets, more_exports, sentence
from decisions.case import Case, fold
from decisions.document import (
    Block,
    Bullets,
    Code,
    Heading,
    Inline,
    Line,
    Page,
    Paragraph,
    Strong,
    Table,
    codes,
    parts,
)
from decisions.evidence import utc
from decisions.kibana_links import KibanaPlace, kibana_table
from decisions.ledger import LedgerEntry
from decisions.markdown import code, to_markdown
from decisions.receipt import Receipt
from decisions.story import deed, tell

LONGEST = 30_000
"""Characters that Kibana takes for a description or a comment."""
SHOWN = 10
"""Exports that are told one by one."""
ROWS = 40
"""Actions in one table."""


def drawn(page: Page, marker: str) -> str:
    """The page as Markdown that Kibana takes, with the marker at its end.

    What is too long loses whole blocks from its end, and says so. `!{` starts a plugin of Kibana's Markdown, in a stranger's
    name as well: a blank goes between.
    """
    end = f"\n\n{code(marker)}\n"
    kept, cut = page, ()
    while True:
        text = to_markdown((*kept, *cut)).replace("!{", "! {").rstrip("\n") + end
        if len(text) <= LONGEST or not kept:
            return text
        kept = kept[:-1]
        cut = (Paragraph("More was left out here, for Kibana takes no longer text: see `vmexport case show`."),)


def described(case: Case, place: KibanaPlace | None) -> Page:
    """What a case in Kibana is about."""
    told = [Paragraph(sentence(export)) for export in case.exports[:SHOWN]]
    more = more_exports(len(case.exports) - SHOWN).strip()
    return (
        *told,
        *([Paragraph(more)] if more else []),
        Paragraph(
            (
                "The response writes its steps here as comments. All of it, with evidence: ",
                Code(f"vmexport case card {case.id}"),
            )
        ),
        *kibana_table(place, case.exports[:SHOWN]),
    )


def assessed(entries: Sequence[LedgerEntry]) -> Page:
    """How bad it is and why."""
    case = fold(entries)
    if case.assessment is None:
        return (Heading(3, "Severity"), Paragraph("No severity is known."))
    blocks: list[Block] = [
        Heading(3, f"Severity: {case.assessment.level.upper()}"),
        bullets(case.assessment.reasons),
        Paragraph(_exports(case)),
    ]
    if case.assessment.undecided:
        blocks += [Paragraph("Rules that could not be decided:"), bullets(case.assessment.undecided)]
    return tuple(blocks)


def verdict(entries: Sequence[LedgerEntry]) -> Page:
    """What the export was, and why."""
    case, data = fold(entries), entries[-1].data
    missing: list[Block] = [Paragraph("What is not known:"), bullets(case.missing)] if case.missing else []
    reasons = tuple(map(str, data.get("reasons", ())))
    return (Heading(3, f"Verdict: {data['verdict']}"), bullets(reasons), *missing)


def asked(entries: Sequence[LedgerEntry]) -> Page:
    """A gate waits: what is planned, and how to answer."""
    case_id, data = entries[-1].case, entries[-1].data
    plan = proposal_of(entries, data["plan_hash"]).plan
    rows = tuple((deed(a.id), a.reason, a.inverse) for a in plan.actions[:ROWS])
    more = len(plan.actions) - ROWS
    return (
        Heading(3, f"The gate {plan.gate} waits for people"),
        Paragraph((Strong(f"{data['have']} of {data['need']} have approved. "), "Nothing is changed before.")),
        Table(("Action", "Why", "Undo"), rows),
        *([Paragraph(f"And {more} more.")] if more > 0 else []),
        Paragraph(
            ("Answer in the run in Prefect, or: ", Code(f"vmexport approve {case_id}/{plan.gate} --as YOUR-ADDRESS"))
        ),
        Paragraph(("Plan ", Code(plan.hash[:12]), f", until {str(data['until'])[:16]} UTC.")),
    )


def answered(entries: Sequence[LedgerEntry]) -> Page:
    """Who agreed or declined, and why."""
    answer = Approval.model_validate(entries[-1].data)
    word = "approved" if answer.decision == "approve" else "declined"
    blocks: list[Block] = [
        Heading(3, f"The gate {answer.gate} was {word}"),
        Paragraph(
            (
                "By ",
                Code(answer.approver),
                f" ({answer.method}) at {utc(answer.time)}, plan ",
                Code(answer.plan_hash[:12]),
            )
        ),
    ]
    if answer.leave_out:
        blocks.append(Paragraph(("Left out: ", *parts(codes(answer.leave_out)))))
    if answer.reason:
        blocks.append(Paragraph(("Reason: ", Code(answer.reason))))
    return tuple(blocks)


def carried_out(entries: Sequence[LedgerEntry]) -> Page:
    """What a plan did, how its effect was seen, and what failed."""
    data = entries[-1].data
    done = [
        Receipt.model_validate(e.data)
        for e in entries
        if e.kind == "action-done" and e.data["plan_hash"] == data["plan_hash"]
    ]
    back = [e.data for e in entries if e.kind == "reverted" and e.data["plan_hash"] == data["plan_hash"]]
    rows = [(deed(r.action_id), _effect(r.verification.verified), utc(r.applied_at)) for r in done]
    rows += [(deed(str(r["action_id"])), "taken back", "") for r in back]
    failed = tuple(map(str, data["failed"]))
    left_out = tuple(map(str, data["left_out"]))
    return (
        Heading(3, f"{str(data['gate']).capitalize()}: carried out" + (f", {len(failed)} FAILED" if failed else "")),
        Table(("Action", "Effect", "When (UTC)"), tuple(rows[:ROWS])) if rows else Paragraph("No action was done."),
        *([Paragraph(f"And {len(rows) - ROWS} more.")] if len(rows) > ROWS else []),
        *([Paragraph(Strong("Failed:")), bullets(failed, most=ROWS)] if failed else []),
        *([Paragraph(("Left out: ", *parts(codes(left_out))))] if left_out else []),
    )


def stale(entries: Sequence[LedgerEntry]) -> Page:
    """Why an agreed plan was not carried out."""
    data = entries[-1].data
    return (
        Heading(3, f"The plan of the gate {data['gate']} was stale: nothing was done"),
        bullets(tuple(map(str, data["changed"]))),
    )


def reported(entries: Sequence[LedgerEntry]) -> Page:
    """Where the report is, and what it measured."""
    figures = cast("dict[str, object]", entries[-1].data.get("metrics") or {})
    told: tuple[Line, ...] = tuple((f"{name}: ", Code(_figure(value))) for name, value in sorted(figures.items()))
    case = entries[-1].case
    return (
        Heading(3, "The report was written"),
        Paragraph(("Read it with ", Code(f"vmexport report {case}"))),
        *([Bullets(told[:ROWS])] if told else []),
    )


def closed(entries: Sequence[LedgerEntry], reason: str | None) -> Page:
    """How the response ended, and what becomes of the alerts."""
    case = fold(entries)
    alerts: list[Inline] = (
        ["The alerts are closed with the reason ", Code(reason), "."]
        if reason
        else [Strong("The alerts stay acknowledged, and this case in progress: "), _why_open(case)]
    )
    return (
        Heading(3, f"The response is finished: {case.verdict or 'no verdict'}"),
        Paragraph(str(entries[-1].data.get("why") or "No reason is recorded.")),
        Paragraph(alerts),
    )


def downloaded(entries: Sequence[LedgerEntry]) -> Page:
    """A read of the exported image that a hunt found later than the response looked."""
    told = tell(entries[-1])
    return Heading(3, "The exported image was read"), Paragraph(told[1] if told else "")


def reopened(entries: Sequence[LedgerEntry]) -> Page:
    """Why the case is open again."""
    why = str(entries[-1].data.get("why") or "no reason is recorded")
    return Heading(3, "The case is open again"), Paragraph(f"{why[:1].upper()}{why[1:]}. The response begins anew.")


def _why_open(case: Case) -> str:
    if case.verdict in (None, "undetermined"):
        return "whether the export was legitimate is not known. A person must decide."
    return "what containment proposed was declined or failed in part. A person must decide."


def _exports(case: Case) -> str:
    return "The case has 1 export." if len(case.exports) == 1 else f"The case has {len(case.exports)} exports."


def _effect(verified: bool) -> Line:
    return "verified" if verified else Strong("NOT VERIFIED")


def _figure(value: object) -> str:
    return "not known" if value is None else str(value)
