"""The hunt for exports that no alert told of: every export, what else its keys did, and who read what was exported.

Two passes over the files. The second looks for what the first found, in the files of the accounts and days that it concerns.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from decisions.activity import LogRecord
from decisions.cloudtrail import export_event, parse_record
from decisions.export import ExportApi, ExportEvent
from decisions.exposure import DOWNLOADS
from decisions.hunt import HuntFinding, HuntResult, finding_of
from decisions.sigma import Loaded
from tasks.hunting import pool, searches
from tasks.hunting.batch import Batch
from tasks.hunting.coverage import LATE, Covered, Period
from tasks.hunting.layout import ACCESS, CLOUDTRAIL, Listing, LogFile, listing
from tasks.hunting.patterns import Search
from tasks.hunting.rule_findings import rule_findings
from tasks.hunting.scanner import TIRED, Hit
from tasks.logs.access_logs import NotALine, parse_line, to_record
from tasks.logs.text import parse

HUNT = "vm-export"
EXPORTS, KEYS, OBJECTS = "exports", "keys", "objects"
BEFORE, AFTER = timedelta(days=1), timedelta(days=7)
"""How far around an export its keys and its object are followed."""
FOLLOWED = 2000
"""Keys and objects that are followed; more of them is a gap."""
LEVELS = {"accepted": "high", "denied": "medium", "not-exportable": "medium", "dry-run": "medium", "failed": "medium"}

Progress = Callable[[str, int, int, int, int], None]
"""Pass, files done, files in all, bytes done, bytes in all (as packed)."""


@dataclass
class _Hunt:
    """A hunt under way."""

    root: Path
    period: Period
    max_bytes: int
    workers: int | None
    progress: Progress
    covered: Covered = field(default_factory=Covered)
    gaps: list[str] = field(default_factory=list)

    def scan(self, name: str, files: Sequence[LogFile], looked_for: Sequence[Search]) -> list[Batch]:
        """One pass; progress is told batch by batch."""
        since, until = self.period.bounds
        what = pool.Pass(tuple(looked_for), self.max_bytes, since, until)
        total, done, size, batches = sum(file.size for file in files), 0, 0, []
        self.progress(name, 0, len(files), 0, total)
        for batch in pool.scan(files, what, self.workers):
            done, size = done + batch.files, size + batch.packed_bytes
            self.progress(name, done, len(files), size, total)
            batches.append(batch)
        for search, count in sum((batch.left_out for batch in batches), Counter()).items():
            self.gaps.append(f"{count} hit(s) of {search} were counted and not kept: there are too many.")
        for search, count in sum((batch.tired for batch in batches), Counter()).items():
            self.gaps.append(
                f"{TIRED} or more records of each of {count} file(s) answer {search}: it was not asked of their others."
            )
        return batches

    def place(self, hit: Hit) -> str:
        """The file as the finding names it."""
        path = Path(hit.path)
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else hit.path


def hunt(
    root: Path,
    period: Period,
    loaded: Loaded | None,
    max_bytes: int,
    workers: int | None = None,
    progress: Progress = lambda *_: None,
    follow: bool = True,
) -> HuntResult:
    """Exports in the logs below a folder, and what belongs to them; with rules, what they match as well.

    Raises nothing for what is in the files: that is in the answer's coverage.
    """
    running = _Hunt(root, period, max_bytes, workers, progress)
    found = listing(root)
    files = [file for file in found.files if period.delivers(file)]
    rules = searches.rules(loaded.rules) if loaded else []
    first = running.scan("exports", files, [searches.exports(EXPORTS), *rules])
    for batch in first:
        running.covered.add(batch)
    exports = _exports(running, first)
    around = _followed(running, exports, files) if follow and exports else []
    ruled = rule_findings(loaded, first, running.place) if loaded else []
    findings = sorted([*exports, *around, *ruled], key=lambda finding: (finding.time, finding.id))
    return _result(running, found, files, findings, loaded)


def _result(
    running: _Hunt, found: Listing, files: list[LogFile], findings: list[HuntFinding], loaded: Loaded | None
) -> HuntResult:
    counts = dict(Counter(finding.kind for finding in findings))
    by_rule = {name: count for name, count in running.covered.batches.counts.items() if name != EXPORTS}
    services = [rule for rule in loaded.rules if rule.service != "cloudtrail"] if loaded else []
    unasked = tuple((rule.source, "rules about access logs are not asked of files") for rule in services)
    return HuntResult(
        since=running.period.since,
        until=running.period.until,
        findings=tuple(findings),
        counts=counts | by_rule,
        refused_rules=((*loaded.refused, *unasked) if loaded else ()),
        costly_rules=tuple(rule.title for rule in loaded.rules if rule.costly) if loaded else (),
        coverage=running.covered.coverage(found, files, running.period, running.gaps),
    )


def _exports(running: _Hunt, batches: Iterable[Batch]) -> list[HuntFinding]:
    """Every export once, whatever came of it."""
    found: dict[str, HuntFinding] = {}
    for hit in (hit for batch in batches for hit in batch.hits if EXPORTS in hit.searches):
        record = _record(running, hit)
        export = export_event(record) if record else None
        if record is None or export is None:
            continue
        title = f"Export by {export.api}: {export.outcome.value}"
        finding = finding_of(HUNT, "export", title, LEVELS[export.outcome.value], record).model_copy(
            update={"export": export}
        )
        found.setdefault(finding.id, finding)
    return list(found.values())


def _followed(running: _Hunt, exports: Sequence[HuntFinding], files: Sequence[LogFile]) -> list[HuntFinding]:
    """What the same keys did, and who read or touched the exported objects."""
    by_key, by_object = _about(exports)
    if len(by_key) + len(by_object) > FOLLOWED:
        running.gaps.append(
            f"Of {len(by_key) + len(by_object)} keys and objects only the first {FOLLOWED} were followed."
        )
        by_key = dict(list(by_key.items())[: FOLLOWED // 2])
        by_object = dict(list(by_object.items())[: FOLLOWED - len(by_key)])
    looked_for = [searches.keys(KEYS, by_key)] if by_key else []
    looked_for += [searches.objects(OBJECTS, by_object)] if by_object else []
    if not looked_for:
        return []
    batches = running.scan("activity", pruned(files, exports), looked_for)
    for batch in batches:
        running.covered.batches.unread += [lost for lost in batch.unread if lost not in running.covered.batches.unread]
    known = {finding.event_id for finding in exports}
    found: dict[str, HuntFinding] = {}
    for hit in (hit for batch in batches for hit in batch.hits):
        record = _record(running, hit)
        if record is None or record.event_id in known or not _near(running.period, record):
            continue
        finding = _around(record, hit, by_key, by_object)
        found.setdefault(finding.id, finding)
    return list(found.values())


def _about(exports: Sequence[HuntFinding]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Access keys, and the part of an object's key that is like no other, each with the exports that it belongs to."""
    by_key: dict[str, list[str]] = {}
    by_object: dict[str, list[str]] = {}
    for finding in exports:
        if finding.access_key_id:
            by_key.setdefault(finding.access_key_id, []).append(finding.id)
        if (name := finding.export and object_part(finding.export)) is not None:
            by_object.setdefault(name, []).append(finding.id)
    return by_key, by_object


