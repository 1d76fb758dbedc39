"""Cases in the ledger and machines in the lab, as an incident leaves them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from decisions.case import ALERT_JOINED, CASE_OPENED
from decisions.export import ExportApi, ExportEvent, Outcome
from records import ledger
from tests.lab.aws import PRODUCTION, As, policy

CASE = "VMX-20261124-TEST"


def export_event(**change: Any) -> ExportEvent:
    """A role session exported a production instance just now."""
    given: dict[str, Any] = {
        "event_id": "e-1",
        "api": ExportApi.INSTANCE,
        "outcome": Outcome.ACCEPTED,
        "event_time": datetime.now(UTC),
        "recipient_account": PRODUCTION,
        "caller_account": PRODUCTION,
        "region": "us-east-1",
        "principal_type": "AssumedRole",
        "principal_arn": f"arn:aws:sts::{PRODUCTION}:assumed-role/ops/jo@example.com",
        "issuer_arn": f"arn:aws:iam::{PRODUCTION}:role/ops",
        "access_key_id": "ASIAEXAMPLEEXAMPLE01",
        "source_address": "192.0.2.10",
        "instance_id": "i-0123456789abcdef0",
        "bucket": "example-drop",
        "prefix": "vm/",
        "task_id": "export-i-0123456789abcdef0",
    }
    return ExportEvent(**(given | change))


def open_case(*events: ExportEvent, case: str = CASE) -> None:
    """Open the case of these exports, as the inbox does."""
    ledger.append(case, CASE_OPENED, "inbox", {"event_id": events[0].event_id, "inbox": 1, "sha256": "0" * 64})
    for event in events:
        said = {
            "event": event.model_dump(mode="json"),
            "inbox": 1,
            "sha256": "0" * 64,
            "joined_by": None,
            "related": [],
        }
        ledger.append(case, ALERT_JOINED, "inbox", said)


def running_instance(someone: As, **tags: str) -> str:
    """Start an instance with these tags; its id."""
    ec2 = someone.client("ec2")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    named = [{"ResourceType": "instance", "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}]
    return ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=named)["Instances"][0][
        "InstanceId"
    ]


EXPORT_SERVICE = "c4d8eabf8db69dbe46bfe0e517100c554f01200b104d59cd408e777ba442a322"
"""Canonical id of AWS's export service in us-east-1 (VM Import/Export user guide)."""


def export_for_real(someone: As, instance: str, bucket: str, prefix: str) -> str:
    """Grant the bucket to AWS's export service, and export the instance into it; the task's id."""
    s3 = someone.client("s3")
    s3.put_bucket_ownership_controls(
        Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
    )
    grantee = {"Principal": {"CanonicalUser": EXPORT_SERVICE}, "Action": ["s3:GetBucketAcl", "s3:PutObject"]}
    s3.put_bucket_policy(
        Bucket=bucket, Policy=policy(grantee | {"Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]})
    )
    to = {"DiskImageFormat": "VMDK", "ContainerFormat": "ova", "S3Bucket": bucket, "S3Prefix": prefix}
    made = someone.client("ec2").create_instance_export_task(
        InstanceId=instance, TargetEnvironment="vmware", ExportToS3Task=to
    )
    return str(made["ExportTask"]["ExportTaskId"])
