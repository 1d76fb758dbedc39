"""What people read, as finished text: card, plan, gate, receipts and report in Markdown; the plan for a terminal too."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from decisions.card import card_page, in_brief
from decisions.document import Bullets, Heading, Line
from decisions.findings import Findings, Triaged
from decisions.kibana_links import KibanaPlace
from decisions.ledger import LedgerEntry
from decisions.lessons import Reviewed
from decisions.markdown import to_markdown
from decisions.plan import Plan
from decisions.plan_page import gate_page, plan_page
from decisions.receipt import Receipt
from decisions.review import changes_page, receipts_page, review_page
from decisions.terminal import to_terminal


def case_card(
    entries: Sequence[LedgerEntry],
    facts: Triaged | Findings | None,
    run_url: str | None,
    now: datetime,
    kibana: KibanaPlace | None = None,
) -> str:
    """The case on one page."""
    return to_markdown(card_page(entries, facts, run_url, now, kibana))


def case_in_brief(entries: Sequence[LedgerEntry]) -> tuple[Line, ...]:
    """What `gate_description` takes as `about`."""
    return in_brief(entries)


def plan_table(plan: Plan) -> str:
    """A plan with before → after, who is affected, and what cannot be undone."""
    return to_markdown(plan_page(plan))


def plan_for_terminal(plan: Plan, width: int = 100) -> str:
    """The same, for the person who answers from a terminal."""
    return to_terminal(plan_page(plan), width)


def gate_description(
    plan: Plan,
    *,
    needed: int = 1,
    about: Sequence[Line] = (),
    problem: str | None = None,
    changed: Sequence[str] = (),
) -> str:
    """What the form of a gate says.

    `needed`: people who must agree. `about`: the case in a sentence or two. `problem`: why it is asked again.
    `changed`: what is different from the plan that was shown before.
    """
    return to_markdown(gate_page(plan, needed, about, problem, changed))


def receipts_table(gate: str, receipts: Sequence[Receipt], failed: Sequence[str]) -> str:
    """What was done at a gate, how its effect was seen, and what failed."""
    failures = (Heading(2, "What failed"), Bullets(tuple(failed))) if failed else ()
    return to_markdown(
        (
            Heading(1, f"{gate.capitalize()}: receipts"),
            *failures,
            *receipts_page(receipts),
            *changes_page(receipts, "What each action changed"),
        )
    )


def report_markdown(of: Reviewed) -> str:
    """The whole report; charts are told by their captions."""
    return to_markdown(review_page(of))
