"""What a scheduled hunt tells: what is new and what became of it, what differs from the run before, what was searched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from pydantic import AwareDatetime

from decisions.document import Block, Bullets, Chart, Code, Heading, Line, Page, Paragraph, Quote, Table
from decisions.evidence import Frozen, utc
from decisions.export import ExportEvent
from decisions.hunt import HuntFinding, HuntResult, exporter
from decisions.hunt_page import ROWS, coverage_blocks, headline, refused_blocks

KEPT = 5000
"""Findings of a run that the next one is compared with; of a run with more no difference is told."""
CHART = "exports over time"
SAID = 20


class Became(Frozen):
    """A finding, and what became of it."""

    finding: HuntFinding
    what: str
    case_id: str | None
    said: str


class Remembered(Frozen):
    """What a run leaves for the next one to be compared with."""

    found: dict[str, AwareDatetime] | None
    """Findings that somebody is told of: id -> time of the event. None: there were too many."""
    complete: bool
    files_searched: int
    not_whole: int
    """Files that could not be searched, or only in part."""
    gaps: tuple[str, ...] = ()
    """The first of them."""


class Difference(Frozen):
    """This run against the one before, over the time that both looked at."""

    new: int
    same: int
    gone: tuple[str, ...]
    """Ids that the last run found in this period, and this one did not."""
    worse: tuple[str, ...] = ()
    """A sentence for everything in which less was searched than last time."""


def remembered(result: HuntResult) -> Remembered:
    """What the next run needs of this one."""
    coverage = result.coverage
    found = {finding.id: finding.time for finding in result.alarming}
    return Remembered(
        found=found if len(found) <= KEPT else None,
        complete=coverage.complete,
        files_searched=coverage.files_searched,
        not_whole=len(coverage.quarantined) + len(coverage.damaged),
        gaps=(*coverage.unreached, *coverage.gaps)[:SAID],
    )


def difference(before: Remembered | None, result: HuntResult) -> Difference | None:
    """None where there is no run before, or one of them found too much to be compared."""
    now = remembered(result)
    if before is None or before.found is None or now.found is None:
        return None
    ids = set(before.found)
    return Difference(
        new=len(now.found.keys() - ids),
        same=len(now.found.keys() & ids),
        gone=tuple(sorted(i for i, time in before.found.items() if i not in now.found and _within(result, time))),
        worse=tuple(_worse(before, now)),
    )


def summary_page(
    name: str,
    result: HuntResult,
    became: Sequence[Became],
    change: Difference | None,
) -> Page:
    """The whole summary; the chart stands where its caption does."""
    news = [one for one in became if one.what != "known"]
    return (
        Heading(1, f"{name}: {headline(result)}"),
        Paragraph(f"Looked for what happened {period_words(result.since, result.until)}."),
        *_changes(change),
        *_news(news),
        *_seen([one for one in became if one.what == "known"]),
        Chart(CHART, "Exports by day, by who asked for them and what came of it"),
        *refused_blocks(result.refused_rules),
        *coverage_blocks(result.coverage),
    )


def _within(result: HuntResult, time: datetime) -> bool:
    return (result.since is None or time >= result.since) and (result.until is None or time <= result.until)


def _worse(before: Remembered, now: Remembered) -> list[str]:
    told: list[str] = []
    if before.complete and not now.complete:
        told.append("Last time everything was searched, this time not.")
    if now.not_whole > before.not_whole:
        told.append(f"{now.not_whole} files could not be searched wholly; last time it was {before.not_whole}.")
    told += [f"Not so last time: {gap}" for gap in now.gaps if gap not in before.gaps]
    if before.files_searched and not now.files_searched:
        told.append("Nothing was searched, and last time there was something.")
    return told


def period_words(since: datetime | None, until: datetime | None) -> str:
    """From when to when, as it stands behind `what happened`."""
    began = f"since {utc(since)}" if since else "ever"
    return f"{began}, until {utc(until)}" if until else began


def _changes(change: Difference | None) -> tuple[Block, ...]:
    title = Heading(2, "Since the last run")
    if change is None:
        return title, Paragraph("There is no earlier run to compare with, or one of the two found too much.")
    told: list[Line] = [f"{change.new} new, {change.same} found again, {len(change.gone)} gone."]
    if change.gone:
        lost: list[Line] = [("Found last time, and not now: ", Code(name)) for name in change.gone[:SAID]]
        told += [
            *lost,
            "What is gone was in logs that are not there any more, or were not read: look at what was searched.",
        ]
    worse = (Quote("Less was searched than last time."), Bullets(change.worse)) if change.worse else ()
    return title, Bullets(tuple(told)), *worse


def _news(news: Sequence[Became]) -> tuple[Block, ...]:
    title = Heading(2, "New findings")
    if not news:
        return title, Paragraph("None in what was searched.")
    ordered = sorted(news, key=lambda one: (_ORDER.get(one.what, 0), one.finding.time))
    head = ("time", "what", "by", "account", "Region", "where", "became", "event")
    rows = tuple(_row(one) for one in ordered[:ROWS])
    more = (
        (Paragraph(f"{len(news) - ROWS} more: `vmexport inbox` and the cases have them."),) if len(news) > ROWS else ()
    )
    return title, Table(head, rows), *more


_ORDER = {"reopened": 0, "opened": 1, "joined": 2, "told": 3, "noted": 4}


def _row(one: Became) -> tuple[Line, ...]:
    finding = one.finding
    where = finding.export.bucket if finding.export else finding.source_address
    return (
        utc(finding.time),
        Code(finding.title),
        Code(finding.caller or "not told"),
        Code(finding.account or "not told"),
        Code(finding.region or "not told"),
        Code(where or "not told"),
        Code(one.said),
        Code(finding.event_id),
    )


def _seen(known: Sequence[Became]) -> tuple[Block, ...]:
    if not known:
        return ()
    kinds = Counter(one.said for one in known)
    told = [f"{said} ({count})" if count > 1 else said for said, count in kinds.most_common(SAID)]
    more = [f"and {len(kinds) - SAID} more"] if len(kinds) > SAID else []
    return Heading(2, "Known already"), Bullets((*told, *more))


def exports_by_day(exports: Sequence[ExportEvent], actors: int = 6) -> list[dict[str, str | int]]:
    """Rows of the chart: day, actor, outcome, count; beyond the busiest `actors` it is the others."""
    named = Counter(exporter(export) for export in exports)
    shown = {name for name, _ in named.most_common(actors)}
    days = Counter(
        (
            f"{export.event_time:%Y-%m-%d}",
            name if (name := exporter(export)) in shown else "others",
            export.outcome.value,
        )
        for export in exports
    )
    return [{"day": d, "actor": a, "outcome": o, "count": n} for (d, a, o), n in sorted(days.items())]
