"""Triage: the playbook's phase. What was exported, where to, by whom; how bad it is and why. Steps: PLAYBOOK.md."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from decisions.case import ASSESSED
from decisions.evidence import Unknown
from decisions.facts import CaseFacts
from decisions.findings import Assessment, Triaged
from decisions.severity import assess
from flows.results import RESULTS
from flows.vm_export.alerts import read_alerts_again
from flows.vm_export.collection import Collection
from flows.vm_export.exports import bucket_states, export_facts
from flows.vm_export.rules import SEVERITY_RULES
from records import ledger
from settings.organization import organization
from tasks.artifacts import publish_card

NOT_YET = "The actor's activity is read in the investigation."


@flow(name="triage", persist_result=True, result_serializer=RESULTS)
async def triage(case_id: str) -> Triaged:
    """Read the truth of each export again, and judge it by what is known within seconds."""
    ours = organization()
    collection = await Collection.open(case_id)
    case = await read_alerts_again(collection)
    exports = tuple(
        await asyncio.gather(*(export_facts(collection, event, case.corrections, ours) for event in case.exports))
    )
    buckets = {name: c.answer for name, c in (await bucket_states(collection, exports, ours)).items()}
    now = datetime.now(UTC)
    facts = CaseFacts(
        exports=exports,
        buckets=buckets,
        activity=Unknown(why=NOT_YET, source="logs", asked_at=now),
        organization=ours,
    )
    assessment = assess(facts, SEVERITY_RULES)
    await record_assessment(case_id, "triage", assessment)
    triaged = Triaged(case_id=case_id, exports=exports, buckets=buckets, assessment=assessment, as_of=now)
    await publish_card(triaged)
    return triaged


@task(name="severity", tags=["step:triage.4"], cache_policy=NO_CACHE, persist_result=False)
async def record_assessment(case_id: str, phase: str, assessment: Assessment) -> None:
    """Keep the severity in the ledger; the newest counts."""
    await asyncio.to_thread(ledger.append, case_id, ASSESSED, phase, {"assessment": assessment.model_dump(mode="json")})
