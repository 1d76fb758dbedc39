"""What the facts of a case say, as sentences that cite evidence: about machine, export, bucket, actor and their calls.

A concern of high confidence is one that no honest export has. `decisions/investigation.py` makes the verdict of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Literal

from pydantic import AwareDatetime, Field

from decisions.access import is_public, outsiders, strangers
from decisions.activity import LogAnswer, LogRecord
from decisions.evidence import Frozen, Known, Unknown, utc
from decisions.export import ExportTask
from decisions.exposure import ObjectRead
from decisions.facts import OrganizationAccount, approved_exporter, classification, documented, left
from decisions.findings import ExportFacts, Finding
from decisions.organization import Organization
from decisions.related_alerts import RelatedAlerts
from decisions.resources import (
    BucketState,
    Instance,
    ObjectVersion,
    PrincipalState,
    PublicAccessBlock,
    ServiceControlPolicies,
)

KEYS = "access keys"
PRINCIPALS = "principals"
PERMISSIONS = "permission changes"
EXPORTS = "previous exports"
AUTHENTICATION = "authentication"
ALERTS = "related alerts"
YOUNG = timedelta(days=7)
"""A bucket that is younger than this was perhaps made for the export."""
SHOWN = 5

Confidence = Literal["high", "medium", "low"]


class Investigated(Frozen):
    """Everything that was collected for a case, before anything is concluded from it."""

    case_id: str
    exports: tuple[ExportFacts, ...]
    told: frozenset[str]
    """Event ids of the exports that an alert told of; the others were found."""
    elsewhere: dict[str, str] = Field(default_factory=dict)
    """Event id of an export by the same actor -> the other case that has it."""
    buckets: dict[str, Known[BucketState] | Unknown]
    account_blocks: dict[str, Known[PublicAccessBlock] | Unknown] = Field(default_factory=dict)
    objects: dict[str, Known[tuple[ObjectVersion, ...]] | Unknown] = Field(default_factory=dict)
    principals: dict[str, Known[PrincipalState] | Unknown] = Field(default_factory=dict)
    scps: dict[str, Known[ServiceControlPolicies] | Unknown] = Field(default_factory=dict)
    activity: dict[str, Known[LogAnswer] | Unknown] = Field(default_factory=dict)
    reads: dict[str, Known[tuple[ObjectRead, ...]] | Unknown] = Field(default_factory=dict)
    read_gaps: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """`bucket/key` -> why reads of it may have been made that are not among `reads`; empty: none."""
    tasks: dict[str, Known[tuple[ExportTask, ...]] | Unknown] = Field(default_factory=dict)
    """Every export task that EC2 knows in the accounts and Regions of the case, by question."""
    alerts: Known[RelatedAlerts] | Unknown | None = None
    """Other alerts around the exports; None where there is no Elasticsearch to ask."""
    accounts: Known[tuple[OrganizationAccount, ...]] | Unknown
    evidence: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Question -> ids of the evidence that answers it."""
    organization: Organization
    as_of: AwareDatetime

    def records(self, question: str) -> tuple[LogRecord, ...]:
        """The records that answer a question, without those of our own responders; none when it has no answer."""
        answer = self.activity.get(question)
        records = answer.value.records if isinstance(answer, Known) else ()
        return tuple(r for r in records if not self.responder(r))

    def responder(self, record: LogRecord) -> bool:
        """Whether a call is our own."""
        role = (record.issuer_arn or "").rpartition("/")[2]
        return bool(role) and role in self.organization.responder_roles

    @property
    def keys(self) -> frozenset[str]:
        """Every access key in the chains behind the exports."""
        hops = (h for e in self.exports for h in (e.actor, *e.actor.chain))
        return frozenset(h.access_key_id for h in hops if h.access_key_id)

    @property
    def sessions(self) -> frozenset[str]:
        """ARNs of every user and session in the chains."""
        hops = (h for e in self.exports for h in (e.actor, *e.actor.chain))
        return frozenset(h.principal_arn for h in hops if h.principal_arn)

    def by_actor(self, record: LogRecord) -> bool:
        """Whether one of the actors made a call."""
        return record.access_key_id in self.keys or record.principal_arn in self.sessions


def say(statement: str, evidence: Sequence[str], confidence: Confidence = "high", concern: bool = False) -> Finding:
    """One finding; evidence ids once each."""
    cited = tuple(dict.fromkeys(evidence))
    return Finding(statement=statement, confidence=confidence, evidence=cited, concern=concern)


def about_machines(case: Investigated) -> Iterator[Finding]:
    """What was exported, whose it is, how sensitive, and which secrets may be in it."""
    for export in case.exports:
        if not isinstance(export.instance, Known):
            continue
        machine = export.instance.value
        yield say(_described(machine, case.organization), export.evidence)
        if machine.profile_arn:
            yield say(
                f"{machine.instance_id} works as {machine.profile_arn}. Treat what its disk holds (keys, passwords, "
                "certificates) as known to whoever has the image.",
                export.evidence,
                "medium",
            )


def _described(machine: Instance, ours: Organization) -> str:
    def tag(keys: Sequence[str]) -> str:
        return next((machine.tags[k][:200] for k in keys if k in machine.tags), "not told")

    data = classification(machine, ours) or "not classified"
    encrypted = f"{len(machine.encrypted_volumes)} of {len(machine.volumes)} volumes encrypted"
    return (
        f"{machine.instance_id} ({machine.state}, {encrypted}) has the purpose {tag(ours.purpose_tag_keys)!a}, owner "
        f"{tag(ours.owner_tag_keys)!a}, Slack {tag(ours.slack_tag_keys)!a}; its data is {data}."
    )


