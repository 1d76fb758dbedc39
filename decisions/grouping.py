"""Which alerts are one export, which exports are one case, and what a case is called."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC

from decisions.export import ExportEvent

PLAIN = re.compile(r"[\w.:/+=@-]{1,200}", re.ASCII)
"""What may stand in a key as it is; anything else by its hash: an event id is whatever the sender wrote."""


def dedupe_keys(event: ExportEvent) -> tuple[str, ...]:
    """Two alerts that share any of these tell of one export: CloudTrail's event id, then account, Region and task.

    The second catches organisation trails, second indices and cloned rules, whose event ids may differ.
    """
    keys = [event_key(event.event_id)]
    if event.recipient_account and event.region and event.task_id:
        keys.append(f"task:{event.recipient_account}/{event.region}/{event.task_id}")
    return tuple(keys)


def event_key(event_id: str) -> str:
    """The dedupe key of an export of which only the event's id is known."""
    return f"event:{_plain(event_id)}"


def grouping_keys(event: ExportEvent) -> tuple[str, ...]:
    """Two exports that share any of these within the case window are one case: the actor's credential, the bucket."""
    keys: list[str] = []
    if event.access_key_id:
        keys.append(f"credential:{_plain(event.access_key_id)}")
    elif event.principal_id:
        keys.append(f"principal:{_plain(event.principal_id)}")
    if event.bucket:
        keys.append(f"bucket:{_plain(event.bucket)}")
    return tuple(keys)


def case_id(event: ExportEvent, length: int = 4) -> str:
    """`VMX-<yyyymmdd>-<base32 of the first dedupe key's hash>`; a longer `length` (at most 52) where ids collide."""
    if not 1 <= length <= 52:
        raise ValueError(f"a case id has 1 to 52 characters of hash, not {length}")
    digest = hashlib.sha256(dedupe_keys(event)[0].encode()).digest()
    suffix = base64.b32encode(digest).decode()[:length]
    return f"VMX-{event.event_time.astimezone(UTC):%Y%m%d}-{suffix}"


def _plain(value: str) -> str:
    if PLAIN.fullmatch(value):
        return value
    return f"sha256:{hashlib.sha256(value.encode('utf-8', 'surrogatepass')).hexdigest()}"
