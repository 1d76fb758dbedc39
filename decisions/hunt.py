"""What a hunt over past logs answers: what was found, and what part of the logs the answer covers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Literal

from pydantic import AwareDatetime, Field

from decisions.activity import LogRecord
from decisions.digest_verdict import Integrity
from decisions.evidence import Frozen, utc
from decisions.export import ExportEvent

VERSION = 1
"""Of the hunt for exports: another version finds under other ids."""
NAMED = 20
"""Files and gaps that a sentence names; how many more there are is said."""

Kind = Literal["export", "activity", "object", "download", "rule", "correlation"]
TOLD: frozenset[Kind] = frozenset({"export", "download", "rule", "correlation"})
"""Kinds of findings that somebody is told of; the others are noted."""


class FileProblem(Frozen):
    """A file that could not be searched, or not wholly, and why."""

    path: str
    why: str


class HuntCoverage(Frozen):
    """How much of the logs was searched. Nothing in here is a finding, and no finding is known beyond it."""

    unit: str = "files"
    """What the next three count, in the plural: files, parts of a store, days of documents."""
    files_found: int = 0
    files_searched: int = 0
    files_outside: int = 0
    """Files of other days than the period's, which were not opened."""
    packed_bytes: int = 0
    raw_bytes: int = 0
    events: int = 0
    """Of large files as dense as their beginning: exact within a few percent."""
    first: AwareDatetime | None = None
    last: AwareDatetime | None = None
    accounts: tuple[str, ...] | None = None
    """Accounts of which CloudTrail was searched; None: what was searched does not tell all of them."""
    skipped: dict[str, int] = Field(default_factory=dict)
    """Files that are no logs of calls (digests, Insights), by what they are."""
    quarantined: tuple[FileProblem, ...] = ()
    """Nothing of them could be searched."""
    damaged: tuple[FileProblem, ...] = ()
    """Searched as far as they could be read."""
    unreached: tuple[str, ...] = ()
    """One sentence for each part of the source that did not answer: asked again it may."""
    gaps: tuple[str, ...] = ()
    """One sentence for each thing that a trail should have delivered and that is not there, or was left out."""
    notes: tuple[str, ...] = ()
    integrity: Integrity | None = None
    """Whether the files are as CloudTrail delivered them; None: that was not asked."""

    @property
    def complete(self) -> bool:
        """Whether everything that was found was searched wholly, nothing is missing between, and nothing was changed."""
        intact = self.integrity is None or self.integrity.complete
        return intact and not (self.quarantined or self.damaged or self.unreached or self.gaps)

    def sentences(self) -> tuple[str, ...]:
        """The coverage in words, the count first, then each kind of hole."""
        period = f", {utc(self.first)} to {utc(self.last)}" if self.first and self.last else ""
        size = f"{size_words(self.raw_bytes)} ({size_words(self.packed_bytes)} packed), about "
        if self.unit != "files" and not self.raw_bytes:  # a store or an engine counts rows, and may not tell bytes
            size = f"{size_words(self.packed_bytes)}, " if self.packed_bytes else ""
        told = [
            f"Searched {self.files_searched:,} of {self.files_found:,} {self.unit}: {size}{self.events:,} events{period}."
        ]
        if self.files_outside:
            told.append(f"{self.files_outside:,} {self.unit} are of other days and were not opened.")
        if self.skipped:
            told.append("Not searched: " + ", ".join(f"{n:,} {what}" for what, n in sorted(self.skipped.items())) + ".")
        told += named("could NOT be searched", [f"{file.path}: {file.why}" for file in self.quarantined])
        told += named("could be searched only in part", [f"{file.path}: {file.why}" for file in self.damaged])
        told += self.unreached
        told += self.gaps[:NAMED]
        if len(self.gaps) > NAMED:
            told.append(f"{len(self.gaps) - NAMED:,} more gaps: --json names them.")
        if self.integrity:
            told.append(self.integrity.headline())
        return (*told, *self.notes)


class HuntFinding(Frozen):
    """One event that a hunt is about. The id is the same in every run and from every engine."""

    id: str
    hunt: str
    """`vm-export`, or the id of a rule."""
    kind: Kind
    title: str
    level: str
    event_id: str
    time: AwareDatetime
    event_name: str
    account: str | None = None
    region: str | None = None
    caller: str | None = None
    access_key_id: str | None = None
    source_address: str | None = None
    error_code: str | None = None
    origin: str
    """The file that it was read from."""
    about: tuple[str, ...] = ()
    """Ids of the export findings to which it belongs; of the hits that a correlation is about."""
    export: ExportEvent | None = None
    record: LogRecord | None = None
    """Of a download: who read is judged from all that the log tells."""


