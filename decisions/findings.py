"""What triage and investigation know of a case: the facts, what follows from them, and what could not be asked."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime

from decisions.activity import LogAnswer
from decisions.actor import Actor
from decisions.evidence import Frozen, Known, Unknown
from decisions.export import ExportEvent, ExportTask
from decisions.exposure import ObjectRead
from decisions.organization import Account
from decisions.receipt import Receipt
from decisions.related_alerts import RelatedAlerts
from decisions.resources import BucketState, Instance, ObjectVersion, PrincipalState, ServiceControlPolicies


class Verdict(StrEnum):
    """What the export was."""

    EXPECTED = "expected"
    SUSPICIOUS = "suspicious"
    MALICIOUS = "malicious"
    UNDETERMINED = "undetermined"


class Severity(StrEnum):
    """The playbook's three levels."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Assessment(Frozen):
    """How bad it is and why."""

    level: Severity
    held: tuple[str, ...]
    """Rule ids that held, highest level first."""
    reasons: tuple[str, ...]
    """A sentence for each rule that held."""
    undecided: tuple[str, ...]
    """Rule ids that could not be decided for want of a fact, each with the fact's `why`: `high.public-bucket: …`."""
    would_change: tuple[str, ...]
    """What to find out to change the level."""


class ExportFacts(Frozen):
    """One export with the playbook's nine triage facts."""

    event: ExportEvent
    task: Known[ExportTask] | Unknown
    """As EC2 describes it now; the truth where it differs from the alert."""
    instance: Known[Instance] | Unknown
    """The instance itself, or the one behind the image."""
    instance_id: Known[str] | Unknown
    account: Known[Account] | Unknown
    bucket: Known[str] | Unknown
    """From the task, else from the alert."""
    key: Known[str] | Unknown
    """Exact object key, or the prefix that the key starts with (see `key_is_prefix`)."""
    key_is_prefix: bool
    actor: Actor
    differences: tuple[str, ...] = ()
    """Where alert and EC2 disagree; EC2 wins."""
    evidence: tuple[str, ...] = ()


class Triaged(Frozen):
    """What the case card shows."""

    case_id: str
    exports: tuple[ExportFacts, ...]
    buckets: dict[str, Known[BucketState] | Unknown]
    """Read in triage because severity asks who can read the bucket."""
    assessment: Assessment
    as_of: AwareDatetime


class Finding(Frozen):
    """One statement with what it rests on."""

    statement: str
    confidence: Literal["high", "medium", "low"]
    evidence: tuple[str, ...]
    concern: bool = False
    """Whether it speaks for a hostile export."""


class Findings(Frozen):
    """Everything that plans are made from."""

    case_id: str
    exports: tuple[ExportFacts, ...]
    buckets: dict[str, Known[BucketState] | Unknown]
    objects: dict[str, Known[tuple[ObjectVersion, ...]] | Unknown]
    """Bucket -> versions of this case's export objects."""
    principals: dict[str, Known[PrincipalState] | Unknown]
    """ARN -> user or role of every hop of the actor's chain within our accounts."""
    scps: dict[str, Known[ServiceControlPolicies] | Unknown]
    activity: dict[str, Known[LogAnswer] | Unknown]
    """Question (`access key AKIA…`, `permission changes`, `previous exports`, …) -> records."""
    reads: dict[str, Known[tuple[ObjectRead, ...]] | Unknown]
    """`bucket/key` -> reads of the export object."""
    alerts: Known[RelatedAlerts] | Unknown | None = None
    """Other alerts around the exports; None where there is no Elasticsearch to ask."""
    statements: tuple[Finding, ...]
    assessment: Assessment
    verdict: Verdict
    verdict_reasons: tuple[str, ...]
    missing: tuple[str, ...]
    """A sentence for every fact that could not be had."""
    receipts: tuple[Receipt, ...] = ()
    """What was already done in this case and verified: the copy that a deletion needs stands here."""
    as_of: AwareDatetime
