"""CreateImage with the disks of the instance that it is made from, and with its name taken once."""

from __future__ import annotations

from typing import Any

from lab.errors import AwsError
from lab.install import replace


def install() -> None:
    """Replace moto's one disk of 15 GiB, which every image has, by the instance's own."""
    from moto.ec2.models.amis import Ami, AmiBackend

    create = replace(
        AmiBackend, "create_image", lambda self, *given, **more: _create_image(create, self, *given, **more)
    )
    moto_disks: Any = Ami.block_device_mappings
    replace(Ami, "block_device_mappings", property(lambda self: _disks(self) or moto_disks.fget(self)))


def instance_of(image: Any) -> Any | None:
    """The instance that an image was made from, while it is there."""
    return next((i for i in image.ec2_backend.all_instances() if i.id == image.source_instance_id), None)


def _create_image(original: Any, backend: Any, instance_id: str, name: str, *given: Any, **more: Any) -> Any:
    if any(image.name == name and image.owner_id == backend.account_id for image in backend.amis.values()):
        raise AwsError("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by an AMI of this account.")
    made = original(backend, instance_id, name, *given, **more)
    instance = backend.get_instance(instance_id)
    volumes = [(device, block.volume_id) for device, block in instance.get_block_device_mapping if block.volume_id]
    if volumes:
        said = f"Created by CreateImage({instance_id}) for {made.id}"
        backend.snapshots.pop(made.ebs_snapshot.id, None)  # of a disk that the instance never had
        made.lab_disks = [
            (d, backend.create_snapshot(v, said, backend.account_id, from_ami=made.id)) for d, v in volumes
        ]
        made.ebs_snapshot, made.root_device_type = made.lab_disks[0][1], "ebs"
        made.root_device_name = volumes[0][0]
    return made


def _disks(image: Any) -> list[dict[str, Any]]:
    return [
        {
            "DeviceName": device,
            "Ebs": {
                "SnapshotId": snapshot.id,
                "VolumeSize": snapshot.volume.size,
                "DeleteOnTermination": True,
                "VolumeType": snapshot.volume.volume_type,
                "Encrypted": bool(snapshot.encrypted),
            },
        }
        for device, snapshot in getattr(image, "lab_disks", ())
    ]
