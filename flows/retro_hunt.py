"""The scheduled hunt: exports that no alert told of, and reads of exported images that came late.

One run looks at one source of hunts.toml, from where its last whole run ended. What it is and how far it got is kept in our
own database: a run that is killed is gone on with by the next, and neither reads a file nor tells of a finding twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Cancelled, State

from decisions.evidence import Frozen, utc
from decisions.hunt_summary import Became
from decisions.plain import plain_text
from flows import hunt_files, hunt_summary
from flows.hunt_progress import ProgressLog
from flows.hunt_runs import Asked, HuntRun, Scope
from flows.hunt_sources import opened
from records import hunt_intake, hunt_lock, hunts
from records.database import transaction
from settings.hunting import hunting
from settings.hunts import hunts as configured
from settings.organization import organization
from tasks import case_facts
from tasks.hunting import rates
from tasks.hunting.coverage import Period
from tasks.hunting.fixtures import load
from tasks.hunting.hunt import hunt
from tasks.hunting.scoped import Scoped


class Hunted(Frozen):
    """How one run ended."""

    run: int
    since: datetime | None
    until: datetime
    findings: int
    """Exports, reads, rules and correlations that were found, known ones included."""
    cases: tuple[str, ...]
    """Cases that were opened, joined, told or opened again."""
    complete: bool
    """Whether everything that lies there was searched wholly."""
    files_read: int
    files_known: int
    """Of a source with a store: log files that were read now, and that were in the store already."""


@flow(name="retro-hunt", flow_run_name="hunt in {source}", persist_result=False)
async def retro_hunt(
    source: str,
    accounts: Sequence[str] = (),
    regions: Sequence[str] = (),
    window: str | None = None,
    since: str | None = None,
    until: str | None = None,
    rules: str | None = None,
) -> Hunted | State[Any]:
    """Hunt in a source of hunts.toml, hand what is new to its cases, and show a summary.

    Without `since` (`2026-03-01`) or `window` (`30d`) it begins where the last whole run ended, less the source's overlap.
    `rules`: a folder in place of the source's own. A run that asks the same as one at work is cancelled at once.
    """
    place = configured().named(source)
    organization()  # without it nothing could become a case: fail before anything is read
    asked = Asked(place, Scope.of(accounts, regions), window, since, until, rules)
    with hunt_lock.alone(asked.target) as free:
        if not free:
            why = f"A run of {source} that asks the same is at work."
            get_run_logger().warning("%s", why)
            return Cancelled(message=why)
        run = await begin(asked)
        try:
            if place.store:
                await take_files_in(run)
            await look(run)
            await hand_over(run)
            await summarise(run)
        except Exception as error:  # whatever it was: the run must look neither alive nor whole
            why = plain_text(f"{type(error).__name__}: {error}", 500)
            await asyncio.to_thread(run.failed, why)
            await hunt_summary.publish_failure(run, why)
            raise
        return await finish(run)


@task(name="begin", cache_policy=NO_CACHE, persist_result=False)
async def begin(asked: Asked) -> HuntRun:
    """Note the run, from when to when it looks, and that one before it was killed, if one was."""
    run, killed = await asyncio.to_thread(HuntRun.begin, asked, datetime.now(UTC))
    log = get_run_logger()
    if killed:
        log.warning(
            "Run %s of %s, begun %s, was killed; this one goes on from there.",
            killed.id,
            asked.target,
            utc(killed.started_at),
        )
    log.info("%s: what happened since %s", asked.target, utc(run.period.since) if run.period.since else "ever")
    return run


@task(name="take in files", cache_policy=NO_CACHE, persist_result=False)
async def take_files_in(run: HuntRun) -> None:
    """Fill the source's store with the files that it does not have. Raises what the ingest raises; what is in it stays."""
    log = get_run_logger()
    progress = ProgressLog(lambda line: log.info("%s", line))
    place, period = run.asked.place, run.period
    run.files = await progress.thread(
        lambda: hunt_files.take_in(place, period, run.id, progress, lambda line: log.info("%s", line))
    )
    await asyncio.to_thread(run.widen, datetime.now(UTC))
    log.info(
        "%s files read, %s were in the store already, %s events", run.files.read, run.files.known, run.files.events
    )


@task(name="look", cache_policy=NO_CACHE, persist_result=False)
async def look(run: HuntRun) -> None:
    """Ask the source; keep what was found, all in one transaction. Raises what the source raises."""
    log = get_run_logger()
    progress = ProgressLog(lambda line: log.info("%s", line))
    await progress.thread(lambda: _look(run, progress))
    for name, why in run.result.refused_rules:
        log.warning("rule %s was not asked: %s", plain_text(name, 200), plain_text(why, 500))
    if not run.result.coverage.complete:
        log.warning(
            "Not everything was searched: %s",
            " ".join(plain_text(s, 300) for s in run.result.coverage.sentences()[1:6]),
        )


def _look(run: HuntRun, progress: ProgressLog) -> None:
    place, period = run.asked.place, run.period
    loaded = None
    with opened(place, progress) as source_over:
        if folder := run.asked.rules_folder:
            end = period.until or datetime.now(UTC)
            recent = Period(end - rates.LAST.get(place.kind, rates.OTHERWISE), end)
            loaded = rates.schedulable(load(folder), source_over(recent), hunting().rule_rate_max)
        scoped = Scoped(source_over(period), run.asked.scope.accounts, run.asked.scope.regions)
        run.result = hunt(scoped, period, loaded, known=run.known_exports())
    if place.store:
        whole = hunt_files.with_lost(run.result.coverage, run.files.lost)
        run.result = run.result.model_copy(update={"coverage": whole})
    with transaction() as connection:
        hunts.findings_within(connection, run.result.findings, run.id)


@task(name="hand over", cache_policy=NO_CACHE, persist_result=False)
async def hand_over(run: HuntRun) -> None:
    """Every new finding to its case, one transaction each; also what a run that was killed had left."""
    log = get_run_logger()

    def take_in() -> None:
        for taken in hunt_intake.take_in(case_facts.reads_known):
            run.became.append(Became(finding=taken.finding, what=taken.what, case_id=taken.case_id, said=taken.said))
            log.info("%s: %s", plain_text(taken.finding.title, 200), plain_text(taken.said, 300))

    await asyncio.to_thread(take_in)


@task(name="summary", cache_policy=NO_CACHE, persist_result=False)
async def summarise(run: HuntRun) -> None:
    """Show what is new, what differs from the run before, and what was searched."""
    await hunt_summary.publish(run)


@task(name="finish", cache_policy=NO_CACHE, persist_result=False)
async def finish(run: HuntRun) -> Hunted:
    """Note that the run is whole: the next one begins where it ended. Fails when nothing at all could be searched.

    A store that holds nothing of the period is no such case, if its source was looked through for what is new.
    """
    if not run.result.coverage.files_searched and not run.files.found:
        why = f"Nothing in {run.asked.place.name} could be searched: this is no answer."
        await asyncio.to_thread(run.failed, why)
        raise RuntimeError(why)
    await asyncio.to_thread(run.done)
    cases = dict.fromkeys(one.case_id for one in run.became if one.case_id and one.what != "known")
    return Hunted(
        run=run.id,
        since=run.period.since,
        until=run.until,
        findings=len(run.result.alarming),
        cases=tuple(cases),
        complete=run.result.coverage.complete,
        files_read=run.files.read,
        files_known=run.files.known,
    )
