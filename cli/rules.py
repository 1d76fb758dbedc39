"""`vmexport rules`: are the rules right, on every engine, and what would they cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tasks.hunting.backtest import Backtested
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
    from tasks.hunting.table import TableUnanswered

    where = folder or PACK
    with present() as (engines, absent):
        try:
            loaded = load(where)
            told = check_folder(where, loaded, engines)
        except (FixturesUnusable, OSError) as error:
            raise UsageProblem(f"{error}. Name a folder of Sigma rules.") from error
        except TableUnanswered as error:
            raise UsageProblem(str(error)) from error
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


@app.command("backtest")
def backtest(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="CloudTrail files and S3 access logs: a folder, or one file")
    ],
    rules: Annotated[Path | None, typer.Option("--rules", help="Folder of rules, or one file; default: hunts/")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as one JSON document")] = False,
) -> None:
    """What each rule would have brought and cost on past events: hits, rate, noisiest values, records parsed for it.

    Exit 1 when a rule is too noisy to be scheduled (VMEXPORT_HUNT_RULE_RATE_MAX), 2 when there is nothing to read.

    Example: vmexport rules backtest logs/AWSLogs --rules my-rules
    """
    from cli.console import UsageProblem, say, say_json
    from cli.hunt_progress import Progress
    from cli.rule_packs import pack
    from decisions.sigma_backtest import schedulable
    from settings.hunting import hunting
    from settings.logs import logs
    from tasks.hunting.backtest import backtest as run
    from tasks.hunting.fixtures import PACK

    loaded = pack(rules or PACK)
    with Progress() as progress:
        told = run(loaded.rules, path, hunting().backtest_events_max, logs().log_file_max_bytes, progress.told)
    if not told.events:
        why = "; ".join(f"{one.path}: {one.why}" for one in told.coverage.quarantined[:3]) or "no log file is there"
        raise UsageProblem(f"there is nothing to read in {path} ({why}). Name a folder of CloudTrail files.")
    _, why = schedulable(told.tallies, hunting().rule_rate_max)
    why = {rule_id: reason for rule_id, reason in why.items() if rule_id not in loaded.hidden}
    if as_json:
        say_json(_backtested(told, why) | {"refused": [list(one) for one in loaded.refused]})
    else:
        say(_lines(told, why))
    if why:
        raise typer.Exit(1)


def _backtested(told: Backtested, why: dict[str, str]) -> dict[str, Any]:
    return {
        "events": told.events,
        "cut": told.cut,
        "coverage": told.coverage.model_dump(mode="json"),
        "rules": [
            {
                "id": tally.rule.id,
                "title": tally.rule.title,
                "hits": tally.hits,
                "events": tally.events,
                "rate": tally.rate,
                "parsed": tally.parsed,
                "seconds": round(tally.seconds, 6),
                "costly": tally.rule.costly,
                "noisiest": [list(one) for one in tally.top()],
                "not_for_schedule": why.get(tally.rule.id),
            }
            for tally in told.tallies
        ],
    }


def _lines(told: Backtested, why: dict[str, str]) -> str:
    lines = [*told.coverage.sentences()]
    if told.cut:
        lines.append("VMEXPORT_HUNT_BACKTEST_EVENTS_MAX is how many are looked at.")
    for tally in sorted(told.tallies, key=lambda one: -one.hits):
        share = f"{tally.rate:.3%} of {tally.events}, {tally.parsed} parsed for it in {tally.seconds:.3f} s"
        costly = ", costly: nothing of it can be searched for in raw bytes" if tally.rule.costly else ""
        lines.append(f"{tally.hits:>8}  {tally.rule.title}  ({share}{costly})")
        if reason := why.get(tally.rule.id):
            lines += [f"          NOT FOR A SCHEDULE: {reason}"]
            lines += [f"          {name} = {value}: {count}" for name, value, count in tally.top()]
    return "\n".join(lines)
