"""`vmexport elastic diff | apply`: our detection rule and its connector in Kibana, as deployments/elastic describes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tasks.elastic.kibana_rules import Compared

app = typer.Typer(
    help="The detection rule and its connector in Kibana: what differs from deployments/elastic, and making it so.",
    no_args_is_help=True,
)
Spaces = Annotated[
    list[str] | None,
    typer.Option("--space", metavar="NAME", help="Kibana space; repeatable [default: VMEXPORT_ELASTICSEARCH_SPACES]"),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON array, an object for each space")]


@app.command("diff")
def diff(space: Spaces = None, as_json: Json = False) -> None:
    """What differs between our files and Kibana; changes nothing. Exit 1 if anything does.

    Compared is what the files say and our action of the rule. Exceptions, other actions and whether the rule is switched on
    are people's, and are no difference.

    Example: vmexport elastic diff --space production
    """
    from cli.console import FindingExit, say, say_json
    from tasks.elastic.kibana_request import connected
    from tasks.elastic.kibana_rules import compare

    with _answers(), connected() as kibana:
        compared = [compare(kibana, name) for name in _spaces(space)]
    if as_json:
        say_json([_as_object(one) for one in compared])
    else:
        for one in compared:
            say(_as_text(one))
    if any(not one.same for one in compared):
        raise FindingExit("Kibana and the files differ. `vmexport elastic apply` makes Kibana as the files say.")


@app.command("apply")
def apply(
    space: Spaces = None,
    renew_secret: Annotated[
        bool, typer.Option("--renew-secret", help="Send the receiver's secret again, as after it was changed")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the rule and its connector in Kibana as our files say; a second time changes nothing.

    The receiver's secret is taken from VMEXPORT_RECEIVER_SECRET, and Kibana keeps it encrypted. Left as they are: exceptions,
    actions of other connectors, and whether the rule is switched on (a new rule is).

    Example: vmexport elastic apply --space production
    """
    from cli.console import FindingExit, say, say_json
    from settings.receiver import receiver
    from tasks.elastic import kibana_rules
    from tasks.elastic.kibana_request import connected

    done: list[tuple[Compared, tuple[str, ...]]] = []
    with _answers(), connected() as kibana:
        for name in _spaces(space):
            changes = kibana_rules.apply(
                kibana, name, lambda: receiver().secret.get_secret_value(), renew_secret=renew_secret
            )
            done.append((kibana_rules.compare(kibana, name), changes))  # read back: taken is not done
    if as_json:
        say_json([_as_object(now) | {"changes": list(changes)} for now, changes in done])
    else:
        for now, changes in done:
            lines = (*(changes or ("nothing to change",)), *now.notes)
            say("\n".join([f"space {now.space}:", *(f"  {line}" for line in lines)]))
    if wrong := [now for now, _ in done if not now.same]:
        told = "\n".join(_as_text(now) for now in wrong)
        raise FindingExit(f"Kibana took it, but shows something else than was sent:\n{told}")


def _spaces(given: list[str] | None) -> tuple[str, ...]:
    from settings.elastic import elasticsearch

    return tuple(given) if given else elasticsearch().spaces


def _as_text(one: Compared) -> str:
    lines = [f"space {one.space}, alerts by {one.route}:"]
    for part in one.parts:
        state = "as in the files" if not part.diff else "differs" if part.there else "is missing"
        lines += [f"  {part.name}: {state}", *(f"    {line}" for line in part.diff.splitlines())]
    return "\n".join([*lines, *(f"  {note}" for note in one.notes)])


def _as_object(one: Compared) -> dict[str, Any]:
    parts = [{"name": p.name, "there": p.there, "same": not p.diff, "diff": p.diff} for p in one.parts]
    return {"space": one.space, "route": one.route, "same": one.same, "parts": parts, "notes": list(one.notes)}


@contextmanager
def _answers() -> Iterator[None]:
    """What is missing, or refused, ends the command with its sentence."""
    from cli.console import UsageProblem
    from tasks.elastic.kibana_request import KibanaRefused
    from tasks.elastic.kibana_rules import NotInstallable
    from tasks.elastic.rule_files import NotSet

    try:
        yield
    except (KibanaRefused, NotInstallable, NotSet) as error:
        raise UsageProblem(f"{str(error).rstrip('.')}.") from error
