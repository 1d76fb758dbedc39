"""What people see of a case in the Prefect UI: card, plan, receipts and report, each as versions of one artifact."""

from __future__ import annotations

import asyncio
import hashlib
import re
from datetime import UTC, datetime

from prefect import task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

from decisions import report
from decisions.findings import Findings, Triaged
from decisions.plan import Plan
from decisions.receipt import Receipt
from records import ledger
from tasks import case_facts
from tasks.elastic.place import kibana_place

LONGEST_KEY = 200
LARGEST = 4_000_000
"""Characters; what is longer is cut, and says where all of it lies. Prefect took 5 MB."""


@task(name="case card", cache_policy=NO_CACHE, persist_result=False)
async def publish_card(facts: Triaged | Findings) -> None:
    """Show the case as triage or investigation knows it, and keep what they knew as evidence."""
    kept = await asyncio.to_thread(case_facts.keep, facts)
    entries = await asyncio.to_thread(ledger.entries, facts.case_id)
    card = report.case_card(entries, facts, run_url(), datetime.now(UTC), kibana_place())
    await _publish(facts.case_id, "card", card, f"Case card, drawn from {kept.id}")


@task(name="show plan", cache_policy=NO_CACHE, persist_result=False)
async def publish_plan(plan: Plan) -> None:
    """Show a plan beside the run that asks about it."""
    await _publish(plan.case_id, f"{plan.gate}-plan", report.plan_table(plan), f"{plan.gate}, plan {plan.hash[:12]}")


@task(name="show receipts", cache_policy=NO_CACHE, persist_result=False)
async def publish_receipts(case_id: str, gate: str, receipts: tuple[Receipt, ...], failed: tuple[str, ...]) -> None:
    """Show what was done, how it was verified, and what failed."""
    await _publish(case_id, f"{gate}-receipts", report.receipts_table(gate, receipts, failed), f"Receipts of {gate}")


@task(name="show report", cache_policy=NO_CACHE, persist_result=False)
async def publish_report(case_id: str, markdown: str, where: str) -> None:
    """Show the report; `where`: the place of the whole one."""
    await _publish(case_id, "report", markdown, f"Report; with charts in {where}")


async def publish_summary(hunt: str, markdown: str) -> None:
    """Show what a scheduled hunt found, beside the summaries of its earlier runs."""
    if len(markdown) > LARGEST:
        markdown = f"{markdown[:LARGEST]}\n\n**Cut here.** The cases and `vmexport inbox` have all of it.\n"
    await acreate_markdown_artifact(markdown=markdown, key=summary_key(hunt), description="Summary of the hunt")


def summary_key(hunt: str) -> str:
    """The key of a hunt's summaries; of two hunts over many accounts never the same."""
    key = artifact_key("retro-hunt", hunt)
    if len(key) <= LONGEST_KEY:
        return key
    return f"{key[: LONGEST_KEY - 9]}-{hashlib.sha256(hunt.encode()).hexdigest()[:8]}"


def run_url() -> str | None:
    """Address of the case's run in the Prefect UI; None outside of a run, or where no UI is configured."""
    return str(flow_run.ui_url) if flow_run.ui_url else None


def artifact_key(case_id: str, what: str) -> str:
    """A key that Prefect takes: lower-case letters, digits and dashes, each run of anything else one dash."""
    return re.sub(r"[^a-z0-9]+", "-", f"{case_id}-{what}".lower()).strip("-")


async def _publish(case_id: str, what: str, markdown: str, description: str) -> None:
    if len(markdown) > LARGEST:
        markdown = f"{markdown[:LARGEST]}\n\n**Cut here.** `vmexport report {case_id}` prints all of it.\n"
    await acreate_markdown_artifact(markdown=markdown, key=artifact_key(case_id, what), description=description)
