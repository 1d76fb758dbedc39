"""`vmexport demo`: a whole incident in the lab, from the attack to the report, on this machine alone."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cli.incident import Incident


class AnswerMode(StrEnum):
    """Who answers the gates."""

    APPROVE = "approve"
    DECLINE = "decline"
    WAIT = "wait"


def demo(
    story: Annotated[
        str, typer.Option(help="production-export, approved-migration or denied-attempt")
    ] = "production-export",
    answer: Annotated[
        AnswerMode | None,
        typer.Option(help="Answer the gates for you, or wait for you [default: wait; approve without a terminal]"),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object at the end, progress on standard error")
    ] = False,
    keep: Annotated[
        bool, typer.Option(help="Leave everything running at the end, to look around [default: with a terminal]")
    ] = False,
    home: Annotated[Path | None, typer.Option(help="Folder of the demo's own state")] = None,
    elasticsearch: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Search logs and alerts there; `python -m lab.elasticsearch` starts one"),
    ] = None,
) -> None:
    """Detonate an export in a simulated organisation and respond to it.

    Example: vmexport demo --story production-export --answer approve

    On a real Elasticsearch: vmexport demo --elasticsearch http://127.0.0.1:9200
    """
    from cli.console import UsageProblem, say
    from cli.incident import Incident
    from cli.processes import NotReady
    from lab.story import stories

    if story not in stories():
        raise UsageProblem(f"there is no story {story!r}. Stories: {', '.join(stories())}.")
    mode = answer or (AnswerMode.WAIT if sys.stdout.isatty() else AnswerMode.APPROVE)
    if answer is None and mode is AnswerMode.APPROVE:
        say(
            "No terminal: the demo answers the gates itself, as alice@example.com, bob@example.com and so on.",
            error=True,
        )
    try:
        with Incident(home, lambda text: say(text, error=True), elasticsearch) as incident:
            summary = incident.play(story, mode.value)
            typer.echo(json.dumps(summary, indent=2) if as_json else summary_text(summary))
            if keep or (sys.stdout.isatty() and not as_json):
                look_around(incident)
    except NotReady as error:
        raise UsageProblem(str(error)) from error


def look_around(incident: Incident) -> None:
    """Leave everything running until Enter."""
    from cli.console import say

    say(f"Everything still runs: {incident.services.prefect_url}. Enter stops it.")
    sys.stdin.readline()


def summary_text(summary: dict[str, Any]) -> str:
    """What happened, for a person."""
    metrics = summary["metrics"]
    lines = [
        "",
        f"case      {summary['case']}  ({summary['story']})",
        f"severity  {summary['severity'].upper()}",
        *(f"            {reason}" for reason in summary["reasons"]),
        *(f"            undecided: {u}" for u in summary["undecided"]),
        f"verdict   {summary['verdict']}",
        "actions",
        *(f"            {'verified' if a['verified'] else 'NOT VERIFIED'}  {a['id']}" for a in summary["actions"]),
        *(["            none"] if not summary["actions"] else []),
        "gates",
        *(
            f"            {g['name']} by {g['approver']} ({g['method']}), plan {g['plan_hash'][:12]}"
            for g in summary["gates"]
        ),
        *(["            none"] if not summary["gates"] else []),
        "metrics",
        f"            time to detection    {seconds(metrics['time_to_detection_s'])}",
        f"            time to containment  {seconds(metrics['time_to_containment_s'])}",
        f"            accessed outside     {metrics['accessed_outside']}",
        f"            exposure             {seconds(metrics['exposure_s'])}",
        f"            alert to case card   {seconds(summary['alert_to_card_s'])}",
        f"report    {summary['report']}",
        f"run       {summary['run_url']}",
    ]
    return "\n".join(lines)


def seconds(value: float | None) -> str:
    """A duration for a person; a missing one is said to be unknown."""
    if value is None:
        return "unknown"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{value:.1f} s"
