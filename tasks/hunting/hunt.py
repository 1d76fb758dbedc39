"""The hunt for exports that no alert told of: every export, what else its keys did, and who read what was exported.

Two questions to a source of logs: the second looks for what the first found, around when it was found.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from decisions.cloudtrail import export_event
from decisions.export import ExportApi, ExportEvent
from decisions.exposure import DOWNLOADS
from decisions.hunt import HuntFinding, HuntResult, finding_of
from decisions.keepable import kept_record
from decisions.sigma import Loaded
from tasks.hunting.coverage import Period
from tasks.hunting.rule_findings import rule_findings
from tasks.hunting.source import EXPORTS, Followed, Found, Source, Window

HUNT = "vm-export"
BEFORE, AFTER = timedelta(days=1), timedelta(days=7)
"""How far around an export its keys and its object are followed."""
FOLLOWED = 2000
"""Keys and objects that are followed; more of them is a gap."""
END_OF_TIME = datetime(9998, 12, 31, tzinfo=UTC)
LEVELS = {"accepted": "high", "denied": "medium", "not-exportable": "medium", "dry-run": "medium", "failed": "medium"}


def hunt(
    source: Source,
    period: Period,
    loaded: Loaded | None = None,
    *,
    follow: bool = True,
    known: Sequence[HuntFinding] = (),
) -> HuntResult:
    """Exports in the logs of a source, and what belongs to them; with rules, what they match as well.

    `known`: exports from before the period, the newest first; who reads their objects within it is looked for as well.
    What the logs hold raises nothing: it is in the answer's coverage. Raises what the source raises when it cannot be asked.
    """
    gaps: list[str] = []
    first = source.first(loaded.rules if loaded else ())
    exports = export_findings(first)
    around = _around_exports(source, period, exports, gaps, known) if follow and (exports or known) else []
    ruled = rule_findings(loaded, first) if loaded else []
    findings = sorted([*exports, *around, *ruled], key=lambda finding: (finding.time, finding.id))
    return HuntResult(
        since=period.since,
        until=period.until,
        findings=tuple(findings),
        counts=dict(Counter(finding.kind for finding in findings)) | dict(source.counts()),
        refused_rules=((*loaded.refused, *source.unasked()) if loaded else ()),
        costly_rules=tuple(rule.title for rule in loaded.rules if rule.costly) if loaded else (),
        coverage=source.coverage(gaps),
    )


def export_findings(first: Iterable[Found]) -> list[HuntFinding]:
    """Every export once, whatever came of it."""
    found: dict[str, HuntFinding] = {}
    for one in (one for one in first if EXPORTS in one.searches):
        export = export_event(one.record)
        if export is None:
            continue
        title = f"Export by {export.api}: {export.outcome.value}"
        finding = finding_of(HUNT, "export", title, LEVELS[export.outcome.value], one.record)
        found.setdefault(finding.id, finding.model_copy(update={"export": export}))
    return list(found.values())


def followed_of(exports: Sequence[HuntFinding], gaps: list[str]) -> Followed:
    """Access keys, and the part of an object's key that is like no other, each with the exports that it belongs to."""
    by_key: dict[str, list[str]] = {}
    by_object: dict[str, list[str]] = {}
    for finding in exports:
        if finding.access_key_id:
            by_key.setdefault(finding.access_key_id, []).append(finding.id)
        if (name := finding.export and object_part(finding.export)) is not None:
            by_object.setdefault(name, []).append(finding.id)
    if len(by_key) + len(by_object) > FOLLOWED:
        gaps.append(f"Of {len(by_key) + len(by_object)} keys and objects only the first {FOLLOWED} were followed.")
        by_key = dict(list(by_key.items())[: FOLLOWED // 2])
        by_object = dict(list(by_object.items())[: FOLLOWED - len(by_key)])
    return Followed(by_key, by_object, tuple(dict.fromkeys(one for finding in exports for one in _windows(finding))))


def object_part(export: ExportEvent) -> str | None:
    """What only this export's object has in its key: the task's id, or the image's name as a stored image."""
    if export.api is ExportApi.STORE:
        return f"{export.image_id}.bin" if export.image_id else None
    return export.task_id


def around_findings(second: Iterable[Found], followed: Followed, known: Iterable[str] = ()) -> list[HuntFinding]:
    """What belongs to exports, each event once; `known`: ids of events that are findings already."""
    seen = set(known)
    found: dict[str, HuntFinding] = {}
    for one in second:
        if one.record.event_id not in seen:
            finding = _around(one, followed)
            found.setdefault(finding.id, finding)
    return list(found.values())


def _windows(finding: HuntFinding) -> Iterable[Window]:
    export, since, until = finding.export, finding.time - BEFORE, finding.time + AFTER
    for account in {export.recipient_account, export.caller_account} if export else {None}:
        yield Window(account or None, since, until)


def _with_known(followed: Followed, known: Sequence[HuntFinding], period: Period, gaps: list[str]) -> Followed:
    """What is followed, with the objects of exports from before, each for the whole period."""
    objects = {name: list(ids) for name, ids in followed.objects.items()}
    windows = dict.fromkeys(followed.windows)
    room = FOLLOWED - len(followed.keys) - len(objects)
    named = {finding.id: name for finding in known if finding.export and (name := object_part(finding.export))}
    fresh = [finding for finding in known if named.get(finding.id) not in {None, *objects}]
    for finding in fresh[:room]:
        objects.setdefault(named[finding.id], []).append(finding.id)
        since = max(period.since or finding.time, finding.time)
        for window in _windows(finding):
            windows[Window(window.account, since, period.until or END_OF_TIME)] = None
    if len(fresh) > room:
        gaps.append(f"Of {len(fresh)} earlier exports only the newest {room} were looked for among reads.")
    return Followed(followed.keys, objects, tuple(windows))


def _around_exports(
    source: Source, period: Period, exports: Sequence[HuntFinding], gaps: list[str], known: Sequence[HuntFinding]
) -> list[HuntFinding]:
    """What the same keys did, and who read or touched the exported objects."""
    followed = _with_known(followed_of(exports, gaps), known, period, gaps)
    if not (followed.keys or followed.objects):
        return []
    # A source may give whole days or files: what counts is the same for all.
    second = [
        one
        for one in source.second(followed)
        if period.holds(one.record.time) and any(window.holds(one.record) for window in followed.windows)
    ]
    return around_findings(second, followed, (finding.event_id for finding in exports))


def _around(one: Found, followed: Followed) -> HuntFinding:
    record = one.record
    objects = [ids for name, ids in followed.objects.items() if name in one.text]
    keys = [ids for key, ids in followed.keys.items() if json.dumps(key, ensure_ascii=False) in one.text]
    about = tuple(dict.fromkeys(one for ids in (*objects, *keys) for one in ids))
    if objects and record.event_name in DOWNLOADS and record.error_code is None:
        finding = finding_of(HUNT, "download", f"Exported object read by {record.event_name}", "high", record)
        finding = finding.model_copy(update={"record": kept_record(record)})
    elif objects:
        finding = finding_of(HUNT, "object", f"Exported object named in {record.event_name}", "informational", record)
    else:
        by = f"{record.event_name} by the exporter's key"
        title = by if record.access_key_id in followed.keys else f"The exporter's key named in {record.event_name}"
        finding = finding_of(HUNT, "activity", title, "informational", record)
    return finding.model_copy(update={"about": about})


def day(text: str, now: datetime) -> datetime:
    """A moment from `400d`, `2026-03-01` or ISO 8601. Raises ValueError."""
    if text.endswith("d") and text[:-1].isdigit() and len(text) < 8:
        return now - timedelta(days=int(text[:-1]))
    parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
