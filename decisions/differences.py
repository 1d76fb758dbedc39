"""Where an alert and EC2 tell different things of one export."""

from __future__ import annotations

from decisions.export import ExportEvent, ExportTask

COMPARED = {
    "instance_id": "the instance",
    "image_id": "the image",
    "bucket": "the bucket",
    "object_key": "the object key",
    "prefix": "the prefix",
    "disk_format": "the disk format",
    "container_format": "the container format",
}


def differences(event: ExportEvent, task: ExportTask) -> tuple[str, ...]:
    """A sentence for each field that both tell and that differs; letter case of formats does not count. EC2 wins."""
    found: list[str] = []
    for name, words in COMPARED.items():
        said, is_ = getattr(event, name), getattr(task, name)
        if (
            said is None
            or is_ is None
            or (said.lower() if name.endswith("format") else said) == (is_.lower() if name.endswith("format") else is_)
        ):
            continue
        found.append(f"The alert says that {words} is {said[:200]!a}; EC2 says {is_[:200]!a}. EC2 wins.")
    return tuple(found)
