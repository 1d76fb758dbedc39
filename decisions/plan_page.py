"""A plan as the person sees it who must agree to it: what changes, whom it hits, what cannot be undone, how to answer.

Prefect's form is 450 pixels wide (measured, 3.8.8): a table has two columns that matter, and a policy is a listing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from decisions.changes import Change, changes
from decisions.document import (
    Block,
    Bullets,
    Code,
    Heading,
    Inline,
    Line,
    Listing,
    Page,
    Paragraph,
    Quote,
    Steps,
    Strong,
    Table,
    codes,
    parts,
)
from decisions.plan import ActionClass, Plan, PlannedAction

SHORT = 80
"""A value longer than this stands below the table, in full and in lines."""


def plan_page(plan: Plan) -> Page:
    """The plan: all actions at a glance, then each with before → after, who is affected, and how it is undone."""
    if not plan.actions:
        return (Heading(2, title(plan)), Paragraph("There is nothing to do at this gate."))
    glance = tuple((str(n), _name(a), _undo_word(a)) for n, a in enumerate(plan.actions, 1))
    return (
        Heading(2, title(plan)),
        Table(("#", "Action, in this order", "Undo"), glance),
        *_for_good(plan),
        *(block for n, action in enumerate(plan.actions, 1) for block in _action(n, action)),
        Paragraph(f"Hash of this plan (round {plan.round}):"),
        Listing(plan.hash),
    )


def gate_page(plan: Plan, needed: int, about: Sequence[Line], problem: str | None, changed: Sequence[str]) -> Page:
    """What the form says: what went wrong before and what changed first, then the plan, then how to answer."""
    people = "one person agrees" if needed == 1 else f"{needed} different people agree"
    again = Quote(Strong("The plan was made again, because the world changed:"))
    return (
        *([Quote((Strong("Asked again."), f" {problem}"))] if problem else []),
        *([again, Bullets(tuple(changed))] if changed else []),
        *(Paragraph(line) for line in about),
        Paragraph(("Nothing is changed before ", Strong(people), " to exactly this plan.")),
        *plan_page(plan),
        Heading(3, "How to answer"),
        Steps(
            (
                (Strong("decision"), ": approve or decline. After a decline nothing of the plan is done."),
                (Strong("approver"), ": your address, as enrolled."),
                (Strong("code"), ": the six digits that your authenticator shows now. A code is good once."),
                (Strong("leave_out"), ": actions that must not be done, by their id: ", *_ids(plan)),
                (Strong("reason"), ": kept in the case, and in the report."),
            )
        ),
    )


def title(plan: Plan) -> str:
    """`Containment of VMX-…: 4 actions`."""
    count = "1 action" if len(plan.actions) == 1 else f"{len(plan.actions)} actions"
    return f"{plan.gate.capitalize()} of {plan.case_id}: {count}"


def change_line(found: Sequence[Change], elsewhere: str = "below") -> Line:
    """The differences in one cell; what is too long for it is said to stand `elsewhere`."""
    line: list[Inline] = []
    field: str | None = None
    for change in found:
        if change.was is None and field == change.what:  # one more member of what the line tells of already
            line += [", ", *_side(change.now, elsewhere)]
            continue
        line += ["; "] if line else []
        line += [f"{change.what or 'state'}: ", *_side(change.was, elsewhere), " → ", *_side(change.now, elsewhere)]
        field = change.what if change.was is None else None
    return line or "nothing differs: it is in force already"


def _action(number: int, action: PlannedAction) -> list[Block]:
    found = changes(action.before, action.after)
    rows: list[tuple[Line, ...]] = [
        ("Before → after", change_line(found)),
        ("Affected", action.blast_radius),
        ("Undo", action.inverse),
        ("Why", action.reason),
        ("Where", f"account {action.account}, {action.region}"),
    ]
    rows += [("Only after", codes(action.needs))] if action.needs else []
    listings: list[Block] = []
    for change in found:
        for side, value in (("before", change.was), ("after", change.now)):
            if value is not None and len(value) > SHORT:
                listings += [Paragraph(f"{change.what or 'state'}, {side}:"), Listing(_in_lines(value))]
    return [Heading(3, f"{number}. {action.kind}"), Table(("", ""), tuple(rows)), *listings]


def _in_lines(value: str) -> str:
    try:
        return json.dumps(json.loads(value), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return value


def _side(value: str | None, elsewhere: str) -> list[Inline]:
    if value is None:
        return ["–"]
    if len(value) > SHORT:
        return [f"({len(value)} characters, {elsewhere})"]
    return [Code(value)]


def _for_good(plan: Plan) -> tuple[Block, ...]:
    final = [a for a in plan.actions if a.action_class is not ActionClass.REVERSIBLE]
    if not final:
        return (Paragraph("Each of these actions can be taken back."),)
    return (Heading(3, "What cannot be undone"), Bullets(tuple((*_name(a), f": {a.inverse}") for a in final)))


def _undo_word(action: PlannedAction) -> Inline:
    return "yes" if action.action_class is ActionClass.REVERSIBLE else Strong("NO")


def _ids(plan: Plan) -> tuple[Inline, ...]:
    return parts(codes([a.id for a in plan.actions], "there are none."))


def _name(action: PlannedAction) -> list[Inline]:
    destructive = action.action_class is ActionClass.DESTRUCTIVE
    return [*([Strong("DESTRUCTIVE"), " "] if destructive else []), Code(action.id)]
