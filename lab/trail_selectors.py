"""Which trails there are in an account, and whether they ask for an S3 data event."""

from __future__ import annotations

from typing import Any

from lab import policies
from lab.install import replace

_switched: set[str] = set()


def install() -> None:
    """Have DescribeTrails show members the trails of their organisation, as AWS does."""
    from moto.cloudtrail.models import CloudTrailBackend

    def describe_trails(backend: Any, include_shadow_trails: bool) -> list[Any]:
        found = list(own(backend, include_shadow_trails))
        if include_shadow_trails:
            here = [t for t in trails(backend.account_id) if t.is_multi_region or t.region_name == backend.region_name]
            found += [t for t in here if t not in found]
        return found

    own = replace(CloudTrailBackend, "describe_trails", describe_trails)


def switch(bucket: str, on: bool) -> None:
    """Log the data events of a bucket, or stop, without any trail asking."""
    _switched.add(bucket) if on else _switched.discard(bucket)


def switched() -> set[str]:
    """Buckets that are logged without a trail asking."""
    return set(_switched)


def reset() -> None:
    """No bucket is logged unless a trail asks."""
    _switched.clear()


def trails(account: str) -> list[Any]:
    """moto's trails that cover the account: its own, and its organisation's."""
    from moto.cloudtrail.models import cloudtrail_backends

    found = [t for region in list(cloudtrail_backends[account].values()) for t in region.trails.values()]
    place = policies.membership(account)
    if place is not None and place.management_account != account:
        regions = list(cloudtrail_backends[place.management_account].values())
        found += [t for region in regions for t in region.trails.values() if t.is_org_trail]
    return found


def stopped(account: str) -> bool:
    """Whether the account's trails were all stopped: then nothing of it reaches a file. No trail at all is not stopped."""
    there = trails(account)
    return bool(there) and not any(trail.status.is_logging for trail in there)


def wants_data_event(account: str, arns: list[str], record: dict[str, Any]) -> bool:
    """Whether a running trail of the account, or the lab's own switch, asks for data events of one of these objects."""
    if any(arn.split(":::")[1].split("/")[0] in _switched for arn in arns):
        return True
    running = [trail for trail in trails(account) if trail.status.is_logging]
    return any(_asks(trail, arn, record) for trail in running for arn in arns)


def _asks(trail: Any, arn: str, record: dict[str, Any]) -> bool:
    return any(_basic(s, arn, record) for s in trail.event_selectors) or any(
        _advanced(s, arn, record) for s in trail.advanced_event_selectors
    )


def _basic(selector: dict[str, Any], arn: str, record: dict[str, Any]) -> bool:
    kinds = {"ReadOnly": [True], "WriteOnly": [False]}.get(selector.get("ReadWriteType", "All"), [True, False])
    if record["readOnly"] not in kinds:
        return False
    for resource in selector.get("DataResources") or []:
        if resource.get("Type") == "AWS::S3::Object" and any(_covers(v, arn) for v in resource.get("Values") or []):
            return True
    return False


def _covers(value: str, arn: str) -> bool:
    """`arn:aws:s3` is every bucket; `arn:aws:s3:::bucket/prefix` is what begins so."""
    return value in ("arn:aws:s3", "arn:aws:s3:::") or arn.startswith(value)


def _advanced(selector: dict[str, Any], arn: str, record: dict[str, Any]) -> bool:
    facts = {
        "eventCategory": "Data",
        "resources.type": "AWS::S3::Object",
        "resources.ARN": arn,
        "readOnly": str(record["readOnly"]).lower(),
        "eventName": str(record["eventName"]),
    }
    return all(_field(f, facts.get(f["Field"])) for f in selector.get("FieldSelectors") or [])


def _field(asked: dict[str, Any], fact: str | None) -> bool:
    if fact is None:
        return False
    tests = {
        "Equals": lambda v: fact == v,
        "StartsWith": lambda v: fact.startswith(v),
        "EndsWith": lambda v: fact.endswith(v),
    }
    for name, test in tests.items():
        if asked.get(name) and not any(test(v) for v in asked[name]):
            return False
        if asked.get(f"Not{name}") and any(test(v) for v in asked[f"Not{name}"]):
            return False
    return True
