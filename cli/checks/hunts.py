"""Scheduled hunts: hunts.toml means something, what its sources need is there, and the Prefect server has its schedules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.checks.check import Check, listed, not_configured, ok, problem, warning

if TYPE_CHECKING:
    from settings.hunts import Hunts, HuntSource

APPLY = "Run: python -m deployments.bootstrap"
DEPLOYMENT = "retro-hunt/retro-hunt"


def hunts() -> Iterator[Check]:
    """The file, then each source, then the schedules."""
    from settings.hunts import EXAMPLE, HuntsSettings, HuntsUnusable
    from settings.hunts import hunts as configured

    path = HuntsSettings().hunts
    if path is None:
        yield not_configured(
            "hunts.toml", "VMEXPORT_HUNTS is not set: no hunt runs on a schedule",
            f"Copy {EXAMPLE}, fill it in, and point VMEXPORT_HUNTS at it.",
        )  # fmt: skip
        return
    try:
        found = configured()
    except HuntsUnusable as error:
        yield problem("hunts.toml", str(error), f"Every scheduled hunt fails until then. Afterwards: {APPLY}")
        return
    if not found.schedule:
        yield warning("hunts.toml", f"{path} has no [[schedule]]: nothing runs by itself", f"Add one. {APPLY}")
    for source in found.source:
        yield _source(source)
    yield from _schedules(found)


def _source(source: HuntSource) -> Check:
    name = f"hunt source {source.name}"
    if wrong := [*_place(source), *_rules(source)]:
        return problem(name, "; ".join(wrong), "Correct it: its hunts fail. See docs/retro-hunts.md.")
    return ok(name, f"what a source of kind {source.kind} needs is set")


def _place(source: HuntSource) -> Iterator[str]:
    from settings.buckets import buckets
    from settings.elastic import elasticsearch
    from settings.trino import athena, trino

    if source.kind in {"files", "store"} and not Path(str(source.place)).exists():
        yield f"{source.place} is not there that we can see"
    if source.kind == "s3" and not (source.bucket_account or buckets().log_account):
        yield "whose bucket it is is not known: set bucket_account or VMEXPORT_HUNT_LOG_ACCOUNT"
    if source.kind == "elasticsearch" and not elasticsearch().configured:
        yield "VMEXPORT_ELASTICSEARCH_URL is not set"
    if source.kind == "trino" and trino().url is None:
        yield "VMEXPORT_TRINO_URL is not set"
    if source.kind == "athena" and athena().account is None:
        yield "VMEXPORT_ATHENA_ACCOUNT and VMEXPORT_ATHENA_DATABASE are not set"


def _rules(source: HuntSource) -> Iterator[str]:
    if (folder := source.rules_folder) is not None and not folder.is_dir():
        yield f"the folder of rules {folder} is not there"


def _schedules(found: Hunts) -> Iterator[Check]:
    import httpx

    from cli.orchestration import api_url

    try:
        with httpx.Client(base_url=api_url(), timeout=10) as http:
            answer = http.get(f"/deployments/name/{DEPLOYMENT}")
            answer.raise_for_status()
            there = {str(one.get("slug")): one for one in answer.json()["schedules"]}
    except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
        # What is wrong with the server says its own check.
        yield warning("hunt schedules", f"whether Prefect has them is not known ({type(error).__name__})", APPLY)
        return
    wanted = {one.name: one for one in found.schedule}
    if differs := sorted(name for name in wanted if not _same(wanted[name], there.get(name))):
        yield problem("hunt schedules", f"not on the server as in the file: {listed(differs)}", APPLY)
    elif strange := sorted(name for name, one in there.items() if name not in wanted and one.get("active")):
        yield problem("hunt schedules", f"on the server and not in the file: {listed(strange)}", APPLY)
    elif wanted:
        yield ok("hunt schedules", f"all {len(wanted)} are on the server")


def _same(wanted: Any, there: Any) -> bool:
    """Whether the server runs it at the same times and asks the same."""
    if there is None:
        return False
    when = there["schedule"]
    return (
        (when.get("cron"), when.get("timezone") or "UTC") == (wanted.cron, wanted.timezone)
        and there["active"] is wanted.active
        and there["parameters"] == wanted.parameters
    )
