"""Investigation: the playbook's phase. Machine, export, bucket, actor, and whether the image was taken. Steps: PLAYBOOK.md."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from decisions.activity import LogAnswer
from decisions.case import VERDICT, Case, fold
from decisions.evidence import Known, Unknown
from decisions.export import ExportEvent
from decisions.facts import CaseFacts
from decisions.findings import ExportFacts, Findings
from decisions.investigation import conclude
from decisions.organization import Organization
from decisions.related_alerts import RelatedAlerts, Shared
from decisions.severity import assess
from decisions.statements import ALERTS, AUTHENTICATION, EXPORTS, KEYS, PERMISSIONS, PRINCIPALS, Investigated
from flows.results import RESULTS
from flows.vm_export.actors import accounts, around, other_exports, walk
from flows.vm_export.collection import Collected, Collection
from flows.vm_export.exports import bucket_states, export_facts
from flows.vm_export.objects import object_versions, reads_of
from flows.vm_export.rules import SEVERITY_RULES
from flows.vm_export.triage import record_assessment
from records import ledger
from settings.elastic import elasticsearch
from settings.organization import organization
from tasks import ec2, iam, organizations, s3
from tasks.artifacts import publish_card
from tasks.elastic.related import related_alerts
from tasks.logs import questions

ACTIVITY = timedelta(hours=24)
CHANGES = timedelta(days=7)
BASELINE = timedelta(days=30)
"""How far back earlier exports are looked for."""


@flow(name="investigation", persist_result=True, result_serializer=RESULTS)
async def investigate(case_id: str) -> Findings:
    """Look at everything, conclude, and keep severity and verdict in the ledger."""
    findings = await look(case_id)
    await record_assessment(case_id, "investigation", findings.assessment)
    await record_verdict(case_id, findings.verdict, findings.verdict_reasons, findings.missing)
    await publish_card(findings)
    return findings


@task(name="verdict", tags=["step:investigation.4"], cache_policy=NO_CACHE, persist_result=False)
async def record_verdict(case_id: str, verdict: str, reasons: tuple[str, ...], missing: tuple[str, ...]) -> None:
    """Keep the verdict in the ledger; the newest counts."""
    said = {"verdict": str(verdict), "reasons": list(reasons), "missing": list(missing)}
    await asyncio.to_thread(ledger.append, case_id, VERDICT, "investigation", said)


async def look(case_id: str) -> Findings:
    """Everything about the case as it is now; nothing is written but evidence."""
    ours = organization()
    case = fold(await asyncio.to_thread(ledger.entries, case_id))
    return await Look(await Collection.open(case_id), ours, case, datetime.now(UTC)).findings()


class Look:
    """One look at the world; each question once, independent ones at the same time."""

    def __init__(self, collection: Collection, ours: Organization, case: Case, now: datetime) -> None:
        self._collection, self._ours, self._told, self._now = collection, ours, case.exports, now
        self._corrections, self._heard = case.corrections, case.downloads
        self._evidence: dict[str, tuple[str, ...]] = {}

    async def findings(self) -> Findings:
        """Collect, then conclude."""
        exports, requests, elsewhere = await self._exports()
        buckets = await bucket_states(self._collection, exports, self._ours)
        for name, collected in buckets.items():
            self._evidence[f"bucket {name}"] = collected.evidence
        states = {name: c.answer for name, c in buckets.items()}
        activity, alerts, principals, scps, blocks, tasks, listed, objects, reads = await asyncio.gather(
            self._activity(exports),
            self._alerts(exports, states),
            self._principals(exports),
            self._scps(exports),
            self._blocks(states),
            self._tasks(exports),
            self._ask("accounts of the organization", organizations.accounts, self._ours.management_account),
            object_versions(self._collection, exports, states),
            reads_of(self._collection, exports, states, self._ours, self._now, self._heard),
        )
        self._evidence |= objects.evidence | reads.evidence
        case = Investigated(
            case_id=self._collection.case_id,
            exports=exports,
            told=frozenset(e.event_id for e in self._told),
            elsewhere=elsewhere,
            buckets=states,
            account_blocks=blocks,
            objects=objects.answers,
            principals=principals,
            scps=scps,
            activity={EXPORTS: requests, **activity},
            reads=reads.answers,
            read_gaps=reads.gaps,
            tasks=tasks,
            alerts=alerts,
            accounts=listed,
            evidence=self._evidence,
            organization=self._ours,
            as_of=self._now,
        )
        facts = CaseFacts(
            exports=exports,
            buckets=states,
            activity=activity[KEYS],
            account_blocks=blocks,
            alerts=alerts,
            organization=self._ours,
        )
        return conclude(case, assess(facts, SEVERITY_RULES))

    async def _ask(self, question: str, read: Any, *args: Any) -> Any:
        """The answer; its evidence is kept under the question."""
        collected: Collected[Any] = await self._collection.ask(question, read, *args)
        self._evidence[question] = collected.evidence
        return collected.answer

    async def _exports(self) -> tuple[tuple[ExportFacts, ...], Known[LogAnswer] | Unknown, dict[str, str]]:
        """The exports that alerts told of and those found in the logs, with their actors' chains."""
        scope = around(self._told, BASELINE, ACTIVITY, self._now, self._ours)
        requests: Known[LogAnswer] | Unknown = await self._ask(EXPORTS, questions.exports, scope)
        records = requests.value.records if isinstance(requests, Known) else ()
        others = await other_exports(self._told, records, self._ours)
        events = (*self._told, *others.new)
        return tuple(await asyncio.gather(*map(self._export, events))), requests, others.elsewhere

    async def _export(self, event: ExportEvent) -> ExportFacts:
        facts = await export_facts(self._collection, event, self._corrections, self._ours)
        walked = await walk(self._collection, event, facts.actor, self._ours)
        self._evidence[f"chain {event.access_key_id}"] = walked.evidence
        return facts.model_copy(update={"actor": walked.actor})

    async def _activity(self, exports: tuple[ExportFacts, ...]) -> dict[str, Known[LogAnswer] | Unknown]:
        events = [e.event for e in exports]
        hops = [h for e in exports for h in (e.actor, *e.actor.chain)]
        keys = tuple(dict.fromkeys(h.access_key_id for h in hops if h.access_key_id))
        names = tuple(dict.fromkeys(h.iam_arn for h in hops if h.iam_arn))
        people = tuple(dict.fromkeys(n for h in hops for n in (h.principal_arn, h.person) if n))
        near = around(events, ACTIVITY, ACTIVITY, self._now, self._ours)
        lately = around(events, CHANGES, ACTIVITY, self._now, self._ours)
        asked = {
            KEYS: self._ask(KEYS, questions.activity, keys, near) if keys else _nobody("No access key is known."),
            PRINCIPALS: self._ask(PRINCIPALS, questions.by_principal, names, near)
            if names
            else _nobody("No user or role is known."),
            AUTHENTICATION: self._ask(AUTHENTICATION, questions.authentication, people, near)
            if people
            else _nobody("No user or session is known."),
            PERMISSIONS: self._ask(PERMISSIONS, questions.permission_changes, lately),
        }
        return dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))

    async def _alerts(
        self, exports: tuple[ExportFacts, ...], buckets: dict[str, Any]
    ) -> Known[RelatedAlerts] | Unknown | None:
        """Other alerts about the same actors and buckets; None without an Elasticsearch."""
        if not elasticsearch().configured:
            return None
        events = [e.event for e in exports]
        hops = [h for e in exports for h in (e.actor, *e.actor.chain)]
        shared = Shared(
            accounts=accounts(events, self._ours),
            access_keys=tuple(dict.fromkeys(h.access_key_id for h in hops if h.access_key_id)),
            principal_arns=tuple(dict.fromkeys(h.principal_arn for h in hops if h.principal_arn)),
            principal_ids=tuple(dict.fromkeys(e.principal_id for e in events if e.principal_id)),
            buckets=tuple(buckets),
        )
        near = around(events, ACTIVITY, ACTIVITY, self._now, self._ours)
        own = tuple(dict.fromkeys(e.alert_id for e in events if e.alert_id))
        return await self._ask(ALERTS, related_alerts, shared, near.since, near.until, own)

    async def _principals(self, exports: tuple[ExportFacts, ...]) -> dict[str, Any]:
        hops = [h for e in exports for h in (e.actor, *e.actor.chain)]
        arns = dict.fromkeys(h.iam_arn for h in hops if h.iam_arn and self._ours.owns(h.iam_arn.split(":")[4]))
        return dict(
            zip(arns, await asyncio.gather(*(self._ask(f"principal {a}", iam.principal, a) for a in arns)), strict=True)
        )

    async def _scps(self, exports: tuple[ExportFacts, ...]) -> dict[str, Any]:
        touched = accounts((e.event for e in exports), self._ours)
        management = self._ours.management_account
        asked = (self._ask(f"SCPs over {a}", organizations.service_control_policies, management, a) for a in touched)
        return dict(zip(touched, await asyncio.gather(*asked), strict=True))

    async def _blocks(self, buckets: dict[str, Any]) -> dict[str, Any]:
        owners = {b.value.account: b.value.region for b in buckets.values() if isinstance(b, Known)}
        asked = (
            self._ask(f"public access block of account {a}", s3.account_public_access_block, a, region)
            for a, region in owners.items()
        )
        return dict(zip(owners, await asyncio.gather(*asked), strict=True))

    async def _tasks(self, exports: tuple[ExportFacts, ...]) -> dict[str, Any]:
        """Every export task that EC2 knows where the case's exports were made."""
        places = dict.fromkeys((e.event.recipient_account, e.event.region) for e in exports)
        known = [(a, r) for a, r in places if a and r and self._ours.owns(a)]
        kinds = (ec2.instance_exports, ec2.image_exports, ec2.stored_images)
        asked = {f"{k.name} in {a}/{r}": self._ask(f"{k.name} in {a}/{r}", k, a, r) for a, r in known for k in kinds}
        return dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))


async def _nobody(why: str) -> Unknown:
    return Unknown(why=f"{why} Its calls cannot be looked for.", source="logs", asked_at=datetime.now(UTC))
