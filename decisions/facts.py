"""Facts about the world that only the investigation asks for, in the form in which they are kept as evidence."""

from __future__ import annotations

import re

from pydantic import AwareDatetime, Field

from decisions.activity import LogAnswer
from decisions.actor import Actor
from decisions.evidence import Frozen, Known, Unknown
from decisions.export import Outcome
from decisions.findings import ExportFacts
from decisions.organization import Organization
from decisions.related_alerts import RelatedAlerts
from decisions.resources import BucketState, Instance, PublicAccessBlock


class Image(Frozen):
    """An AMI (DescribeImages)."""

    image_id: str
    owner: str
    """Account id."""
    name: str | None = None
    description: str | None = None
    created_at: AwareDatetime | None = None
    public: bool
    source_instance_id: str | None = None
    """What EC2 says it was made from; None: it does not say (copies, registered and restored images)."""
    source_image_id: str | None = None
    snapshots: tuple[str, ...] = ()
    encrypted: bool = False
    """Whether any snapshot of it is encrypted: then only CreateStoreImageTask can export it."""
    tags: dict[str, str] = Field(default_factory=dict)


class DataEvents(Frozen):
    """Whether CloudTrail records reads of objects in a bucket."""

    bucket: str
    on: bool
    trails: tuple[str, ...] = ()
    """ARNs of the trails that select them and are logging."""
    since: AwareDatetime | None = None
    """Since when one of these trails has been logging without interruption; what it selects may have changed since."""
    partial: tuple[str, ...] = ()
    """Trails that select some objects of the bucket by rules that we do not read: a sentence each."""


class OrganizationAccount(Frozen):
    """A member account as AWS Organizations lists it."""

    id: str
    name: str
    status: str


class CaseFacts(Frozen):
    """What severity and verdict are judged from: everything known of a case's exports, with what we allow."""

    exports: tuple[ExportFacts, ...]
    buckets: dict[str, Known[BucketState] | Unknown]
    activity: Known[LogAnswer] | Unknown
    """Calls with the actors' keys; triage does not ask for them yet."""
    account_blocks: dict[str, Known[PublicAccessBlock] | Unknown] = Field(default_factory=dict)
    """Account -> its own public access block; triage does not ask for it."""
    alerts: Known[RelatedAlerts] | Unknown | None = None
    """Other alerts around the exports; None where nobody asks for them."""
    organization: Organization


def approved_exporter(actor: Actor, organization: Organization) -> bool | None:
    """Whether the caller is a user or role that may export; None when the record does not tell who called."""
    arn = actor.iam_arn or actor.principal_arn
    return None if arn is None else any(matches(pattern, arn) for pattern in organization.approved_exporters)


def matches(pattern: str, arn: str) -> bool:
    """Whether an ARN is the pattern's; `*` stands for any text, in the last part only."""
    wanted, given = pattern.split(":", 5), arn.split(":", 5)
    if len(wanted) != 6 or len(given) != 6 or wanted[:5] != given[:5]:
        return False
    return re.fullmatch(".*".join(map(re.escape, wanted[5].split("*"))), given[5]) is not None


def documented(export: ExportFacts, organization: Organization) -> bool:
    """Whether the description names a change ticket; EC2's own text counts where it answered."""
    told = export.task.value.description if isinstance(export.task, Known) else None
    text = told or export.event.description or ""
    return re.search(organization.change_ticket, text[:1000]) is not None


def left(export: ExportFacts) -> bool:
    """Whether AWS took the request, so that data may have left."""
    return export.event.outcome is Outcome.ACCEPTED or isinstance(export.task, Known)


def classification(instance: Instance, organization: Organization) -> str | None:
    """`sensitive`, `public` or `internal` as the instance's tags have it; None where no tag tells."""
    told = {instance.tags[k].strip().lower() for k in organization.sensitive_tag_keys if k in instance.tags}
    if told & set(organization.sensitive_tag_values):
        return "sensitive"
    if not told:
        return None
    return "public" if told <= set(organization.public_tag_values) else "internal"
