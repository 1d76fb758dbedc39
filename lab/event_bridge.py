"""Write events of CloudTrail reach EventBridge's default bus: rules that watch for exports really fire."""

from __future__ import annotations

import copy
import logging
import sys
from typing import Any

from lab import trail_selectors
from lab.trail import Entry

log = logging.getLogger("lab.event_bridge")


def offer(entry: Entry) -> None:
    """Send a recorded call to the rules of its account and Region, as `AWS API Call via CloudTrail`; reads are not sent."""
    if "moto.events.models" not in sys.modules or not _is_sent(entry):
        return
    from moto.events.models import events_backends

    backend = events_backends[entry.account][entry.region]
    for rule in list(backend.event_buses["default"].rules.values()):
        if rule.state == "DISABLED":
            continue
        try:
            # moto transforms through a package that the lab does not install, even where there is nothing to transform.
            transform = any("InputTransformer" in target for target in rule.targets)
            rule.send_to_targets(copy.deepcopy(_event(entry)), transform_input=transform)
        except Exception:  # as in AWS, a target that fails does not fail the call that was recorded
            log.exception(
                "rule %s did not reach its targets: moto serves SQS, log groups, archives and buses", rule.name
            )


def _is_sent(entry: Entry) -> bool:
    return entry.management and not entry.record["readOnly"] and not trail_selectors.stopped(entry.account)


def _event(entry: Entry) -> dict[str, Any]:
    record = entry.record
    kind = {"AwsConsoleSignIn": "AWS Console Sign In via CloudTrail"}.get(
        record["eventType"], "AWS API Call via CloudTrail"
    )
    return {
        "version": "0",
        "id": record["eventID"],
        "detail-type": kind,
        "source": f"aws.{record['eventSource'].partition('.')[0]}",
        "account": entry.account,
        "time": entry.at.timestamp(),
        "region": entry.region,
        "resources": [],
        "detail": record,
    }
