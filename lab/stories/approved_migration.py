"""What an honest export looks like: approved exporter, approved bucket, change ticket, a machine without data of its own."""

from __future__ import annotations

from lab.organization import APPROVED
from lab.organization_principals import DEVELOPMENT
from lab.story import Stage

ROLE = f"arn:aws:iam::{DEVELOPMENT}:role/vm-migration"
OFFICE = "192.0.2.25"
CLI = "aws-cli/2.17.60 md/awscrt#0.21.2 ua/2.0 os/macos#23.5.0 md/arch#arm64 lang/python#3.11.9"


def play(stage: Stage) -> None:
    """One export from the office, finished a few minutes ago."""
    migrator = stage.actor("mia.migration", ip=OFFICE, agent=CLI).assume(ROLE, "mia.migration@example.com")
    ec2, machine = migrator.client("ec2"), stage.machine("build-agent")
    ec2.describe_instances(InstanceIds=[machine])
    made = ec2.create_instance_export_task(
        InstanceId=machine,
        TargetEnvironment="vmware",
        Description="CHG-20417 build agent moves to the data centre",
        ExportToS3Task={
            "S3Bucket": APPROVED,
            "S3Prefix": "chg-20417/",
            "DiskImageFormat": "VMDK",
            "ContainerFormat": "ova",
        },
    )
    stage.raises_alert(made)
    task = made["ExportTask"]
    stage.tell(bucket=APPROVED, key=task["ExportToS3Task"]["S3Key"], first_task=task["ExportTaskId"])
    stage.pass_time(minutes=stage.story.export_minutes + 2)
    ec2.describe_export_tasks(ExportTaskIds=[task["ExportTaskId"]])
