"""`vmexport inbox`: what came in and is not in a case: what waits, what was set aside and why, and what one way missed.

`show`, `retry` and `acknowledge` are about one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import inbox_acknowledge, inbox_item
from cli.inbox_item import acknowledgement, at, body_row

if TYPE_CHECKING:
    from decisions.document import Block, Line
    from records.deliveries import Delivery

app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
app.command("show")(inbox_item.show)
app.command("retry")(inbox_item.retry)
app.command("acknowledge")(inbox_acknowledge.acknowledge)
ASKED = "Asked about again"


@app.callback()
def inbox(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="One JSON object")] = False
) -> None:
    """Alerts that wait, bodies in quarantine and why, how far the poller is, and alerts that came by one way only.

    Exit 1 when an alert came by one way of delivery and not by the other, or a body lies in quarantine, and nobody has
    acknowledged it.

    Example: vmexport inbox
    """
    from cli.console import UsageProblem, say_json, show
    from decisions.document import Heading

    if context.invoked_subcommand:
        if as_json:
            raise UsageProblem(f"--json stands behind `{context.invoked_subcommand}`.")
        return
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
        "alarms": [alarm_row(alarm) for alarm in deliveries.alarms()],
        "pending": [body_row(item) for item in bodies.pending()],
        "asked_again": [
            {
                "body": asked.inbox_id,
                "alert": asked.hint.alert_id,
                "for": asked.hint.ask,
                "attempts": asked.attempts,
                "next": at(asked.next_at),
                "why": asked.why,
            }
            for asked in hints.waiting()
        ],
        "quarantined": [body_row(item) for item in bodies.quarantined("quarantined")],
        "partly_read": [body_row(item) for item in bodies.quarantined("assigned")],
        "polled": [
            {"source": w.source, "up_to": at(w.at), "last_look": at(w.moved_at)} for w in deliveries.watermarks()
        ],
        "acknowledged": [body_row(item) | acknowledgement(item) for item in bodies.quarantined("acknowledged")],
        "acknowledged_alarms": [
            alarm_row(alarm) | {"acknowledged": alarm.settled} for alarm in deliveries.acknowledged()
        ],
    }


def alarm_row(alarm: Delivery) -> dict[str, Any]:
    """An alert that came by one way only, as the listing and `--json` tell of it."""
    since = at(alarm.webhook_at or alarm.poll_at)
    return {"alert": alarm.alert_id, "rule": alarm.rule_id, "why": alarm.alarm, "since": since}


TITLES = {
    "alarms": ("Came by one way only", "No alert came by one way of delivery only."),
    "pending": ("Not looked into yet", "Everything that came in was looked into."),
    "asked_again": (ASKED, "No alert waits to be asked about again."),
    "quarantined": ("In quarantine", "Nothing lies in quarantine."),
    "partly_read": ("Read in part", "Of what was assigned to a case, everything could be read."),
    "polled": ("Polled", "The poller has not looked yet; it runs where VMEXPORT_ELASTICSEARCH_URL is set."),
    "acknowledged": ("Acknowledged, undecodable", ""),
    "acknowledged_alarms": ("Acknowledged, came by one way only", ""),
}


def _section(name: str, rows: list[dict[str, Any]]) -> list[Block]:
    from decisions.document import Heading, Paragraph, Table
    from records.inbox import MOST

    title, none = TITLES[name]
    if not rows:
        return [Paragraph(none)] if none else []
    head = tuple(column.replace("_", " ") for column in rows[0])
    found = [Heading(2, title), Table(head, tuple(tuple(map(_cell, row.values())) for row in rows))]
    return [*found, Paragraph(f"There may be more: {MOST} are shown at a time.")] if len(rows) == MOST else found


def _cell(value: Any) -> Line:
    from decisions.document import Code

    return "" if value is None else Code(str(value)[:400])