def about_exports(case: Investigated) -> Iterator[Finding]:
    """The exports themselves: state, format, what alert and EC2 disagree on, whether they are documented."""
    for export in case.exports:
        event, who = export.event, export.actor.principal_arn or export.actor.principal_id or "an unnamed caller"
        what = event.task_id or event.image_id or event.instance_id or event.event_id
        how = " ".join(filter(None, (event.disk_format, event.container_format, event.target_environment)))
        state = f"EC2 says {export.task.value.state}" if isinstance(export.task, Known) else "its task is not known"
        yield say(
            f"{who} called {event.api} at {utc(event.event_time)} for {what} ({how or 'no format told'}): "
            f"{event.outcome}; {state}.",
            export.evidence,
        )
        for difference in export.differences:
            yield say(difference, export.evidence, "medium", concern=True)
        if not left(export):
            refused = f"{event.api} was asked for and not made ({event.error_code or event.outcome}): an attempt."
            yield say(refused, export.evidence, "medium", concern=True)
        if event.event_id not in case.told:
            where = case.evidence.get(EXPORTS, ())
            yield say(f"No alert told of {what}: it was found in the logs.", where, "medium", concern=True)
        if not documented(export, case.organization):
            yield say(f"No change ticket stands in the description of {what}.", export.evidence, "low", concern=True)


def about_buckets(case: Investigated) -> Iterator[Finding]:
    """Who may read where the image lies."""
    for name, answer in case.buckets.items():
        cited = case.evidence.get(f"bucket {name}", ())
        if name not in case.organization.approved_buckets:
            yield say(f"{name} is not a bucket that exports are approved for.", cited, "low", concern=True)
        if isinstance(answer, Known):
            yield from _about_bucket(case, answer.value, cited)


def _about_bucket(case: Investigated, bucket: BucketState, cited: tuple[str, ...]) -> Iterator[Finding]:
    name = bucket.bucket
    account = case.account_blocks.get(bucket.account)
    walled = isinstance(account, Known) and account.value.restrict_public_buckets and account.value.ignore_public_acls
    yield say(
        f"{name} belongs to account {bucket.account} ({bucket.region}); ownership {bucket.ownership or 'not set'}, "
        f"versioning {bucket.versioning or 'never set'}, access logs {bucket.logging_target or 'off'}.",
        cited,
    )
    if is_public(bucket) and not walled:
        yield say(f"Anybody can read {name}.", cited, "medium", concern=True)
    if named := outsiders(bucket, case.organization):
        yield say(f"{name} lets outsiders in: {_some(named)}.", cited, "medium", concern=True)
    if ids := strangers(bucket):
        yield say(
            f"{name} has grants for canonical ids other than its owner's (AWS's export service has one in each "
            f"Region): {_some([i[:12] + '…' for i in ids])}.",
            cited,
            "low",
        )
    if bucket.replication:
        yield say(f"{name} is replicated: a second copy lies elsewhere.", cited, "medium", concern=True)
    first = min((e.event.event_time for e in case.exports), default=None)
    new = bucket.created_at is not None and first is not None and first - YOUNG <= bucket.created_at
    if bucket.created_at and new and name not in case.organization.approved_buckets:
        yield say(f"{name} was made at {utc(bucket.created_at)}, shortly before.", cited, "low", concern=True)


def about_actors(case: Investigated) -> Iterator[Finding]:
    """Who made the exports, through which credentials, and whether they may."""
    for actor in {e.actor.access_key_id or e.actor.principal_arn: e.actor for e in case.exports}.values():
        evidence = tuple(i for e in case.exports if e.actor == actor for i in e.evidence)
        cited = (*case.evidence.get(f"chain {actor.access_key_id}", ()), *evidence)
        chain = actor.chain or (actor,)
        names = [h.principal_arn or h.principal_id or h.access_key_id or "not told" for h in chain]
        person = f"; the person is {actor.person!a} ({actor.person_from})" if actor.person else ""
        yield say(f"Credentials, from the caller back: {' <- '.join(names)}{person}.", cited, "medium")
        yield from _about_end(actor.chain[-1].end if actor.chain else None, actor.chain, cited)
        if approved_exporter(actor, case.organization) is False:
            yield say(f"{names[0]} is not an approved exporter.", cited, "medium", concern=True)
        if actor.account and not case.organization.owns(actor.account):
            yield say(f"{names[0]} belongs to account {actor.account}: not ours.", cited, "high", concern=True)


def _about_end(end: str | None, chain: Sequence[object], cited: Sequence[str]) -> Iterator[Finding]:
    if end == "root":
        yield say("The credentials are a root user's: nobody works with those.", cited, "medium", concern=True)
    elif end == "other-account":
        yield say("The credentials began in another account.", cited, "medium", concern=True)
    elif end == "unresolved":
        why = getattr(chain[-1], "why", None) or "a record is missing"
        yield say(f"Where the credentials began is not known: {why}", cited, "low")


def _some(values: Sequence[str]) -> str:
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return ", ".join(values[:SHOWN]) + more
