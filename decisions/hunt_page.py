"""The page of a hunt's answer: what was found, most urgent first, and always what part of the logs was searched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from decisions.digest_page import integrity_blocks
from decisions.document import Block, Bullets, Code, Heading, Line, Page, Paragraph, Quote, Table
from decisions.evidence import utc
from decisions.hunt import Exporter, HuntCoverage, HuntFinding, HuntResult, Kind, who_exports

ROWS = 50
"""Rows of one table; how many more there are is said."""
_COUNTED: tuple[tuple[Kind, str, str], ...] = (
    ("export", "export", "exports"),
    ("download", "read of an exported object", "reads of exported objects"),
    ("rule", "record that a rule matches", "records that rules match"),
    ("correlation", "correlation", "correlations"),
)
_LEVELS = ("critical", "high", "medium", "low", "informational")


def hunt_page(result: HuntResult) -> Page:
    """What was found, and the coverage."""
    exports = [finding for finding in result.findings if finding.kind == "export"]
    downloads = [finding for finding in result.findings if finding.kind == "download"]
    ruled = [finding for finding in result.findings if finding.kind in {"rule", "correlation"}]
    return (
        Heading(1, headline(result)),
        *integrity_blocks(result.coverage.integrity),
        *_exports(exports, result.findings),
        *_table("Exported objects read", downloads),
        *_rules(ruled, result),
        *coverage_blocks(result.coverage),
    )


def headline(result: HuntResult) -> str:
    """The answer in one line."""
    kinds = Counter(finding.kind for finding in result.findings)
    found = [f"{count} {one if count == 1 else many}" for kind, one, many in _COUNTED if (count := kinds[kind])]
    if not result.coverage.files_searched:
        return "Nothing was searched"
    integrity = result.coverage.integrity
    if integrity and integrity.broken:
        said = (
            "the log files are NOT as they were delivered"
            if integrity.changed
            else "it is NOT known whether they were changed"
        )
        return f"{'Found ' + ', '.join(found) if found else 'Nothing found'}, and {said}"
    if not found:
        whole = result.coverage.complete
        return "Nothing found in what was searched" if whole else "Nothing found, and not everything was searched"
    return "Found " + ", ".join(found)


def who_page(result: HuntResult) -> Page:
    """The base line table: who exports, where to, how often."""
    rows = who_exports(result.findings)
    table = Table(
        ("count", "caller", "account", "API", "bucket", "outcomes", "first", "last"),
        tuple(_who(row) for row in rows[:ROWS]),
    )
    more = (Paragraph(f"{len(rows) - ROWS} more rows: --json has them."),) if len(rows) > ROWS else ()
    body: tuple[Block, ...] = (table, *more) if rows else (Paragraph("Nobody, as far as these logs tell."),)
    return (
        Heading(1, "Who exported"),
        *integrity_blocks(result.coverage.integrity),
        *body,
        *coverage_blocks(result.coverage),
    )


def coverage_blocks(coverage: HuntCoverage) -> tuple[Block, ...]:
    """What was searched; what was not stands out."""
    title = Heading(2, "What was searched")
    first, *others = coverage.sentences()
    problems = () if coverage.complete else (Quote("This answer does not cover everything: see the list."),)
    return title, Paragraph(first), *problems, *((Bullets(tuple(others)),) if others else ())


def refused_blocks(refused: Sequence[tuple[str, str]]) -> tuple[Block, ...]:
    """The rules (their file) that were not asked, each with the reason."""
    if not refused:
        return ()
    lines = tuple((Code(name), ": ", Code(why)) for name, why in refused[:ROWS])
    return Heading(2, "Rules that were not asked"), Bullets(lines), *_more(len(refused))


def _exports(exports: Sequence[HuntFinding], findings: Sequence[HuntFinding]) -> tuple[Block, ...]:
    if not exports:
        return ()
    around = Counter(
        (about, finding.kind)
        for finding in findings
        if finding.kind in {"activity", "download"}
        for about in finding.about
    )
    rows: list[tuple[Line, ...]] = []
    for finding in exports[:ROWS]:
        export = finding.export
        what = (export and (export.instance_id or export.image_id)) or "not told"
        where = (export and export.bucket) or "not told"
        rows.append(
            (
                utc(finding.time),
                export.outcome.value if export else "",
                finding.event_name,
                Code(what),
                Code(where),
                Code(finding.caller or "not told"),
                Code(finding.account or "not told"),
                str(around[finding.id, "activity"]),
                str(around[finding.id, "download"]),
                Code(finding.event_id),
            )
        )
    head = ("time", "outcome", "API", "source", "bucket", "caller", "account", "other calls", "reads", "event")
    return Heading(2, "Exports"), Table(head, tuple(rows)), *_more(len(exports))


def _table(title: str, findings: Sequence[HuntFinding]) -> tuple[Block, ...]:
    if not findings:
        return ()
    rows: tuple[tuple[Line, ...], ...] = tuple(
        (
            utc(finding.time),
            finding.event_name,
            Code(finding.caller or "not told"),
            Code(finding.source_address or "not told"),
            Code(finding.event_id),
        )
        for finding in findings[:ROWS]
    )
    return Heading(2, title), Table(("time", "call", "caller", "from", "event"), rows), *_more(len(findings))


def _rules(ruled: Sequence[HuntFinding], result: HuntResult) -> tuple[Block, ...]:
    found: list[Block] = []
    if ruled:
        groups: dict[tuple[int, str, str], list[HuntFinding]] = {}
        for finding in ruled:
            groups.setdefault((_LEVELS.index(finding.level), finding.title, finding.hunt), []).append(finding)
        rows: tuple[tuple[Line, ...], ...] = tuple(
            (_LEVELS[level], Code(title), str(len(some)), utc(some[0].time), utc(some[-1].time), Code(some[0].event_id))
            for (level, title, _), some in sorted(groups.items())
        )
        head = ("level", "rule", "events", "first", "last", "first event")
        found += [Heading(2, "Rules"), Table(head, rows[:ROWS]), *_more(len(rows))]
    return (*found, *refused_blocks(result.refused_rules))


def _more(count: int) -> tuple[Block, ...]:
    return (Paragraph(f"{count - ROWS} more: --json has them."),) if count > ROWS else ()


def _who(row: Exporter) -> tuple[Line, ...]:
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in row.outcomes.items())
    return (
        str(row.count),
        Code(row.caller),
        Code(row.account or "not told"),
        row.api,
        Code(row.bucket or "not told"),
        outcomes,
        utc(row.first),
        utc(row.last),
    )
