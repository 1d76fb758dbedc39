"""`vmexport doctor`: is it installed right, and what can it see."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cli.checks.check import Check


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array, progress on standard error")] = False,
) -> None:
    """Look at everything that a response needs, and say what is missing. Changes nothing.

    Each check is ok, a warning, a problem, or not configured, which is never an ok. Exit 1 if there is a problem.

    Example: vmexport doctor --json
    """
    from cli.checks.check import Result
    from cli.console import FindingExit, say, say_json

    checks: list[Check] = []
    for name, group in _groups():
        if sys.stderr.isatty():
            say(f"{name} …", error=True)
        for check in _made(name, group):
            checks.append(check)
            if not as_json:
                say(_as_text(check))
    counts = {result: sum(check.result is result for check in checks) for result in Result}
    if as_json:
        say_json([
            {"name": c.name, "result": c.result, "sentence": c.sentence, "next_step": c.next_step or None} for c in checks
        ])  # fmt: skip
    summary = ", ".join(f"{n} {result}" for result, n in counts.items())
    if counts[Result.PROBLEM]:
        raise FindingExit(f"{summary}. A problem keeps a response from working; see the lines above.")
    if not as_json:
        say(f"{summary}.")


def _groups() -> list[tuple[str, Callable[[], Iterator[Check]]]]:
    from cli.checks import aws, elastic, hunts, installation, kibana, logs, orchestration, tables

    return [
        ("settings", installation.settings),
        ("organization.toml", installation.organization),
        ("database", installation.database),
        ("receiver", installation.receiver),
        ("Prefect", orchestration.prefect),
        ("AWS", aws.aws),
        ("log files", logs.files),
        ("Elasticsearch", elastic.elasticsearch),
        ("Kibana", kibana.kibana),
        ("Trino and Athena", tables.tables),
        ("scheduled hunts", hunts.hunts),
    ]


def _made(name: str, group: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """The checks of a group; a setting that cannot be read ends its own group and no other."""
    from pydantic import ValidationError

    from cli.checks.check import problem
    from cli.console import told

    try:
        yield from group()
    except ValidationError as error:
        end = told(error)
        if end is None:
            raise
        yield problem(name, str(end), "The rest of this part was not looked at.")


def _as_text(check: Check) -> str:
    line = f"{check.result:<14}  {check.name}: {check.sentence.rstrip('.')}."
    return f"{line}\n{'':<16}{check.next_step}" if check.next_step else line
