"""The command `vmexport`. Each command's module is imported when it is called, so that --help answers at once."""

from __future__ import annotations

import sys

import typer

from cli import (
    approver,
    case,
    decode,
    demo,
    doctor,
    elastic,
    gates,
    hunt,
    inbox,
    ingest,
    report,
    rules,
    serve,
    store,
    verify,
)
from cli.console import Exit, say, told

app = typer.Typer(
    name="vmexport",
    help="Incident response for EC2 instances that were exported as VM images.",
    epilog="Exit codes: 0 good, 1 a finding or a failed check, 2 wrong usage or a missing thing. Try it: vmexport demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,  # plain text: no frames and no colours in a pipe, a log, a screen reader
)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("serve")(serve.serve)
app.command("ingest")(ingest.ingest)
app.add_typer(inbox.app, name="inbox")
app.command("decode")(decode.decode)
app.add_typer(case.app, name="case")
app.command("gates")(gates.gates)
app.command("approve")(gates.approve)
app.command("decline")(gates.decline)
app.command("release")(gates.release)
app.add_typer(approver.app, name="approver")
app.add_typer(elastic.app, name="elastic")
app.command("verify")(verify.verify)
app.command("report")(report.report)
app.command("hunt")(hunt.hunt)
app.add_typer(rules.app, name="rules")
app.add_typer(store.app, name="store")


def main() -> None:
    """Run a command: 0 good, 1 a finding or a failed check, 2 wrong usage or a missing thing with the next step."""
    try:
        app()
    except Exception as error:
        end = error if isinstance(error, Exit) else told(error)
        if end is None:
            raise  # a defect of ours: its traceback is what a report of it needs
        say(str(end), error=True)
        sys.exit(end.code)
