"""`vmexport inbox show | retry`: one body that came in, and looking into it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from records.inbox import InboxItem

LARGEST = 2**63 - 1
Item = Annotated[
    int, typer.Argument(metavar="ID", min=1, max=LARGEST, help="Number of a body, as `vmexport inbox` shows it")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object")]


def show(item_id: Item, as_json: Json = False) -> None:
    """One body: where it came from, what became of it and why, and how it begins; with --json, the whole of it.

    Example: vmexport inbox show 17
    """
    from cli.console import say_json
    from cli.console import show as show_page
    from decisions.document import Code, Heading, Listing, Paragraph, Table
    from decisions.hostile_json import read_text
    from decisions.plain import AT_MOST, plain_text

    item = item_of(item_id)
    text, notes = read_text(item.body)
    facts = body_row(item) | {
        "state": item.state,
        "decided": at(item.decided_at),
        "content_type": item.content_type,
        "sha256": item.sha256,
        **acknowledgement(item),
    }
    if as_json:
        say_json(facts | {"text": text, "text_is_not_exact": list(notes)})
        return
    rows = tuple((name.replace("_", " "), Code(str(value))) for name, value in facts.items() if value is not None)
    more = len(text) > AT_MOST
    say_more = Paragraph(
        f"It begins so (`vmexport inbox show {item.id} --json` has all of it):" if more else "The body:"
    )
    body = Listing(plain_text(text)) if text else Paragraph("It is empty.")
    show_page(
        (Heading(1, f"Item {item.id} of the inbox"), Table(("", ""), rows), say_more, body, *map(Paragraph, notes))
    )


def retry(item_id: Item, as_json: Json = False) -> None:
    """Look into a body in quarantine as if it had just come: after an upgrade, or when organization.toml was corrected.

    It opens or joins a case (the receiver starts its run), waits until Elasticsearch was asked, or goes back into quarantine
    with the reason of today: exit 1. Whoever had acknowledged it stays named, and need not do it again.

    Example: vmexport inbox retry 17
    """
    from cli.console import FindingExit, UsageProblem, say, say_json
    from decisions.plain import plain_text
    from records import inbox, intake
    from settings.organization import OrganizationUnusable

    try:
        taken = intake.retry(item_of(item_id).id)
    except inbox.NotInQuarantine as error:
        raise UsageProblem(
            f"{error}: there is nothing to retry. `vmexport inbox show {item_id}` tells more."
        ) from error
    except OrganizationUnusable as error:
        raise UsageProblem(f"{error}. Item {item_id} stays where it is until that is done.") from error
    item = item_of(item_id)  # somebody else may have decided it meanwhile
    if as_json:
        say_json({"body": item.id, "state": item.state, "cases": taken.cases, "why": item.why})
    elif item.state == "assigned":
        say("\n".join(taken.cases) or f"item {item.id} was assigned to a case meanwhile")
    elif item.state in {"pending", "resolving"}:
        say(f"item {item.id} waits for the receiver to ask Elasticsearch: {plain_text(str(item.why))}")
    if item.state in {"quarantined", "acknowledged"}:
        why = plain_text(str(item.why))
        raise FindingExit(f"item {item.id} cannot be decoded today either, and stays {item.state}: {why}")


def item_of(item_id: int) -> InboxItem:
    """The body. Raises UsageProblem with the next step when there is none."""
    from cli.console import UsageProblem
    from records import inbox

    try:
        return inbox.item(item_id)
    except LookupError as error:
        raise UsageProblem(f"{error}. `vmexport inbox` lists what lies in it.") from error


def body_row(item: InboxItem) -> dict[str, Any]:
    """A body as the listing and `--json` tell of it."""
    return {
        "body": item.id,
        "from": item.source,
        "received": at(item.received_at),
        "bytes": len(item.body),
        "why": item.why,
    }


def acknowledgement(item: InboxItem) -> dict[str, Any]:
    """Who has looked at it, when, and what they said; None: nobody."""
    return {
        "acknowledged_by": item.acknowledged_by,
        "acknowledged_at": at(item.acknowledged_at),
        "reason": item.acknowledged_because,
    }


def at(moment: datetime | None) -> str | None:
    """A time in ISO 8601, or None."""
    from decisions.evidence import utc

    return utc(moment) if moment else None
