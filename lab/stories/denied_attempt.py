"""Denied at the first door, and at the second and third as well: nothing has left, somebody wanted it to."""

from __future__ import annotations

import secrets

from lab.organization import APPROVED
from lab.story import Stage

OFFICE = "192.0.2.77"
CLI = "aws-cli/2.15.30 md/Botocore#2.4.5 ua/2.0 os/linux#6.8.0 md/arch#x86_64 lang/python#3.11.8"


def play(stage: Stage) -> None:
    """CreateInstanceExportTask, then an image and ExportImage, then CreateStoreImageTask."""
    developer = stage.actor("dev.lee", ip=OFFICE, agent=CLI)
    stage.holds("dev.lee", developer)
    ec2, machine = developer.client("ec2"), stage.machine("build-agent")
    ec2.describe_instances(InstanceIds=[machine])
    to = {"S3Bucket": APPROVED, "S3Prefix": "lee/", "DiskImageFormat": "VMDK", "ContainerFormat": "ova"}
    asked = {"InstanceId": machine, "TargetEnvironment": "vmware", "ExportToS3Task": to}
    stage.raises_alert(stage.refused(lambda: ec2.create_instance_export_task(**asked)))
    stage.pass_time(minutes=2)
    image = ec2.create_image(InstanceId=machine, Name=f"backup-{secrets.token_hex(4)}", NoReboot=True)["ImageId"]
    stage.tell(bucket=APPROVED, image=image)
    stage.pass_time(minutes=3)
    place = {"S3Bucket": APPROVED, "S3Prefix": "lee/"}
    stage.raises_alert(
        stage.refused(lambda: ec2.export_image(ImageId=image, DiskImageFormat="VMDK", S3ExportLocation=place))
    )
    stage.raises_alert(stage.refused(lambda: ec2.create_store_image_task(ImageId=image, Bucket=APPROVED)))
