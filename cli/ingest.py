"""`vmexport ingest`: hand in an alert as the webhook would, without HTTP."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def ingest(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="A file with any accepted alert shape, gzip or not, or - for standard input"
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object")] = False,
) -> None:
    """Hand in an alert as the webhook would; prints the case id. The receiver starts its run.

    Example: vmexport ingest alert.json
    """
    from cli.console import FindingExit, UsageProblem, say
    from cli.input import read_input
    from records import inbox
    from records.intake import work
    from settings.organization import OrganizationUnusable
    from settings.receiver import BodyLimit

    limit = BodyLimit().body_limit_bytes
    body = read_input(file, limit)
    if len(body) > limit:
        raise UsageProblem(
            f"{file} is larger than {limit} bytes, unzipped. Split it, or raise VMEXPORT_RECEIVER_BODY_LIMIT_BYTES."
        )
    item = inbox.receive(body, "cli", None)
    try:
        taken = work(item)
    except OrganizationUnusable as error:
        raise UsageProblem(f"{error}. The alert is kept as item {item.id} and taken in when that is done.") from error
    if as_json:
        told = {"cases": taken.cases, "inbox": taken.inbox_id, "problems": taken.problems, "resolving": taken.resolving}
        typer.echo(json.dumps(told))
    for problem in taken.problems:
        say(f"problem: {problem}", error=True)
    for why in taken.resolving:
        say(f"to be asked about again: {why}", error=True)
    if not taken.cases and taken.resolving:
        say(
            f"item {taken.inbox_id} waits for the receiver to ask Elasticsearch; `vmexport inbox` shows it.", error=True
        )
        return
    if not taken.cases:
        raise FindingExit(
            f"nothing in {file} could be decoded as an export; it is kept in the quarantine as item {taken.inbox_id}."
        )
    if not as_json:
        say("\n".join(taken.cases))
