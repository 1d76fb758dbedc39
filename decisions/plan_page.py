"""A plan as the person sees it who must agree to it: what changes, whom it hits, what cannot be undone, how to answer."""

from __future__ import annotations

from collections.abc import Sequence

from decisions.changes import Change, changes
from decisions.document import (
    Block,
    Bullets,
    Code,
    Heading,
    Inline,
    Line,
    Page,
    Paragraph,
    Quote,
    Steps,
    Strong,
    Table,
    codes,
)
from decisions.plan import ActionClass, Plan, PlannedAction

SHORT = 160
"""A value longer than this stands below the table, in full."""


def plan_page(plan: Plan, level: int = 2) -> Page:
    """The plan: a table with before → after, what cannot be undone, and long values in full."""
    if not plan.actions:
        return (Heading(level, title(plan)), Paragraph("There is nothing to do at this gate."))
    rows = tuple(_row(n, action) for n, action in enumerate(plan.actions, 1))
    return (
        Heading(level, title(plan)),
        Paragraph(("Plan ", Code(plan.hash), f", round {plan.round}. Actions run from top to bottom.")),
        Table(("#", "Action", "Before → after", "Who is affected"), rows),
        *_for_good(plan, level + 1),
        *_reasons(plan, level + 1),
        *_in_full(plan, level + 1),
    )


def gate_page(plan: Plan, needed: int, about: Sequence[Line], problem: str | None, changed: Sequence[str]) -> Page:
    """What the form says: what went wrong before and what changed first, then the plan, then how to answer."""
    people = "one person must agree" if needed == 1 else f"{needed} different people must agree"
    return (
        *([Quote((Strong("Asked again."), f" {problem}"))] if problem else []),
        *(
            [Quote(Strong("The plan was made again, because the world changed:")), Bullets(tuple(changed))]
            if changed
            else []
        ),
        *(Paragraph(line) for line in about),
        *plan_page(plan),
        Heading(3, "How to answer"),
        Paragraph(("Nothing is changed before ", Strong(people), " to exactly this plan.")),
        Steps(
            (
                (
                    Strong("decision"),
                    ": approve or decline. A decline ends this gate, and nothing of the plan is done.",
                ),
                (Strong("approver"), ": your address, as enrolled."),
                (Strong("code"), ": the six digits that your authenticator shows now. A code is good once."),
                (Strong("leave_out"), ": actions that must not be done, by their id: ", *codes_of(plan)),
                (Strong("reason"), ": kept in the case, and in the report."),
            )
        ),
    )


def title(plan: Plan) -> str:
    """`Containment of VMX-…: 4 actions`."""
    count = "1 action" if len(plan.actions) == 1 else f"{len(plan.actions)} actions"
    return f"{plan.gate.capitalize()} of {plan.case_id}: {count}"


def codes_of(plan: Plan) -> tuple[Inline, ...]:
    """The ids of the actions, as parts of a line."""
    listed = codes([a.id for a in plan.actions], "there are none.")
    return tuple(listed) if isinstance(listed, list) else (str(listed),)


def _row(number: int, action: PlannedAction) -> tuple[Line, ...]:
    where = f" in {action.account}, {action.region}"
    return (
        str(number),
        [*_name(action), where],
        change_line(changes(action.before, action.after)),
        action.blast_radius,
    )


def change_line(found: Sequence[Change], elsewhere: str = "below") -> Line:
    """The differences in one cell; what is too long for it is said to stand `elsewhere`."""
    line: list[Inline] = []
    for change in found:
        line += ["; "] if line else []
        line += [f"{change.what or 'state'}: ", *_side(change.was, elsewhere), " → ", *_side(change.now, elsewhere)]
    return line or "nothing differs: it is in force already"


def _side(value: str | None, elsewhere: str) -> list[Inline]:
    if value is None:
        return ["–"]
    if len(value) > SHORT:
        return [f"({len(value)} characters, {elsewhere})"]
    return [Code(value)]


def _for_good(plan: Plan, level: int) -> tuple[Block, ...]:
    final = [a for a in plan.actions if a.action_class is not ActionClass.REVERSIBLE]
    if not final:
        return (Heading(level, "What cannot be undone"), Paragraph("Nothing: each of these actions can be taken back."))
    items = tuple((*_name(a), f": {a.inverse}") for a in final)
    return (Heading(level, "What cannot be undone"), Bullets(items))


def _reasons(plan: Plan, level: int) -> tuple[Block, ...]:
    rows: list[tuple[Line, ...]] = []
    for n, action in enumerate(plan.actions, 1):
        undo = action.inverse if action.action_class is ActionClass.REVERSIBLE else "see above"
        rows.append((str(n), action.reason, codes(action.evidence), undo, codes(action.needs, "–")))
    return (
        Heading(level, "Why, and how it is undone"),
        Table(("#", "Why", "Evidence", "Undo", "Only after"), tuple(rows)),
    )


def _in_full(plan: Plan, level: int) -> tuple[Block, ...]:
    long: list[Line] = []
    for n, action in enumerate(plan.actions, 1):
        for change in changes(action.before, action.after):
            sides = (("before", change.was), ("after", change.now))
            long += [
                (f"#{n} {change.what}, {side}: ", Code(v, whole=True)) for side, v in sides if v and len(v) > SHORT
            ]
    return (Heading(level, "Long values in full"), Bullets(tuple(long))) if long else ()


def _name(action: PlannedAction) -> list[Inline]:
    destructive = action.action_class is ActionClass.DESTRUCTIVE
    return [*([Strong("DESTRUCTIVE"), " "] if destructive else []), Code(action.id)]
