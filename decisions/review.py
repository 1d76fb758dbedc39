"""The report for people who were not there: five sentences first, then what was measured, done, not done and not known."""

from __future__ import annotations

from collections.abc import Sequence

from decisions.approval import Approval
from decisions.card import bullets, card_facts, headline, sentence
from decisions.case import Case
from decisions.changes import changes
from decisions.document import (
    Block,
    Bullets,
    Chart,
    Code,
    Heading,
    Inline,
    Line,
    Link,
    Page,
    Paragraph,
    Strong,
    Table,
    codes,
    parts,
)
from decisions.evidence import utc
from decisions.lessons import Reviewed, not_done, recommendations
from decisions.metrics import measured_rows
from decisions.plan_page import change_line
from decisions.receipt import Receipt
from decisions.timeline import Moment

MOST = 200
"""Moments in the report; the evidence and `vmexport case timeline --json` hold all."""
WHAT = "incident report"
"""What the evidence of each form of it is called."""
TIMELINE, EXPOSURE = "timeline", "exposure"
"""Names of the two charts."""


def review_page(of: Reviewed) -> Page:
    """The report."""
    case = of.case
    return (
        Heading(1, f"Incident report {headline(case)}"),
        *(Paragraph(line) for line in summary(of)),
        Heading(2, "Metrics"),
        Table(("Metric", "Result", "How it was measured"), measured_rows(of.metrics)),
        Chart(EXPOSURE, "Exposure: when somebody outside could read the image, and when it was read."),
        *_judged(case, of.verdict_reasons),
        *receipts_page(case.receipts),
        *_not_done(of),
        *_not_known(case, of),
        Heading(2, "Timeline"),
        Chart(TIMELINE, "Timeline: what actor, detection, people and response did."),
        *moments_table(of.moments),
        *_approvals(case),
        *_recommendations(of),
        *_appendix(of),
    )


def summary(of: Reviewed) -> tuple[Line, ...]:
    """Five sentences: what happened, how bad, what was done, whether it got out, what is left to do."""
    case, exports = of.case, of.findings.exports
    more = f" {len(exports) - 1} more exports belong to the case." if len(exports) > 1 else ""
    first: Line = (*parts(sentence(exports[0])), more) if exports else "The case has no export."
    return (first, _judgement(case), _done(case), _got_out(of), _left(of))


def _judgement(case: Case) -> Line:
    severity = case.severity.upper() if case.severity else "not judged"
    why = f": {case.assessment.reasons[0]}" if case.assessment and case.assessment.reasons else "."
    return ("The severity is ", Strong(severity), " and the verdict ", Strong(case.verdict or "not known"), why)


def _done(case: Case) -> Line:
    if not case.receipts:
        return "Nothing was changed in any account." + (
            " What was changed has been taken back." if case.reverted else ""
        )
    proved = sum(r.verification.verified for r in case.receipts)
    people = sorted({a.approver for a in case.approvals})
    by: list[Inline] = [", approved by ", *parts(codes(people))] if people else []
    return (f"{len(case.receipts)} actions are in force, {proved} of them verified by effect", *by, ".")


def _got_out(of: Reviewed) -> Line:
    said = {
        "yes": "The image was read from outside the organization.",
        "no": "The image was not read from outside the organization.",
        "unknown": "Whether the image was read from outside the organization is not known.",
    }[of.metrics.accessed_outside]
    return (Strong(said), f" {of.metrics.accessed_reasons[0]}" if of.metrics.accessed_reasons else "")


def _left(of: Reviewed) -> Line:
    todo = recommendations(of)
    if not todo:
        return "Nothing is left to do."
    return f"{len(todo)} things are left to do; the first: {_plain(todo[0])}"


def _plain(line: Line) -> str:
    return "".join(p if isinstance(p, str) else p.text for p in parts(line))


def _judged(case: Case, reasons: Sequence[str]) -> list[Block]:
    blocks: list[Block] = [Heading(2, "Severity and verdict")]
    if case.assessment:
        blocks += [Paragraph(f"Severity {case.assessment.level}, because:"), Bullets(case.assessment.reasons)]
    if case.verdict:
        blocks += [Paragraph(f"Verdict {case.verdict}, because:"), bullets(reasons, most=40)]
    return blocks


