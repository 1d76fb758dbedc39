"""`vmexport approver add | list | remove`: the people who may answer a gate."""

from __future__ import annotations

import io
import sys
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

import typer

app = typer.Typer(help="The people who may answer a gate.", no_args_is_help=True, rich_markup_mode=None)
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="The person's address, e.g. alice@example.com")]
WHITE_ON_BLACK, RESET = "\x1b[38;5;231;48;5;16m", "\x1b[0m"
"""The code's light squares are drawn; in a terminal's own colours they might be dark, which not every app reads."""


@app.command("add")
def add(
    address: Address,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object with the provisioning URI, which is a secret")
    ] = False,
) -> None:
    """Enrol a person. Prints a QR code for their authenticator, once: let them scan it from your screen.

    Example: vmexport approver add alice@example.com
    """
    from cli.console import UsageProblem, say, say_json
    from records import approvers
    from records.secret_key import KeyProblem

    try:
        uri = approvers.add(address)
    except (approvers.NotEnrolled, KeyProblem) as error:
        raise UsageProblem(f"{error}.") from error
    if as_json:
        say_json({"address": approvers.normal(address), "provisioning_uri": uri})
        return
    secret = parse_qs(urlsplit(uri).query)["secret"][0]
    typer.echo(qr_code(uri, coloured=sys.stdout.isatty()))
    say(f"{approvers.normal(address)} is enrolled. Scan the code with an authenticator app, or type this key into it:")
    say(f"\n    {' '.join(secret[n : n + 4] for n in range(0, len(secret), 4))}\n")
    say("Time based, SHA-1, 6 digits, 30 seconds. It is shown this once: clear the screen when it was scanned.")


def qr_code(uri: str, coloured: bool) -> str:
    """The QR code as block characters, two rows of squares in a line."""
    import segno

    drawn = io.StringIO()
    segno.make(uri, error="m").terminal(out=drawn, border=2, compact=True)
    lines = drawn.getvalue().rstrip("\n").split("\n")
    return "\n".join(f"{WHITE_ON_BLACK}{line}{RESET}" if coloured else line for line in lines)


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="One JSON array")] = False) -> None:
    """Everybody who is enrolled, and who was. Exit 1 when nobody can answer a gate.

    Example: vmexport approver list
    """
    from cli.console import FindingExit, say_json, show
    from decisions.document import Code, Table
    from decisions.evidence import utc
    from records import approvers

    people = approvers.listing()
    if as_json:
        rows = [{"address": p.address, "added_at": utc(p.added_at), "removed_at": _time(p.removed_at)} for p in people]
        say_json(rows)
    elif people:
        told = tuple((Code(p.address), utc(p.added_at), _time(p.removed_at) or "–") for p in people)
        show((Table(("Approver", "Enrolled", "Removed"), told),))
    if all(p.removed_at for p in people):
        raise FindingExit("Nobody can answer a gate: vmexport approver add ADDRESS")


@app.command("remove")
def remove(address: Address) -> None:
    """End a person's codes at once. Their secret is forgotten; answers that they gave stay valid until they expire.

    Example: vmexport approver remove alice@example.com
    """
    from cli.console import UsageProblem, say
    from records import approvers

    try:
        approvers.remove(address)
    except approvers.NotEnrolled as error:
        raise UsageProblem(f"{error}. `vmexport approver list` names who is.") from error
    say(f"{approvers.normal(address)} is no longer an approver.")


def _time(moment: object) -> str | None:
    from datetime import datetime

    from decisions.evidence import utc

    return utc(moment) if isinstance(moment, datetime) else None
