"""`vmexport decode`: what an alert says, in our words, without taking it in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from decisions.alert import Hint
    from decisions.export import ExportEvent

FIELDS = (
    "event_id", "api", "outcome", "event_time", "recipient_account", "caller_account", "region", "principal_arn",
    "principal_id", "access_key_id", "source_address", "user_agent", "instance_id", "image_id", "bucket", "prefix",
    "disk_format", "container_format", "target_environment", "task_id", "object_key", "sources",
)  # fmt: skip


def decode(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="A file with any accepted alert shape, gzip or not, or - for standard input"
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, one line an export")] = False,
) -> None:
    """What an alert says, field by field; nothing is stored. Each field names where it was read.

    Below stand the alerts in it, and why one must be asked about again (with --json these on stderr).

    Exit 1 when something in it could not be decoded (it is named on stderr), 2 when it cannot be read.

    Example: vmexport decode alert.json --json
    """
    from cli.input import read_input
    from decisions.alert import MAX_BYTES
    from decisions.alert import decode as decode_body

    decoded = decode_body(read_input(file, MAX_BYTES))
    for event in decoded.events:
        typer.echo(as_line(event) if as_json else as_page(event))
        for warning in event.warnings:
            typer.echo(f"warning: {printable(event.event_id)}: {printable(warning)}", err=True)
    for hint in decoded.hints:
        if not as_json or hint.ask:
            typer.echo(as_sentence(hint), err=as_json)
    for problem in decoded.problems:
        typer.echo(f"problem: {printable(problem)}", err=True)
    if decoded.problems:
        raise typer.Exit(1)


def as_line(event: ExportEvent) -> str:
    """One JSON object in ASCII, absent fields null."""
    told = event.model_dump(mode="json", include=set(FIELDS))
    return json.dumps({name: told[name] for name in FIELDS})


def as_page(event: ExportEvent) -> str:
    """Field, value and where it was read, for people; what the sender wrote cannot steer the terminal."""
    told = event.model_dump(mode="json", include=set(FIELDS) - {"sources"})
    rows = [(name, told[name], event.sources.get(name, "")) for name in FIELDS if told.get(name) is not None]
    lines = [
        f"  {name:<20}{printable(str(value))}" + (f"  ({source})" if source else "") for name, value, source in rows
    ]
    absent = [name for name in FIELDS if name != "sources" and told[name] is None]
    return "\n".join(
        [f"{event.api} {event.outcome}", *lines, *([f"  not told: {', '.join(absent)}"] if absent else [])]
    )


def as_sentence(hint: Hint) -> str:
    """Which alert it was, and why it must be asked about again."""
    rule = hint.rule_id or (f"(saved object {hint.rule_uuid})" if hint.rule_uuid else "not told")
    told = f"alert {hint.alert_id or 'not told'}, rule {rule}"
    return printable(f"{told}: must be asked about again: {hint.ask}" if hint.ask else told)


def printable(text: str) -> str:
    """The text with everything that a terminal would not print as itself (escapes, bidi marks) spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
