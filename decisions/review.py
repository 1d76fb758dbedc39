"""The report for people who were not there: five answers first, then what was measured, done, not done and not known."""

from __future__ import annotations

import re
from collections.abc import Sequence

from decisions.approval import Approval
from decisions.card import bullets, card_facts, headline, more_exports, sentence
from decisions.case import VERDICT, Case
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
from decisions.evidence import Known, utc
from decisions.kibana_links import kibana_table
from decisions.lessons import Reviewed, not_done, recommendations
from decisions.metrics import duration, measured_rows
from decisions.plan_page import change_line
from decisions.receipt import Receipt
from decisions.story import deed
from decisions.timeline import Moment

MOST = 200
"""Moments in the report; the evidence and `vmexport case timeline --json` hold all."""
HASH = re.compile(r"\b[0-9a-f]{64}\b")
"""The ledger holds it in full."""
WHAT = "incident report"
"""What the evidence of each form of it is called."""
ASKED = ("What happened", "How bad", "Contained", "Got out", "Left to do")
"""What a reader asks first; `summary` answers each with a sentence."""
FIRST = 3
"""Reasons and steps in the summary; the sections below hold all."""
TIMELINE, EXPOSURE = "timeline", "exposure"
"""Names of the two charts."""


def review_page(of: Reviewed) -> Page:
    """The report."""
    case = of.case
    return (
        Heading(1, f"Incident report {headline(case)}"),
        Table(("", ""), tuple(zip(ASKED, summary(of), strict=True))),
        Heading(2, "Metrics"),
        Table(("Metric", "Result", "How it was measured"), measured_rows(of.metrics)),
        Chart(EXPOSURE, "Exposure: when somebody outside could read the image, and when it was read."),
        *_judged(of),
        *receipts_page(case.receipts),
        *_not_done(of),
        *_not_known(case, of),
        Heading(2, "Timeline"),
        Chart(TIMELINE, "Timeline: what actor, detection, people and response did."),
        *moments_table(of.moments),
        *_approvals(case),
        *_recommendations(of),
        *kibana_table(of.kibana, of.findings.exports),
        *_appendix(of),
    )


def summary(of: Reviewed) -> tuple[Line, ...]:
    """Five answers, in the order of `ASKED`: what happened, how bad, what was done, whether it got out, what is left to do."""
    exports = of.findings.exports
    first: Line = (
        (*parts(sentence(exports[0])), more_exports(len(exports) - 1)) if exports else "The case has no export."
    )
    return (first, _judgement(of.case), _done(of), _got_out(of), _left(of))


def _judgement(case: Case) -> Line:
    severity = case.severity.upper() if case.severity else "not judged"
    reasons = case.assessment.reasons if case.assessment else ()
    why = f". {' '.join(reasons[:FIRST])}" if reasons else "."
    return ("The severity is ", Strong(severity), " and the verdict ", Strong(case.verdict or "not known"), why)


def _done(of: Reviewed) -> Line:
    case = of.case
    if not case.receipts:
        return "Nothing was changed in any account." + (
            " What was changed has been taken back." if case.reverted else ""
        )
    contained: list[Inline] = ["It is ", Strong("not known to be contained"), ". "]
    if isinstance(of.metrics.containment, Known):
        it = of.metrics.containment.value
        contained = [Strong(f"{duration(it.seconds)} after the alert"), f", at {utc(it.until)}. "]
    proved = sum(r.verification.verified for r in case.receipts)
    people = sorted({a.approver for a in case.approvals})
    by: list[Inline] = [", approved by ", *parts(codes(people))] if people else []
    return (*contained, f"{_count(len(case.receipts), 'action')} in force, {proved} verified by effect", *by, ".")


def _got_out(of: Reviewed) -> Line:
    said = {
        "yes": "Yes: the image was read from outside the organization.",
        "no": "No: the image was not read from outside the organization.",
        "unknown": "Not known: whether the image was read from outside the organization could not be seen.",
    }[of.metrics.accessed_outside]
    return (Strong(said), f" {of.metrics.accessed_reasons[0]}" if of.metrics.accessed_reasons else "")


def _left(of: Reviewed) -> Line:
    todo = recommendations(of)
    if not todo:
        return "Nothing."
    more = f" And {len(todo) - FIRST} more, below." if len(todo) > FIRST else ""
    return " ".join(map(_plain, todo[:FIRST])) + more


def _count(number: int, thing: str) -> str:
    return f"1 {thing} is" if number == 1 else f"{number} {thing}s are"


def _plain(line: Line) -> str:
    return "".join(p if isinstance(p, str) else p.text for p in parts(line))


