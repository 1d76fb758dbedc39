"""`vmexport inbox`: what came in and is not in a case: what waits, what was set aside and why, and what one way missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from decisions.document import Block, Line

ASKED = "Asked about again"


def inbox(as_json: Annotated[bool, typer.Option("--json", help="One JSON object")] = False) -> None:
    """Alerts that wait, bodies in quarantine and why, how far the poller is, and alerts that came by one way only.

    Exit 1 when an alert came by one way of delivery and not by the other, or a body lies in quarantine.

    Example: vmexport inbox
    """
    from cli.console import say_json, show
    from decisions.document import Heading

    found = contents()
    if as_json:
        say_json(found)
    else:
        show((Heading(1, "Inbox"), *(block for name, rows in found.items() for block in _section(name, rows))))
    if found["alarms"] or found["quarantined"]:
        raise typer.Exit(1)


def contents() -> dict[str, list[dict[str, Any]]]:
    """Everything, by section; times in ISO 8601."""
    from records import deliveries, hints
    from records import inbox as bodies

    return {
        "alarms": [
            {"alert": a.alert_id, "rule": a.rule_id, "why": a.alarm, "since": _at(a.webhook_at or a.poll_at)}
            for a in deliveries.alarms()
        ],
        "pending": [_body(item) for item in bodies.pending()],
        "asked_again": [
            {
                "body": asked.inbox_id,
                "alert": asked.hint.alert_id,
                "for": asked.hint.ask,
                "attempts": asked.attempts,
                "next": _at(asked.next_at),
                "why": asked.why,
            }
            for asked in hints.waiting()
        ],
        "quarantined": [_body(item) for item in bodies.quarantined() if item.state == "quarantined"],
        "partly_read": [_body(item) for item in bodies.quarantined() if item.state == "assigned"],
        "polled": [
            {"source": w.source, "up_to": _at(w.at), "last_look": _at(w.moved_at)} for w in deliveries.watermarks()
        ],
    }


def _body(item: Any) -> dict[str, Any]:
    return {
        "body": item.id,
        "from": item.source,
        "received": _at(item.received_at),
        "bytes": len(item.body),
        "why": item.why,
    }


def _at(moment: Any) -> str | None:
    from decisions.evidence import utc

    return utc(moment) if moment else None


TITLES = {
    "alarms": ("Came by one way only", "No alert came by one way of delivery only."),
    "pending": ("Not looked into yet", "Everything that came in was looked into."),
    "asked_again": (ASKED, "No alert waits to be asked about again."),
    "quarantined": ("In quarantine", "Nothing lies in quarantine."),
    "partly_read": ("Read in part", "Of what was assigned to a case, everything could be read."),
    "polled": ("Polled", "The poller has not looked yet; it runs where VMEXPORT_ELASTICSEARCH_URL is set."),
}


def _section(name: str, rows: list[dict[str, Any]]) -> list[Block]:
    from decisions.document import Heading, Paragraph, Table

    title, none = TITLES[name]
    if not rows:
        return [Paragraph(none)]
    head = tuple(column.replace("_", " ") for column in rows[0])
    return [Heading(2, title), Table(head, tuple(tuple(map(_cell, row.values())) for row in rows))]


def _cell(value: Any) -> Line:
    from decisions.document import Code

    return "" if value is None else Code(str(value)[:400])
