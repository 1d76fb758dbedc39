"""What lies in the bucket after an export: small, but an OVA is a real tar with an OVF and a VMDK, and each format has its marks."""

from __future__ import annotations

import hashlib
import io
import random
import tarfile
from datetime import datetime

DEFAULT_BYTES = 48 * 1024
SECTOR = 512


def disk(disk_format: str, name: str, size: int) -> bytes:
    """A disk image of about `size` bytes in the format (`vmdk`, `vhd`, `raw`), the same for the same name."""
    body = random.Random(name).randbytes(max(size, 4 * SECTOR))  # noqa: S311 - content, not a secret
    if disk_format == "vmdk":
        return b"KDMV" + (1).to_bytes(4, "little") + body[8:]
    if disk_format == "vhd":
        return body[:-SECTOR] + b"conectix" + bytes(SECTOR - 8)
    return body[: SECTOR - 2] + b"\x55\xaa" + body[SECTOR:]


def ova(disk_format: str, name: str, size: int, made: datetime) -> bytes:
    """A tar of descriptor, manifest and disk."""
    image = disk(disk_format, name, size)
    file = f"{name}-disk-1.{disk_format}"
    descriptor = _descriptor(name, file, len(image)).encode()
    manifest = "".join(
        f"SHA256({each})= {hashlib.sha256(content).hexdigest()}\n"
        for each, content in ((f"{name}.ovf", descriptor), (file, image))
    )
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for each, content in ((f"{name}.ovf", descriptor), (f"{name}.mf", manifest.encode()), (file, image)):
            entry = tarfile.TarInfo(each)
            entry.size, entry.mtime, entry.mode = len(content), int(made.timestamp()), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _descriptor(name: str, file: str, size: int) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1">\n'
        f'  <References><File ovf:id="file1" ovf:href="{file}" ovf:size="{size}"/></References>\n'
        f'  <VirtualSystem ovf:id="{name}"><Name>{name}</Name></VirtualSystem>\n'
        "</Envelope>\n"
    )
