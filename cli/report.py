"""`vmexport report`: the report of a case as it was written, in the form that is asked for."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """Forms of a report."""

    MARKDOWN = "md"
    HTML = "html"
    JSON = "json"


MEDIA = {Format.MARKDOWN: "text/markdown", Format.HTML: "text/html", Format.JSON: "application/json"}


def report(
    case: Annotated[str, typer.Argument(metavar="CASE", help="Case id, e.g. VMX-20260302-ABCD")],
    format_: Annotated[
        Format, typer.Option("--format", help="md and json go to a pipe well; html is one file")
    ] = Format.MARKDOWN,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Write it there; default: standard output")
    ] = None,
) -> None:
    """The newest report of a case, checked against its hash. Exit 1 while there is none: the case is not finished.

    Example: vmexport report VMX-20260302-ABCD --format html --to report.html
    """
    from cli.console import FindingExit, UsageProblem, entries_of, say
    from decisions.review import WHAT
    from records import evidence

    entries_of(case)
    written = [e for e in evidence.listing(case) if e.what == WHAT and e.media_type == MEDIA[format_]]
    if not written:
        raise FindingExit(
            f"{case} has no report yet: it is written at the end of the response. See `vmexport case card {case}`."
        )
    content = evidence.load(written[-1])
    if to is None:
        typer.echo(content, nl=False)
        return
    try:
        to.write_bytes(content)
    except OSError as error:
        raise UsageProblem(f"{to} cannot be written: {error.strerror}. Name another file.") from error
    say(f"{written[-1].id} is in {to}.")