def object_part(export: ExportEvent) -> str | None:
    """What only this export's object has in its key: the task's id, or the image's name as a stored image."""
    if export.api is ExportApi.STORE:
        return f"{export.image_id}.bin" if export.image_id else None
    return export.task_id


def pruned(files: Sequence[LogFile], exports: Sequence[HuntFinding]) -> list[LogFile]:
    """The files of the accounts and days that exports concern, and those of which nothing tells."""
    windows: dict[str, list[tuple[str, str]]] = {}
    for finding in exports:
        export = finding.export
        begin = (finding.time - BEFORE).date().isoformat()
        end = {kind: (finding.time + AFTER + late).date().isoformat() for kind, late in LATE.items()}
        for account in {export.recipient_account, export.caller_account} if export else set():
            windows.setdefault(account or "", []).append((begin, end[CLOUDTRAIL]))
        windows.setdefault(ACCESS, []).append((begin, end[ACCESS]))
    everywhere = "" in windows  # an export that does not tell its account
    anywhere = [window for found in windows.values() for window in found]
    kept: list[LogFile] = []
    for file in files:
        place = ACCESS if file.kind == ACCESS else file.account
        days = anywhere if everywhere and file.kind != ACCESS else windows.get(place, [])
        if not file.day or (not file.account and file.kind != ACCESS) or any(a <= file.day <= b for a, b in days):
            kept.append(file)
    return kept


def _around(record: LogRecord, hit: Hit, by_key: dict[str, list[str]], by_object: dict[str, list[str]]) -> HuntFinding:
    text = hit.raw.decode("utf-8", "replace")
    objects = [ids for name, ids in by_object.items() if name in text]
    keys = [ids for key, ids in by_key.items() if f'"{key}"' in text]
    about = tuple(dict.fromkeys(one for ids in (*objects, *keys) for one in ids))
    if objects and record.event_name in DOWNLOADS and record.error_code is None:
        finding = finding_of(HUNT, "download", f"Exported object read by {record.event_name}", "high", record)
    elif objects:
        finding = finding_of(HUNT, "object", f"Exported object named in {record.event_name}", "informational", record)
    else:
        by = f"{record.event_name} by the exporter's key"
        title = by if record.access_key_id in by_key else f"The exporter's key named in {record.event_name}"
        finding = finding_of(HUNT, "activity", title, "informational", record)
    return finding.model_copy(update={"about": about})


def _record(running: _Hunt, hit: Hit) -> LogRecord | None:
    """The record that a hit is; what cannot be one is said."""
    try:
        if hit.kind == ACCESS:
            return to_record(parse_line(hit.raw.decode("utf-8", "replace")), running.place(hit))
        raw: Any = parse(hit.raw)
        return parse_record(raw, running.place(hit))
    except (NotALine, ValueError, TypeError, AttributeError, json.JSONDecodeError) as error:
        running.gaps.append(f"A record of {running.place(hit)} that answers cannot be read: {str(error)[:200]}.")
        return None


def _near(period: Period, record: LogRecord) -> bool:
    since, until = period.since, period.until
    return (since is None or record.time >= since) and (until is None or record.time <= until)


def day(text: str, now: datetime) -> datetime:
    """A moment from `400d`, `2026-03-01` or ISO 8601. Raises ValueError."""
    if text.endswith("d") and text[:-1].isdigit() and len(text) < 8:
        return now - timedelta(days=int(text[:-1]))
    parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
