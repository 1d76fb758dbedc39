"""`vmexport ingest`: hand in an alert as the webhook would, without HTTP."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

GZIP = b"\x1f\x8b"


def read_input(file: str) -> bytes:
    """The bytes of a file or of standard input (`-`), unzipped. Raises UsageProblem."""
    from cli.console import UsageProblem

    if file == "-":
        body = sys.stdin.buffer.read()
    else:
        try:
            body = Path(file).read_bytes()
        except OSError as error:
            raise UsageProblem(
                f"{file} cannot be read: {error.strerror}. Name a file, or - for standard input."
            ) from error
    try:
        return gzip.decompress(body) if body.startswith(GZIP) else body
    except (OSError, EOFError) as error:
        raise UsageProblem(f"{file} starts like gzip and cannot be unzipped: {error}") from error


def ingest(
    file: Annotated[str, typer.Argument(help="A file with any accepted alert shape, or - for standard input")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object")] = False,
) -> None:
    """Hand in an alert as the webhook would; prints the case id. The receiver starts its run.

    Example: vmexport ingest alert.json
    """
    from cli.console import FindingExit, say
    from receiver.inbox import work
    from records import inbox

    body = read_input(file)
    taken = work(inbox.receive(body, "cli", None).id, body)
    if as_json:
        typer.echo(json.dumps({"cases": taken.cases, "inbox": taken.inbox_id, "problems": taken.problems}))
    for problem in taken.problems:
        say(f"problem: {problem}", error=True)
    if not taken.cases:
        raise FindingExit(
            f"nothing in {file} could be decoded as an export; it is kept in the quarantine as item {taken.inbox_id}."
        )
    if not as_json:
        say("\n".join(taken.cases))
