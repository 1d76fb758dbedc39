"""Findings of hunts, as hunts make them from records of calls."""

from __future__ import annotations

from typing import Any

from decisions.activity import LogRecord
from decisions.cloudtrail import parse_record
from decisions.hunt import HuntFinding, finding_of
from decisions.keepable import kept_record
from tasks.hunting.hunt import export_findings
from tasks.hunting.source import EXPORTS, Found
from tests.records_of import cloudtrail_record

READER = {"type": "AWSAccount", "accountId": "210987654321", "principalId": "AIDAEXAMPLEREADER"}


def export_finding(**change: Any) -> HuntFinding:
    """The finding that a hunt makes of an export."""
    raw = cloudtrail_record(**change)
    [finding] = export_findings([Found((EXPORTS,), parse_record(raw, "a.json.gz"), "", raw)])
    return finding


def download_finding(*about: HuntFinding, event_id: str = "read-1", **change: Any) -> HuntFinding:
    """The finding that a hunt makes of a read of these exports' object from outside."""
    record = read(event_id, **change)
    finding = finding_of("vm-export", "download", "Exported object read by GetObject", "high", record)
    return finding.model_copy(update={"about": tuple(one.id for one in about), "record": kept_record(record)})


def read(event_id: str = "read-1", **change: Any) -> LogRecord:
    """One GetObject of the exported object."""
    raw = {
        "eventID": event_id, "eventTime": "2026-03-04T10:00:00Z", "eventName": "GetObject", "eventSource": "s3.amazonaws.com",
        "awsRegion": "us-east-1", "sourceIPAddress": "203.0.113.9", "userIdentity": READER,
        "requestParameters": {"bucketName": "example-drop", "key": "vm/export-i-0fedcba9876543210.ova"},
    }  # fmt: skip
    return parse_record(raw | change, "b.json.gz")
