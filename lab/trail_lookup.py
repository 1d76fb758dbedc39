"""cloudtrail:LookupEvents over what was really called: management events of one account and Region, 90 days, newest first."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from lab import caller as callers
from lab import clock, trail
from lab.errors import AwsError
from lab.install import add_action
from lab.trail import Entry

KEPT = timedelta(days=90)
PAGE = 50
ATTRIBUTES = (
    "EventId",
    "EventName",
    "ReadOnly",
    "Username",
    "ResourceType",
    "ResourceName",
    "EventSource",
    "AccessKeyId",
)


def install() -> None:
    """Add LookupEvents to moto's CloudTrail; MotoChanged if moto has it by now."""
    from moto.cloudtrail.responses import CloudTrailResponse

    add_action(CloudTrailResponse, "LookupEvents", _lookup_events)


def _lookup_events(self: Any) -> str:
    asked = json.loads(self.body or "{}")
    limit = asked.get("MaxResults", PAGE)
    if not 1 <= limit <= PAGE:
        raise AwsError("InvalidMaxResultsException", "A number of events between 1 and 50 can be asked for.")
    account = str(callers.current().account)
    before = _after_token(asked)
    attributes = _attributes(asked)
    found = [e for e in _in_range(account, self.region, asked) if _matches(e, attributes)]
    found.sort(key=lambda e: (e.at, e.number), reverse=True)
    rest = [e for e in found if before is None or (e.at.timestamp(), e.number) < before]
    answer: dict[str, Any] = {"Events": [_event(entry) for entry in rest[:limit]]}
    if len(rest) > limit:
        answer["NextToken"] = _token(asked, rest[limit - 1])
    return json.dumps(answer)


def _in_range(account: str, region: str, asked: dict[str, Any]) -> list[Entry]:
    start, end = _moment(asked.get("StartTime")), _moment(asked.get("EndTime"))
    if start and end and start > end:
        raise AwsError("InvalidTimeRangeException", "The start time must be before the end time.")
    oldest = max(start or datetime.min.replace(tzinfo=UTC), clock.now() - KEPT)
    newest = end or datetime.max.replace(tzinfo=UTC)
    # Records have whole seconds: an event within the second that was asked for is in range.
    kept = [e for e in trail.entries() if e.account == account and e.region == region and e.visible and e.management]
    return [e for e in kept if oldest.replace(microsecond=0) <= e.at.replace(microsecond=0) <= newest]


def _moment(value: float | None) -> datetime | None:
    return None if value is None else datetime.fromtimestamp(float(value), UTC)


def _attributes(asked: dict[str, Any]) -> list[dict[str, str]]:
    found = list(asked.get("LookupAttributes") or [])
    if len(found) > 1 or any(a.get("AttributeKey") not in ATTRIBUTES for a in found):
        text = f"One attribute of {', '.join(ATTRIBUTES)} can be asked for."
        raise AwsError("InvalidLookupAttributesException", text)
    return found


def _matches(entry: Entry, attributes: list[dict[str, str]]) -> bool:
    return all(a["AttributeValue"] in _values(entry, a["AttributeKey"]) for a in attributes)


def _values(entry: Entry, key: str) -> set[str]:
    event = _event(entry)
    resources = event["Resources"]
    if key in ("ResourceType", "ResourceName"):
        return {r[key] for r in resources}
    return {str(event.get(key, ""))}


def _event(entry: Entry) -> dict[str, Any]:
    record = entry.record
    identity = record["userIdentity"]
    session = str(identity.get("arn", "")).rpartition("/")[2] if identity.get("type") == "AssumedRole" else None
    user = (
        identity.get("userName") or session or ("root" if identity.get("type") == "Root" else identity.get("invokedBy"))
    )
    event = {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "ReadOnly": str(record["readOnly"]).lower(),
        "EventTime": entry.at.replace(microsecond=0).timestamp(),
        "EventSource": record["eventSource"],
        "Resources": _resources(record),
        "CloudTrailEvent": json.dumps(record),
    }
    event |= {"Username": user} if user else {}
    event |= {"AccessKeyId": identity["accessKeyId"]} if identity.get("accessKeyId") else {}
    return event


RESOURCE_TYPES = {
    "instanceId": "AWS::EC2::Instance",
    "imageId": "AWS::EC2::Ami",
    "ImageId": "AWS::EC2::Ami",
    "snapshotId": "AWS::EC2::Snapshot",
    "volumeId": "AWS::EC2::Volume",
    "bucketName": "AWS::S3::Bucket",
    "s3Bucket": "AWS::S3::Bucket",
    "userName": "AWS::IAM::User",
    "roleName": "AWS::IAM::Role",
    "policyArn": "AWS::IAM::Policy",
    "accessKeyId": "AWS::IAM::AccessKey",
}


def _resources(record: dict[str, Any]) -> list[dict[str, str]]:
    """What the event is about, by names among its parameters, as LookupEvents lists it."""
    found = {(r["type"], r["ARN"]) for r in record.get("resources", []) if r.get("type") and r.get("ARN")}
    stack: list[Any] = [record.get("requestParameters"), record.get("responseElements")]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            found |= {(RESOURCE_TYPES[k], v) for k, v in value.items() if k in RESOURCE_TYPES and isinstance(v, str)}
            stack += value.values()
        elif isinstance(value, list):
            stack += value
    return [{"ResourceType": kind, "ResourceName": name} for kind, name in sorted(found)]


def _token(asked: dict[str, Any], last: Entry) -> str:
    said = {"query": _digest(asked), "at": last.at.timestamp(), "number": last.number}
    return base64.b64encode(json.dumps(said).encode()).decode()


def _after_token(asked: dict[str, Any]) -> tuple[float, int] | None:
    if "NextToken" not in asked:
        return None
    try:
        said = json.loads(base64.b64decode(asked["NextToken"]))
        if said["query"] != _digest(asked):
            raise ValueError("token of another query")
        return said["at"], said["number"]
    except (ValueError, KeyError, TypeError) as wrong:
        raise AwsError("InvalidNextTokenException", "The token is not of this query.") from wrong


def _digest(asked: dict[str, Any]) -> str:
    query = {key: value for key, value in asked.items() if key not in ("NextToken", "MaxResults")}
    return hashlib.sha256(json.dumps(query, sort_keys=True).encode()).hexdigest()[:16]