class Exporter(Frozen):
    """Who exports: one row of the base line."""

    caller: str
    account: str | None
    api: str
    bucket: str | None
    count: int
    outcomes: dict[str, int]
    first: AwareDatetime
    last: AwareDatetime


class HuntResult(Frozen):
    """The answer of one hunt."""

    since: AwareDatetime | None
    until: AwareDatetime | None
    findings: tuple[HuntFinding, ...]
    counts: dict[str, int]
    """Findings by kind; of rules the records that match, by rule, kept or not."""
    refused_rules: tuple[tuple[str, str], ...] = ()
    costly_rules: tuple[str, ...] = ()
    coverage: HuntCoverage

    @property
    def alarming(self) -> tuple[HuntFinding, ...]:
        """What makes the answer one that somebody must look at."""
        return tuple(f for f in self.findings if f.kind in TOLD)


def finding_id(hunt: str, event_id: str) -> str:
    """The id of a finding: hunt, version, event."""
    return f"{hunt}:{VERSION}:{event_id}"


def event_of(finding: str) -> str:
    """The event's id in a finding's."""
    return finding.split(":", 2)[2]


def finding_of(hunt: str, kind: Kind, title: str, level: str, record: LogRecord) -> HuntFinding:
    """The finding that a record is."""
    return HuntFinding(
        id=finding_id(hunt, record.event_id),
        hunt=hunt,
        kind=kind,
        title=title,
        level=level,
        event_id=record.event_id,
        time=record.time,
        event_name=record.event_name,
        account=record.recipient_account or record.caller_account,
        region=record.region,
        caller=record.caller,
        access_key_id=record.access_key_id,
        source_address=record.source_address,
        error_code=record.error_code,
        origin=record.origin,
    )


def finding_of_export(hunt: str, export: ExportEvent) -> HuntFinding:
    """The finding that an export is which somebody else told of: an alert, a person."""
    return HuntFinding(
        id=finding_id(hunt, export.event_id),
        hunt=hunt,
        kind="export",
        title=f"Export by {export.api}: {export.outcome.value}",
        level="high",
        event_id=export.event_id,
        time=export.event_time,
        event_name=export.api,
        account=export.recipient_account or export.caller_account,
        region=export.region,
        access_key_id=export.access_key_id,
        origin="case",
        export=export,
    )


def exporter(export: ExportEvent) -> str:
    """Who asked for an export: the role, as a session's name changes from time to time."""
    return export.issuer_arn or export.principal_arn or export.principal_id or "not told"


def who_exports(findings: Iterable[HuntFinding]) -> tuple[Exporter, ...]:
    """The base line: by caller, account, API and bucket, the most frequent first."""
    groups: dict[tuple[str, str | None, str, str | None], list[ExportEvent]] = {}
    for finding in findings:
        if finding.export is not None:
            export = finding.export
            who = (exporter(export), export.recipient_account, export.api, export.bucket)
            groups.setdefault(who, []).append(export)
    rows = [
        Exporter(
            caller=caller,
            account=account,
            api=api,
            bucket=bucket,
            count=len(found),
            outcomes=dict(Counter(export.outcome.value for export in found)),
            first=min(export.event_time for export in found),
            last=max(export.event_time for export in found),
        )
        for (caller, account, api, bucket), found in groups.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.count, row.caller, row.bucket or "")))


def day_gaps(days: dict[tuple[str, str], set[date]], what: str = "file") -> tuple[str, ...]:
    """A sentence for each run of days without a file (an event) between days with some, by account and Region."""
    told: list[str] = []
    for (account, region), there in sorted(days.items()):
        ordered = sorted(there)
        for before, after in pairwise(ordered):
            missing = (after - before).days - 1
            if missing > 0:
                first, last = before + timedelta(days=1), after - timedelta(days=1)
                which = f"{first}" if missing == 1 else f"{first} to {last} ({missing} days)"
                told.append(
                    f"No CloudTrail {what} of account {account} in {region} for {which}, though there are {what}s before and after."
                )
    return tuple(told)


def size_words(size: int) -> str:
    """Bytes in a unit that people read."""
    amount, units = float(size), ("B", "KB", "MB", "GB", "TB")
    for unit in units[:-1]:
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} {units[-1]}"


def named(what: str, names: Sequence[str], unit: str = " file(s)") -> list[str]:
    """How many there are, the first of them, and how many more; nothing where there are none."""
    if not names:
        return []
    more = [f"  and {len(names) - NAMED:,} more: --json names them."] if len(names) > NAMED else []
    return [f"{len(names):,}{unit} {what}:", *(f"  {name}" for name in names[:NAMED]), *more]