def _judged(of: Reviewed) -> list[Block]:
    case, found = of.case, next((e for e in reversed(of.entries) if e.kind == VERDICT), None)
    blocks: list[Block] = [Heading(2, "Severity and verdict")]
    if case.assessment:
        blocks += [Paragraph(f"Severity {case.assessment.level}, because:"), Bullets(case.assessment.reasons)]
    if case.verdict and found:
        as_of = f"Verdict {case.verdict}, as things stood at {utc(found.time)}, because:"
        blocks += [Paragraph(as_of), bullets(of.verdict_reasons, most=40)]
    return blocks


def receipts_page(receipts: Sequence[Receipt]) -> list[Block]:
    """What was done, with what was tried to see its effect."""
    if not receipts:
        return [Heading(2, "What was done"), Paragraph("No action is in force.")]
    head = ("When (UTC)", "Action", "Effect", "Undo")
    rows = tuple((utc(r.applied_at), deed(r.action_id), _effect(r), r.inverse) for r in receipts)
    return [Heading(2, "What was done"), Table(head, rows)]


def changes_page(receipts: Sequence[Receipt], title: str) -> list[Block]:
    """What each action changed, by its id; nothing where nothing was done."""
    rows = tuple((Code(r.action_id), _changed(r)) for r in receipts)
    return [Heading(2, title), Table(("Id of the action", "Before → after"), rows)] if rows else []


def _effect(receipt: Receipt) -> Line:
    word: Inline = "verified" if receipt.verification.verified else Strong("NOT VERIFIED")
    notes = [" ", " ".join(receipt.notes)] if receipt.notes else []
    return (word, ": ", HASH.sub(lambda found: f"{found[0][:12]}…", " ".join(receipt.verification.probes)), *notes)


def _changed(receipt: Receipt) -> Line:
    return (
        change_line(changes(receipt.before, receipt.after), "in the ledger") if receipt.changed else "it was so already"
    )


def _not_done(of: Reviewed) -> list[Block]:
    lines = not_done(of.entries)
    return [
        Heading(2, "What was not done, and why"),
        Bullets(lines) if lines else Paragraph("Everything that was proposed was done."),
    ]


def _not_known(case: Case, of: Reviewed) -> list[Block]:
    missing = _said_once(tuple(dict.fromkeys((*case.missing, *of.findings.missing))))
    undecided = case.assessment.undecided if case.assessment else ()
    blocks: list[Block] = [
        Heading(2, "What could not be known"),
        bullets(missing, "Nothing that was asked for is missing.", 60),
    ]
    return (
        [*blocks, Paragraph("Rules of the severity table that could not be decided:"), Bullets(undecided)]
        if undecided
        else blocks
    )


def _said_once(gaps: Sequence[str]) -> tuple[str, ...]:
    """Gaps without those that another one of the same subject tells as well."""
    told = [gap.partition(": ") for gap in gaps]
    return tuple(
        gap
        for gap, (subject, _, why) in zip(gaps, told, strict=True)
        if not any(other[0] == subject and why != other[2] and why and why in other[2] for other in told)
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
        blocks.append(
            Paragraph(
                (
                    f"{_count(left_out, 'more moment')} not shown here (reading calls, steps of our own): ",
                    Code("vmexport case timeline CASE --all"),
                )
            )
        )
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
    rows = tuple(
        (Code(e.id), Code(e.what), utc(e.collected_at), Code(e.source), Code(f"{e.sha256[:12]}…"))
        for e in case.evidence
    )
    run: list[Line] = [Link("The run in Prefect", of.run_url)] if of.run_url else []
    return [
        *changes_page(case.receipts, "Appendix: what each action changed"),
        Heading(2, "Appendix: the facts of each export"),
        *(block for export in of.findings.exports[:20] for block in card_facts(export, several=True)),
        Heading(2, "Appendix: evidence"),
        Paragraph("Of each hash the first 12 characters; the ledger and the manifest of an exported case hold all 64."),
        Table(("Id", "What", "Collected (UTC)", "Source", "SHA-256"), rows) if rows else Paragraph("No evidence was collected."),
        Heading(2, "Appendix: proof"),
        Bullets((
            (f"Ledger: {case.seq} entries when this report was drawn; hash of the last: ", Code(case.head)),
            ("Check: ", Code(f"vmexport verify {case.id}"), ", or the folder of ", Code(f"vmexport case export {case.id} --to DIR")),
            *run,
            f"Drawn at {utc(of.now)}.",
        )),
    ]  # fmt: skip
