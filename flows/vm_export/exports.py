"""The playbook's facts of one export, read again where they come from: what the alert says is a hint, EC2 is the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from decisions.actor import attribute
from decisions.differences import differences
from decisions.evidence import Known, Unknown
from decisions.export import ExportApi, ExportEvent, ExportTask, Outcome
from decisions.findings import ExportFacts
from decisions.organization import Account, Organization
from decisions.parameters import normalise
from decisions.resources import BucketState, Instance
from flows.vm_export.collection import Collected, Collection
from tasks import ec2, s3
from tasks.logs import questions
from tasks.logs.interface import Scope

MAX_COPIES = 5
"""Images that are copies of copies are followed this far."""
IMAGE_AGE = timedelta(days=90)
"""How far back the making of an image is looked for."""
ALERT = "the alert"


async def export_facts(
    collection: Collection, event: ExportEvent, corrections: Mapping[str, tuple[str, ...]], ours: Organization
) -> ExportFacts:
    """The nine facts of an export, each known or unknown, with the evidence that they rest on.

    `corrections`: by event id, where the alert's body had said something else than the alert.
    """
    task = await _task(collection, event)
    truth = task.answer.value if isinstance(task.answer, Known) else None
    instance_id, instance = await _instance(collection, event, truth)
    key, key_is_prefix = _key(event, truth)
    return ExportFacts(
        event=event,
        task=task.answer,
        instance=instance.answer,
        instance_id=instance_id.answer,
        account=_account(event, ours),
        bucket=_told(truth.bucket if truth else event.bucket, "the bucket", truth),
        key=key,
        key_is_prefix=key_is_prefix,
        actor=attribute(event),
        differences=(*corrections.get(event.event_id, ()), *(differences(event, truth) if truth else ())),
        evidence=tuple(dict.fromkeys((*task.evidence, *instance_id.evidence, *instance.evidence))),
    )


async def bucket_states(
    collection: Collection, exports: Iterable[ExportFacts], ours: Organization
) -> dict[str, Collected[BucketState]]:
    """Each bucket of the exports as it is now."""
    known = [(e.bucket.value, e.event) for e in exports if isinstance(e.bucket, Known)]
    places = dict(sorted(known, key=lambda k: bool(k[1].recipient_account and k[1].region)))  # the last one counts
    found = await asyncio.gather(*(_bucket(collection, name, event, ours) for name, event in places.items()))
    return dict(zip(places, found, strict=True))


async def _bucket(collection: Collection, name: str, event: ExportEvent, ours: Organization) -> Collected[BucketState]:
    """The two export APIs write to the account of the task; a store task to any bucket that lets its caller."""
    own, region = event.recipient_account, event.region
    if not own or not region:
        return _unknown("The alert does not tell account and Region, so nobody can say whose bucket it is.")
    others = [a.id for a in ours.accounts if a.id != own] if event.api is ExportApi.STORE else []
    first = await collection.ask(f"bucket {name} in {own}", s3.bucket, own, region, name)
    for account in others if isinstance(first.answer, Unknown) else ():
        found = await collection.ask(f"bucket {name} in {account}", s3.bucket, account, region, name)
        if isinstance(found.answer, Known):
            return found
    return first


async def _task(collection: Collection, event: ExportEvent) -> Collected[ExportTask]:
    task_id = event.image_id if event.api is ExportApi.STORE else event.task_id
    if event.outcome is not Outcome.ACCEPTED:
        return _unknown(f"There is no task: the request was not accepted ({event.error_code or event.outcome}).")
    if not task_id or not event.recipient_account or not event.region:
        return _unknown("The alert does not tell which task it is: look for it with DescribeExportTasks.")
    where = f"{event.recipient_account}/{event.region}"
    return await collection.ask(
        f"export task {task_id} in {where}", ec2.export_task, event.recipient_account, event.region, event.api, task_id
    )


async def _instance(
    collection: Collection, event: ExportEvent, truth: ExportTask | None
) -> tuple[Collected[str], Collected[Instance]]:
    """The exported instance, or the one behind the exported image."""
    named = (truth.instance_id if truth else None) or event.instance_id
    image = (truth.image_id if truth else None) or event.image_id
    account, region = event.recipient_account, event.region
    if not account or not region:
        why = "The alert does not tell account and Region."
        return _unknown(why), _unknown(why)
    if named:
        source = "ec2" if truth and truth.instance_id else ALERT
        who = Collected[str](Known(value=named, source=source, asked_at=datetime.now(UTC)), ())
    elif image:
        who = await _behind(collection, image, event)
    else:
        who = _unknown("Neither an instance nor an image is named.")
    if isinstance(who.answer, Unknown):
        return who, Collected(who.answer, ())
    what = f"instance {who.answer.value} in {account}/{region}"
    return who, await collection.ask(what, ec2.instance, account, region, who.answer.value)


async def _behind(collection: Collection, image_id: str, event: ExportEvent) -> Collected[str]:
    """The instance that an image was made from: as EC2 says, else as CloudTrail does, through copies of copies."""
    account, region = str(event.recipient_account), str(event.region)
    evidence: list[str] = []
    for _ in range(MAX_COPIES):
        image = await collection.ask(f"image {image_id}", ec2.image, account, region, image_id)
        evidence += image.evidence
        found = image.answer.value if isinstance(image.answer, Known) else None
        if found and found.source_instance_id:
            told = Known(value=found.source_instance_id, source=image.answer.source, asked_at=image.answer.asked_at)
            return Collected(told, tuple(evidence))
        scope = Scope(
            accounts=(account,), regions=(region,), since=event.event_time - IMAGE_AGE, until=event.event_time
        )
        made = await collection.ask(f"origin of image {image_id}", questions.image_origin, image_id, scope)
        evidence += made.evidence
        asked = _asked(made)
        if instance_id := asked.get("instanceId"):
            told = Known(value=str(instance_id), source=made.answer.source, asked_at=made.answer.asked_at)
            return Collected(told, tuple(evidence))
        copied = (found.source_image_id if found else None) or asked.get("sourceImageId")
        if not isinstance(copied, str) or copied == image_id:
            break
        image_id = copied
    why = f"Neither EC2 nor CloudTrail tells which instance {image_id} was made from."
    return Collected(_unknown(why).answer, tuple(evidence))


def _asked(made: Collected[Any]) -> dict[str, Any]:
    """The parameters of the call that made an image; empty when it was not found."""
    records = made.answer.value.records if isinstance(made.answer, Known) else ()
    done = [r for r in records if r.error_code is None]
    return normalise(done[-1].request_parameters) if done else {}


def _account(event: ExportEvent, ours: Organization) -> Known[Account] | Unknown:
    account = ours.account(event.recipient_account or "")
    if account is None:
        named = event.recipient_account or "that the alert does not tell"
        return _unknown(f"Account {named} is not in organization.toml: add it with its sensitivity.").answer
    return Known(value=account, source="organization.toml", asked_at=datetime.now(UTC))


def _key(event: ExportEvent, truth: ExportTask | None) -> tuple[Known[str] | Unknown, bool]:
    """The object's exact key where EC2 told it, else what it begins with: the ending is EC2's choice."""
    exact = (truth.object_key if truth else None) or event.object_key
    if exact:
        return _told(exact, "the key", truth), False
    if truth and truth.prefix is not None:
        return _told(f"{truth.prefix}{truth.task_id}", "the key", truth), True
    return _told(event.key_prefix, "the key", None), True


def _told(value: str | None, what: str, truth: ExportTask | None) -> Known[str] | Unknown:
    if not value:
        return _unknown(f"Neither alert nor EC2 tells {what}.").answer
    return Known(value=value, source="ec2" if truth else ALERT, asked_at=datetime.now(UTC))


def _unknown(why: str) -> Collected[Any]:
    return Collected(Unknown(why=why, source=ALERT, asked_at=datetime.now(UTC)), ())
