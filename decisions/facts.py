"""Facts about the world that only the investigation asks for, in the form in which they are kept as evidence."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from decisions.evidence import Frozen


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
