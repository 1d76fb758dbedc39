"""One run of a scheduled hunt: what it asks, where it begins, and what it leaves for the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.dataclasses import dataclass as checked

from decisions.case import fold
from decisions.export import ExportEvent, Outcome
from decisions.hunt import HuntFinding, HuntResult, finding_of_export
from decisions.hunt_summary import Became, Difference, Remembered, difference, remembered
from flows.hunt_files import TakenFiles
from records import hunts, known_exports, ledger
from records.database import transaction
from records.hunt_files import first_day_read
from records.hunt_intake import seen
from records.hunts import Run
from settings.home import ROOT
from settings.hunts import Account, HuntSource, HuntsUnusable, Region, days
from tasks.hunting.coverage import LATE, Period
from tasks.hunting.hunt import HUNT, day
from tasks.hunting.layout import CLOUDTRAIL

NAME = "retro-hunt"
CASED = ("export", "download")
"""Kinds of findings that belong to a case."""
REMEMBERED, WHOLE_UNTIL = "remembered", "whole_until"
"""What a run says of itself: what the next is compared with, and until when everything was looked at without a hole."""


@checked(frozen=True)
class Scope:
    """Accounts and Regions; empty is all."""

    accounts: tuple[Account, ...] = ()
    regions: tuple[Region, ...] = ()

    @classmethod
    def of(cls, accounts: Sequence[str], regions: Sequence[str]) -> Scope:
        """The parameters of a run. Raises HuntsUnusable: what is misspelt would be an account in which nothing is found."""
        try:
            return cls(tuple(dict.fromkeys(accounts)), tuple(dict.fromkeys(regions)))
        except ValidationError as error:
            wrong = ", ".join(repr(one["input"])[:80] for one in error.errors())
            raise HuntsUnusable(
                f"no account or no Region: {wrong}. Write accounts as 12 digits and Regions as in us-east-1"
            ) from error

    def holds(self, export: ExportEvent) -> bool:
        """Whether an export belongs to it; what does not tell its place does."""
        account = export.recipient_account or export.caller_account
        return (not self.accounts or account is None or account in self.accounts) and (
            not self.regions or export.region is None or export.region in self.regions
        )


@dataclass(frozen=True)
class Asked:
    """The parameters of a run."""

    place: HuntSource
    scope: Scope
    window: str | None = None
    since: str | None = None
    until: str | None = None
    rules: str | None = None

    @property
    def target(self) -> str:
        """What two runs that ask the same have in common: one of them at a time, and each compared with the one before."""
        scope = (",".join(sorted(names)) for names in (self.scope.accounts, self.scope.regions) if names)
        return " ".join((self.place.name, *scope, *([f"window {self.window}"] if self.window else [])))

    @property
    def rules_folder(self) -> Path | None:
        """Where the rules lie, absolute; None: exports only."""
        return ROOT / self.rules if self.rules else self.place.rules_folder

    def period(self, now: datetime, last: Run | None) -> Period:
        """From when to when. Raises HuntsUnusable for what is no time."""
        try:
            until = day(self.until, now) if self.until else now
            if self.since:
                since = day(self.since, now)
            elif self.window:
                since = until - days(self.window)
            else:
                whole = last.counts.get(WHOLE_UNTIL) if last else None
                since = datetime.fromisoformat(whole) - self.place.overlap if whole else now - self.place.first
        except (ValueError, OverflowError) as error:
            raise HuntsUnusable(f"since, until or window is no time ({error}): write 30d or 2026-03-01") from error
        if since >= until:
            raise HuntsUnusable("the run would begin after it ends: correct since, until or window")
        return Period(since, until)


class HuntRun:
    """The run under way. Not a model: Prefect would copy and look through all that was found."""

    def __init__(self, asked: Asked, period: Period, kept: Run, last: Run | None) -> None:
        self.asked, self.period, self.id, self.last, self._kept = asked, period, kept.id, last, kept
        self.until = period.until or kept.started_at
        self.result: HuntResult = HuntResult.model_construct(findings=())
        self.became: list[Became] = []
        self.files = TakenFiles()

    @classmethod
    def begin(cls, asked: Asked, now: datetime) -> tuple[HuntRun, Run | None]:
        """The run, and the one that was killed before it; whoever calls holds the target's lock, so no other is alive."""
        killed = hunts.last_run(NAME, asked.target, "running")
        if killed:
            with transaction() as connection:
                hunts.end_run(connection, killed.id, "failed", "it was killed, and the next run went on")
        last = hunts.last_run(NAME, asked.target, "done")
        period = asked.period(now, last)
        return cls(asked, period, hunts.begin_run(NAME, asked.target, period.since, period.until), last), killed

    def widen(self, now: datetime) -> None:
        """Look back as far as files reach that came in only now: a trail delivers late, and an account may be new here.

        Who named the time himself gets that.
        """
        if self.asked.since or self.asked.window or self.period.since is None:
            return
        day_read, undated = first_day_read(self.files.store_id, self._kept.started_at)
        since = self.period.since
        if undated:
            since = min(since, now - self.asked.place.first)
        elif day_read:
            # A file holds what happened before its day as well, seldom much before.
            since = min(since, datetime.fromisoformat(day_read).replace(tzinfo=UTC) - LATE[CLOUDTRAIL])
        self.period = Period(since, self.period.until)

    def known_exports(self) -> tuple[HuntFinding, ...]:
        """Accepted exports of earlier hunts and of cases, the newest first: whose objects may be read at any time later."""
        with transaction() as connection:
            found = {kept.finding.event_id: kept.finding for kept in hunts.findings(connection, HUNT, ("export",))}
        told = {event.event_id: finding_of_export(HUNT, event) for event in known_exports.exports_told()}
        both = (told | found).values()
        accepted = [one for one in both if one.export and one.export.outcome is Outcome.ACCEPTED]
        return tuple(sorted(accepted, key=lambda one: one.time, reverse=True))

    def exports(self) -> list[ExportEvent]:
        """Every export that any hunt found within the scope, for the chart."""
        with transaction() as connection:
            kept = hunts.findings(connection, HUNT, ("export",))
        exports = (one.finding.export for one in kept)
        return [export for export in exports if export and self.asked.scope.holds(export)]

    def known(self) -> list[Became]:
        """Exports and reads that were found again: that a case has them, and how it stands now, or why none has."""
        handed = {one.finding.id for one in self.became}
        again = {finding.id for finding in self.result.alarming} - handed
        with transaction() as connection:
            kept = [one for one in hunts.findings(connection, kinds=CASED) if one.finding.id in again]
        said = {case: seen(fold(ledger.entries(case))) for case in {one.case_id for one in kept} if case}
        return [
            Became(
                finding=one.finding, what="known", case_id=one.case_id, said=said.get(one.case_id or "", one.why or "")
            )
            for one in kept
        ]

    def difference(self) -> Difference | None:
        """Against the last whole run that asked the same; None where there is none."""
        before = self.last.counts.get(REMEMBERED) if self.last else None
        return difference(Remembered.model_validate(before) if before else None, self.result)

    def done(self) -> None:
        """Keep what the next run needs."""
        said: dict[str, Any] = dict(self.result.counts)
        said |= {REMEMBERED: remembered(self.result).model_dump(mode="json"), WHOLE_UNTIL: self._whole_until()}
        with transaction() as connection:
            hunts.tell_run(connection, self.id, said)
            hunts.end_run(connection, self.id, "done")

    def failed(self, why: str) -> None:
        """The next run begins where the last whole one ended."""
        with transaction() as connection:
            hunts.end_run(connection, self.id, "failed", why)

    @property
    def whole(self) -> bool:
        """Whether nothing is left that the next run must ask for again; files that a store lacks it takes in whenever they come."""
        coverage = self.result.coverage
        files = () if self.asked.place.store else (*coverage.quarantined, *coverage.damaged)
        return not (coverage.unreached or files)

    def _whole_until(self) -> str | None:
        """A run over some other time moves nothing: between it and the last one there may be a hole."""
        before = self.last.counts.get(WHOLE_UNTIL) if self.last else None
        if not self.whole:
            return before
        whole = datetime.fromisoformat(before) if before else self._kept.started_at - self.asked.place.first
        joins = self.period.since is None or self.period.since <= whole
        return max(whole, self.until).isoformat() if joins else before