def receipts_page(receipts: Sequence[Receipt]) -> list[Block]:
    """What was done, with what was tried to see its effect."""
    if not receipts:
        return [Heading(2, "What was done"), Paragraph("No action is in force.")]
    rows: list[tuple[Line, ...]] = []
    for r in receipts:
        word: Inline = "verified" if r.verification.verified else Strong("NOT VERIFIED")
        effect: Line = (word, ": ", " ".join(r.verification.probes), *([" ", *r.notes] if r.notes else []))
        was = change_line(changes(r.before, r.after), "in the ledger") if r.changed else "it was so already"
        rows.append((Code(r.action_id), utc(r.applied_at), was, effect, r.inverse))
    return [Heading(2, "What was done"), Table(("Action", "Applied", "Before → after", "Effect", "Undo"), tuple(rows))]


def _not_done(of: Reviewed) -> list[Block]:
    lines = not_done(of.entries)
    return [
        Heading(2, "What was not done, and why"),
        Bullets(lines) if lines else Paragraph("Everything that was proposed was done."),
    ]


def _not_known(case: Case, of: Reviewed) -> list[Block]:
    missing = dict.fromkeys((*case.missing, *of.findings.missing))
    undecided = case.assessment.undecided if case.assessment else ()
    blocks: list[Block] = [
        Heading(2, "What could not be known"),
        bullets(tuple(missing), "Nothing that was asked for is missing.", 60),
    ]
    return (
        [*blocks, Paragraph("Rules of the severity table that could not be decided:"), Bullets(undecided)]
        if undecided
        else blocks
    )


def moments_table(moments: Sequence[Moment], everything: bool = False) -> list[Block]:
    """The moments that tell the story, or all of them; how many are left out is said."""
    chosen = [m for m in moments if everything or not m.detail]
    rows = tuple(_moment(m) for m in (chosen if everything else chosen[:MOST]))
    left_out = len(moments) - len(rows)
    blocks: list[Block] = (
        [Table(("Time (UTC)", "Who", "What", "Source", "Evidence"), rows)]
        if rows
        else [Paragraph("Nothing is recorded.")]
    )
    if left_out:
        blocks.append(Paragraph(f"{left_out} more moments (reading calls, steps of our own) are not shown here."))
    return blocks


def _moment(moment: Moment) -> tuple[Line, ...]:
    times = f" ({moment.count} times until {utc(moment.until)})" if moment.until else ""
    return (utc(moment.time), moment.lane, (*parts(moment.what), times), moment.source, codes(moment.evidence, "–"))


def _approvals(case: Case) -> list[Block]:
    given: list[Approval] = sorted((*case.approvals, *case.declined), key=lambda a: a.time)
    if not given:
        return [Heading(2, "Approvals"), Paragraph("Nobody was asked, or nobody answered.")]
    rows = tuple(
        (
            a.gate,
            Code(a.approver),
            a.decision,
            a.method,
            utc(a.time),
            Code(a.plan_hash[:12]),
            Code(a.reason) if a.reason else "–",
        )
        for a in given
    )
    return [Heading(2, "Approvals"), Table(("Gate", "Who", "Answer", "Method", "When", "Plan", "Reason"), rows)]


def _recommendations(of: Reviewed) -> list[Block]:
    todo = recommendations(of)
    return [Heading(2, "What is left to do"), Bullets(todo) if todo else Paragraph("Nothing.")]


def _appendix(of: Reviewed) -> list[Block]:
    case = of.case
    rows = tuple((Code(e.id), Code(e.what), Code(e.source), utc(e.collected_at), Code(e.sha256)) for e in case.evidence)
    run: list[Line] = [Link("The run in Prefect", of.run_url)] if of.run_url else []
    return [
        Heading(2, "Appendix: the facts of each export"),
        *(block for export in of.findings.exports[:20] for block in card_facts(export, several=True)),
        Heading(2, "Appendix: evidence"),
        Table(("Id", "What", "Source", "Collected", "SHA-256"), rows) if rows else Paragraph("No evidence was collected."),
        Heading(2, "Appendix: proof"),
        Bullets((
            (f"Ledger: {case.seq} entries when this report was drawn; hash of the last: ", Code(case.head)),
            ("Check: ", Code(f"vmexport verify {case.id}"), ", or the folder of ", Code(f"vmexport case export {case.id} --to DIR")),
            *run,
            f"Drawn at {utc(of.now)}.",
        )),
    ]  # fmt: skip
