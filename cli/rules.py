"""`vmexport rules`: are the rules right, on every engine, and what would they cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tasks.hunting.rules_check import Checked

app = typer.Typer(no_args_is_help=True, help="Sigma rules: check them on every engine, backtest them on logs.")


@app.command("check")
def check(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Folder of rules and fixtures, or one file; default: hunts/")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as one JSON document")] = False,
) -> None:
    """Asks every fixture of every engine that is present; all must say what the fixture says.

    Exit 1 on any disagreement, a rule that cannot be used or a rule of ours without fixtures; 2 when there are no rules.

    Example: vmexport rules check hunts
    """
    from dataclasses import asdict

    from cli.console import UsageProblem, say, say_json
    from tasks.hunting.engines import present
    from tasks.hunting.fixtures import PACK, FixturesUnusable, load
    from tasks.hunting.rules_check import check as check_folder

    where = folder or PACK
    with present() as (engines, absent):
        try:
            loaded = load(where)
            told = check_folder(where, loaded, engines)
        except (FixturesUnusable, OSError) as error:
            raise UsageProblem(f"{error}. Name a folder of Sigma rules.") from error
    own = where.resolve() == PACK
    bad = bool(told.problems or loaded.refused or (own and told.without))
    if as_json:
        say_json(asdict(told) | {"refused": [list(one) for one in loaded.refused], "absent": absent, "good": not bad})
    else:
        say(_page(told, list(loaded.refused), absent))
    if bad:
        raise typer.Exit(1)


def _page(told: Checked, refused: list[tuple[str, str]], absent: list[str]) -> str:
    lines = [f"{told.rules} rules, {told.fixtures} fixtures, asked of {', '.join(told.engines)}."]
    lines += [f"not present: {one}" for one in absent]
    lines += [f"not asked: {one}" for one in told.not_asked]
    lines += [f"no fixture: {one}" for one in told.without]
    lines += [f"refused: {name}: {why}" for name, why in refused]
    lines += [f"WRONG: {one}" for one in told.problems]
    return "\n".join([*lines, "not as it should be." if told.problems or refused else "all engines agree."])
