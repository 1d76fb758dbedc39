"""A contractor with too wide a role: export, download from outside, and a second export that is still running."""

from __future__ import annotations

import json
import secrets

from lab.organization_principals import FOREIGN, PRODUCTION
from lab.story import Stage
from lab.story_actor import Actor
from lab.vm_export_checks import ELSEWHERE as EXPORT_SERVICE

ROLE = f"arn:aws:iam::{PRODUCTION}:role/platform-admin"
LAPTOP = "aws-cli/2.17.60 md/awscrt#0.21.2 ua/2.0 os/linux#6.5 md/arch#x86_64 lang/python#3.11.9"
SERVER = "Boto3/1.34.131 md/Botocore#1.34.131 ua/2.0 os/linux#5.15 lang/python#3.10.12"
SESSION = "jo.contractor@example.com"


def play(stage: Stage) -> None:
    """Forty-five minutes: the bucket, the export, the download, the second export."""
    contractor = stage.actor("jo.contractor", ip="198.51.100.7", agent=LAPTOP)
    collector = stage.actor("collector", ip="203.0.113.9", agent=SERVER)
    admin = contractor.assume(ROLE, SESSION, DurationSeconds=6 * 3600)
    stage.holds("jo.contractor", contractor)
    stage.holds("platform-admin session", admin)
    stage.holds("collector", collector)

    admin.client("ec2").describe_instances()
    bucket = f"example-handover-{secrets.token_hex(4)}"
    _open(admin, bucket)
    stage.pass_time(minutes=1)
    first = export(stage, admin, "payments-database", bucket)
    stage.raises_alert(first)
    key = first["ExportTask"]["ExportToS3Task"]["S3Key"]
    stage.tell(bucket=bucket, key=key, first_task=first["ExportTask"]["ExportTaskId"])

    stage.pass_time(minutes=stage.story.export_minutes + 1)
    collector.client("s3").list_objects_v2(Bucket=bucket)
    stage.canary("read the object", lambda: collector.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    stage.canary("read the object with the old session", lambda: admin.client("s3").head_object(Bucket=bucket, Key=key))
    stage.pass_time(minutes=1)
    stage.canary("export again", lambda: stage.tell(second_task=_task(export(stage, admin, "payments-api", bucket))))
    stage.canary("change the bucket policy", lambda: _let_in(admin, bucket))
    stage.canary("assume the role with the old session", lambda: admin.assume(ROLE, SESSION))
    stage.canary("assume the role with the access key", lambda: contractor.assume(ROLE, SESSION))


def _open(admin: Actor, bucket: str) -> None:
    """A bucket that the export service may write to, and the stranger's account may read."""
    s3 = admin.client("s3")
    s3.create_bucket(Bucket=bucket)
    ownership = {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=ownership)
    service = f'id="{EXPORT_SERVICE}"'
    s3.put_bucket_acl(Bucket=bucket, GrantWrite=service, GrantReadACP=service)
    _let_in(admin, bucket)


def _let_in(admin: Actor, bucket: str) -> None:
    allow = {
        "Sid": "Handover",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{FOREIGN}:root"},
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    admin.client("s3").put_bucket_policy(Bucket=bucket, Policy=document)


def export(stage: Stage, admin: Actor, machine: str, bucket: str) -> dict[str, dict[str, dict[str, str]]]:
    """CreateInstanceExportTask as an OVA."""
    to = {"S3Bucket": bucket, "S3Prefix": "vm/", "DiskImageFormat": "VMDK", "ContainerFormat": "ova"}
    asked = {"InstanceId": stage.machine(machine), "TargetEnvironment": "vmware", "ExportToS3Task": to}
    made: dict[str, dict[str, dict[str, str]]] = admin.client("ec2").create_instance_export_task(**asked)
    return made


def _task(made: dict[str, dict[str, dict[str, str]]]) -> str:
    return str(made["ExportTask"]["ExportTaskId"])
