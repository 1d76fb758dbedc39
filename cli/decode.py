"""`vmexport decode`: what an alert says, in our words, without taking it in."""

from __future__ import annotations

import gzip
import io
import json
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

if TYPE_CHECKING:
    from decisions.export import ExportEvent

GZIP = b"\x1f\x8b"
FIELDS = (
    "event_id", "api", "outcome", "event_time", "recipient_account", "caller_account", "region", "principal_arn",
    "principal_id", "access_key_id", "source_address", "user_agent", "instance_id", "image_id", "bucket", "prefix",
    "disk_format", "container_format", "target_environment", "task_id", "object_key", "sources",
)  # fmt: skip


def decode(
    file: Annotated[
        str, typer.Argument(help="A file with any accepted alert shape, gzip or not, or - for standard input")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, one line an export")] = False,
) -> None:
    """What an alert says, field by field, with where each was read; nothing is stored.

    Exit 1 when something in it could not be decoded (it is named on stderr), 2 when it cannot be read.

    Example: vmexport decode alert.json --json
    """
    from decisions.alert import MAX_BYTES
    from decisions.alert import decode as decode_body

    decoded = decode_body(_read(file, MAX_BYTES))
    for event in decoded.events:
        typer.echo(as_line(event) if as_json else as_page(event))
        for warning in event.warnings:
            typer.echo(f"warning: {printable(event.event_id)}: {printable(warning)}", err=True)
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


def printable(text: str) -> str:
    """The text with everything that a terminal would not print as itself (escapes, bidi marks) spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _read(file: str, limit: int) -> bytes:
    """At most one byte more than `limit`, unzipped: enough for the decoder to refuse what is too large."""
    try:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as stream:
            return _unzipped(stream, limit)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        problem = f"{file} starts like gzip and cannot be unzipped: {error}"
    except OSError as error:
        problem = f"{file} cannot be read: {error.strerror}. Name a file, or - for standard input."
    typer.echo(printable(problem), err=True)
    raise typer.Exit(2)


def _unzipped(stream: BinaryIO, limit: int) -> bytes:
    body = stream.read(limit + 1)
    if not body.startswith(GZIP):
        return body
    with gzip.GzipFile(fileobj=io.BytesIO(body)) as unzipped:
        return unzipped.read(limit + 1)
