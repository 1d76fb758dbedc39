"""CloudTrail records and files for the tests of hunting, in every shape that they come in."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

ACCOUNT, REGION = "111122223333", "eu-central-1"
PLACE = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2026/03/02"


def event(number: int, name: str = "DescribeInstances", **more: Any) -> dict[str, Any]:
    """A record in CloudTrail's order of names."""
    identity = {"type": "AssumedRole", "principalId": "AROAEXAMPLE:night", "accountId": ACCOUNT,
                "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/ops/night", "accessKeyId": "ASIAEXAMPLE000000001"}  # fmt: skip
    return {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": f"2026-03-02T10:{number // 60 % 60:02}:{number % 60:02}Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli/2",
        "requestParameters": {"n": number},
        "responseElements": None,
        "requestID": f"{number:08}-0000-4000-8000-000000000001",
        "eventID": f"{number:08}-0000-4000-8000-000000000000",
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    } | more


def export(number: int, **more: Any) -> dict[str, Any]:
    """An accepted CreateInstanceExportTask."""
    place = {"diskImageFormat": "VMDK", "containerFormat": "ova", "s3Bucket": "exports", "s3Prefix": "vms/"}
    task = {"exportTaskId": "export-i-0123456789abcdef0", "instanceExport": {"instanceId": "i-0123456789abcdef0"}}
    told = {
        "requestParameters": {"instanceId": "i-0123456789abcdef0", "targetEnvironment": "vmware", "exportToS3": place},
        "responseElements": {
            "exportTask": task | {"exportToS3": place | {"s3Key": "vms/export-i-0123456789abcdef0.ova"}}
        },
        "readOnly": False,
    }
    return event(number, "CreateInstanceExportTask", **(told | more))


def compact(records: list[dict[str, Any]]) -> bytes:
    """As CloudTrail writes a file."""
    return json.dumps({"Records": records}, separators=(",", ":"), ensure_ascii=False).encode()


def write(root: Path, text: bytes, name: str = "a.json.gz", place: str = PLACE, packed: bool = True) -> Path:
    """A file below a folder."""
    path = root / place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text, 1) if packed else text)
    return path
