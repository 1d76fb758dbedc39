"""`vmexport verify`: whether a case is what was written, from the case store or from an exported folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def verify(
    case: Annotated[str, typer.Argument(metavar="CASE|DIR", help="A case id, or a folder of `vmexport case export`")],
    head: Annotated[
        str | None,
        typer.Option(help="Hash of the last entry, where you kept it elsewhere: proves that the end was not cut off"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object")] = False,
) -> None:
    """Whether a case is what was written: ledger, evidence, completeness. Exit 1 on any break, each named.

    A folder of `vmexport case export` needs no database.

    Example: vmexport verify VMX-20260302-ABCD
    """
    from cli.console import FindingExit, UsageProblem, say, say_json
    from records.case_folder import LEDGER, MANIFEST, verify_directory

    folder = Path(case)
    if folder.is_dir() and not any((folder / name).exists() for name in (MANIFEST, LEDGER)):
        raise UsageProblem(f"{case} is not an exported case: neither {MANIFEST} nor {LEDGER} is in it.")
    problems = verify_directory(folder, head) if folder.is_dir() else _verify_case(case, head)
    if as_json:
        say_json({"checked": case, "whole": not problems, "problems": list(problems)})
    for problem in () if as_json else problems:
        say(problem)
    if problems:
        raise FindingExit(f"{case} is NOT whole: {len(problems)} problem(s).")
    if not as_json:
        known = "" if head or not folder.is_dir() else " With --head HASH, a cut-off end would be seen as well."
        say(f"{case} is whole: the ledger is one chain, and all evidence is as it was collected.{known}")


def _verify_case(case: str, head: str | None) -> tuple[str, ...]:
    from cli.console import UsageProblem
    from records import cases, ledger

    try:
        problems = cases.verify_case(case)
    except LookupError as error:
        raise UsageProblem(f"{case} is neither a case nor a folder. `vmexport case list` names the cases.") from error
    last = ledger.head(case)[1]
    if head is not None and head != last:
        return (*problems, f"the last entry is {last}, not {head}: entries were added, cut off or exchanged")
    return problems
