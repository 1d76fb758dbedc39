"""What CloudTrail says about itself: which trails record reads of a bucket's objects; and its own 90 days of events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from decisions.facts import DataEvents
from tasks.actions.base import Clients
from tasks.reading import permissions, read

READS = ("ReadOnly", "All")


@read(
    step="triage.5c",
    source="cloudtrail:DescribeTrails, GetEventSelectors, GetTrailStatus",
    permissions=(
        "cloudtrail:DescribeTrails",
        "cloudtrail:GetEventSelectors",
        "cloudtrail:GetTrailStatus",
        "cloudtrail:LookupEvents",  # asked by tasks/logs/lookup.py
        "cloudtrail:ListPublicKeys",  # asked by tasks/hunting/digest_keys.py
    ),
)
def data_events(aws: Clients, account: str, region: str, bucket: str) -> DataEvents:
    """Whether a trail that is logging records reads of the bucket's objects now. Raises ClientError."""
    here = aws.client("cloudtrail", account=account, tier="read", region=region)
    trails: list[str] = []
    partial: list[str] = []
    starts: list[datetime] = []
    for trail in here.describe_trails(includeShadowTrails=True)["trailList"]:
        arn, home = trail["TrailARN"], trail.get("HomeRegion", region)
        if home != region and not trail.get("IsMultiRegionTrail"):
            continue
        client = aws.client("cloudtrail", account=arn.split(":")[4], tier="read", region=home)
        status = client.get_trail_status(Name=arn)
        selects = _selects(client.get_event_selectors(TrailName=arn), bucket)
        if not status.get("IsLogging") or selects is False:
            continue
        if selects is None:
            partial.append(f"{arn} selects objects by rules that were not decided.")
            continue
        trails.append(arn)
        starts += [status["StartLoggingTime"]] if status.get("StartLoggingTime") else []
    return DataEvents(
        bucket=bucket,
        on=bool(trails),
        trails=tuple(trails),
        since=min(starts, default=None),
        partial=tuple(partial),
    )


def events(
    aws: Clients, account: str, region: str, attribute: str, value: str, since: datetime, until: datetime
) -> Iterator[list[dict[str, Any]]]:
    """Pages of LookupEvents, newest first: management events of one account and Region, at most 90 days back.

    Two calls a second are allowed per account and Region; botocore waits. Raises ClientError.
    """
    client = aws.client("cloudtrail", account=account, tier="read", region=region)
    asked = [{"AttributeKey": attribute, "AttributeValue": value}]
    pages = client.get_paginator("lookup_events").paginate(LookupAttributes=asked, StartTime=since, EndTime=until)
    for page in pages:
        yield page["Events"]


def _selects(said: Any, bucket: str) -> bool | None:
    """Whether the selectors record reads of every object of the bucket; None: of some, or by rules that are not read."""
    answers = [_basic(s, bucket) for s in said.get("EventSelectors") or []]
    answers += [_advanced(s, bucket) for s in said.get("AdvancedEventSelectors") or []]
    if True in answers:
        return True
    return None if None in answers else False


def _basic(selector: Any, bucket: str) -> bool | None:
    if selector.get("ReadWriteType", "All") not in READS:
        return False
    objects = [r for r in selector.get("DataResources", []) if r["Type"] == "AWS::S3::Object"]
    values = [v for r in objects for v in r.get("Values", [])]
    if any(v in ("arn:aws:s3", "arn:aws:s3:::", f"arn:aws:s3:::{bucket}/") for v in values):
        return True
    return None if any(v.startswith(f"arn:aws:s3:::{bucket}/") for v in values) else False


def _advanced(selector: Any, bucket: str) -> bool | None:
    """Every field must hold; a field that is not decided here leaves the selector undecided."""
    fields = {f["Field"]: f for f in selector["FieldSelectors"]}
    category, kind = fields.pop("eventCategory", {}), fields.pop("resources.type", {})
    if "Data" not in category.get("Equals", []) or "AWS::S3::Object" not in kind.get("Equals", []):
        return False
    read_only = fields.pop("readOnly", None)
    if read_only and "true" not in [str(v).lower() for v in read_only.get("Equals", [])]:
        return False
    arn = fields.pop("resources.ARN", None)
    whole = f"arn:aws:s3:::{bucket}/"
    if arn is None:
        return None if fields else True
    starts = arn.get("StartsWith", [])
    if set(arn) == {"Field", "StartsWith"} and any(whole.startswith(s) for s in starts):
        return None if fields else True
    if set(arn) == {"Field", "StartsWith"} and not any(s.startswith(whole) for s in starts):
        return False
    return None


PERMISSIONS = permissions(__name__)
