"""Post-incident: the playbook's phase. What was measured, what happened when, the report; then the case is closed. Steps: PLAYBOOK.md."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from decisions.case import REPORT_WRITTEN, fold
from decisions.evidence import Evidence, Frozen
from decisions.findings import Findings
from decisions.lessons import Reviewed
from decisions.metrics import Metrics, measure
from decisions.report import report_markdown
from decisions.review import WHAT
from decisions.review_json import review_json
from decisions.timeline import timeline
from flows.results import RESULTS
from flows.vm_export.investigation import look
from records import closing, evidence, ledger
from settings.organization import organization
from tasks import case_facts
from tasks.artifacts import publish_report, run_url
from tasks.elastic.place import kibana_place
from tasks.report.html import report_html


class Closure(Frozen):
    """How the response to a case ended."""

    case_id: str
    verdict: str | None
    metrics: Metrics
    report: str
    """Where the HTML report lies."""
    closed: bool
    joined: tuple[str, ...] = ()
    """Event ids of exports and reads that joined too late to be dealt with: the case stays open for them."""


@flow(name="post-incident", persist_result=True, result_serializer=RESULTS)
async def post_incident(case_id: str) -> Closure:
    """Look once more, measure, write the report, and close the case unless new exports joined it."""
    heard = fold(await asyncio.to_thread(ledger.entries, case_id)).downloads
    findings = await look(case_id)
    metrics = await measure_case(case_id, findings)
    html, markdown = await write_report(case_id, findings, metrics)
    await publish_report(case_id, markdown, html)
    return await close(case_id, findings, metrics, html, tuple(record.event_id for record in heard))


@task(name="metrics", tags=["step:post-incident.1a"], cache_policy=NO_CACHE, persist_result=False)
async def measure_case(case_id: str, findings: Findings) -> Metrics:
    """The four metrics from ledger and findings."""
    entries = await asyncio.to_thread(ledger.entries, case_id)
    readings = await asyncio.to_thread(case_facts.readings, findings)
    return measure(entries, findings, readings, organization(), datetime.now(UTC))


@task(name="report", tags=["step:post-incident.1b"], cache_policy=NO_CACHE, persist_result=False)
async def write_report(case_id: str, findings: Findings, metrics: Metrics) -> tuple[str, str]:
    """Write the report in its three forms; where the HTML lies, and the Markdown itself."""
    return await asyncio.to_thread(_write_report, case_id, findings, metrics, run_url())


def _write_report(case_id: str, findings: Findings, metrics: Metrics, url: str | None) -> tuple[str, str]:
    entries = ledger.entries(case_id)
    moments = timeline(entries, findings, organization())
    reviewed = Reviewed(entries, findings, metrics, moments, url, datetime.now(UTC), kibana_place())
    markdown = report_markdown(reviewed)
    html = _keep(case_id, report_html(reviewed), "text/html")
    kept = _keep(case_id, markdown, "text/markdown")
    _keep(case_id, json.dumps(review_json(reviewed), indent=1), "application/json")
    said = {
        "html": evidence.location(html),
        "markdown": evidence.location(kept),
        "metrics": metrics.figures(),
        "evidence": [html.id, kept.id],
    }
    ledger.append(case_id, REPORT_WRITTEN, "post-incident", said)
    return said["html"], markdown


def _keep(case_id: str, text: str, media_type: str) -> Evidence:
    return evidence.store(case_id, WHAT, "decisions/review.py", text.encode(), media_type)


@task(name="close case", cache_policy=NO_CACHE, persist_result=False)
async def close(case_id: str, findings: Findings, metrics: Metrics, html: str, heard: tuple[str, ...] = ()) -> Closure:
    """Close the case unless exports joined it that this response has not seen, or reads that it has not `heard` of."""
    case = fold(await asyncio.to_thread(ledger.entries, case_id))
    known = {*(e.event.event_id for e in findings.exports), *heard}
    said = {"verdict": case.verdict, "why": "The playbook was followed to its end; see the report."}
    joined = await asyncio.to_thread(closing.close, case_id, "post-incident", said, known)
    return Closure(
        case_id=case_id, verdict=case.verdict, metrics=metrics, report=html, closed=not joined, joined=joined
    )
