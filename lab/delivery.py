"""CloudTrail's and S3's log files, within a second: on disk in AWS's own layout, into the buckets named for them; and EventBridge."""

from __future__ import annotations

import gzip
import json
import logging
import secrets
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from string import ascii_letters, digits
from threading import Event, Lock, Thread
from typing import Any

from lab import access_logs, clock, event_bridge, policies, trail, trail_selectors
from lab.trail import Entry

log = logging.getLogger("lab.delivery")

EVERY_S = 0.5
_lock = Lock()
_stop = Event()
_directory: Path | None = None
_thread: Thread | None = None


def start(directory: Path) -> None:
    """Deliver into `directory` (`cloudtrail/`, `cloudtrail-outside/`, `s3-access-logs/`) from now on."""
    global _directory, _thread
    _directory = directory
    _stop.clear()
    _thread = Thread(target=_deliver_for_ever, name="delivery", daemon=True)
    _thread.start()


def stop() -> None:
    """Deliver what is left and end."""
    _stop.set()
    if _thread is not None:
        _thread.join(timeout=5)
    flush()


def directory() -> Path | None:
    """Where files go, None before the start."""
    return _directory


def _deliver_for_ever() -> None:
    while not _stop.wait(EVERY_S):
        try:
            flush()
        except Exception:  # whatever broke this round, the thread has to live for the next
            log.exception("delivery failed; the next round goes on with newer events")


def flush() -> list[Path]:
    """Write everything that is not written yet, now; answers the files on disk."""
    if _directory is None:
        return []
    with _lock:
        return [*_cloudtrail(_directory), *_access_logs(_directory)]


def _cloudtrail(directory: Path) -> list[Path]:
    batches: dict[tuple[str, str, str], list[Entry]] = defaultdict(list)
    for entry in trail.undelivered():
        event_bridge.offer(entry)
        batches[entry.account, entry.region, entry.at.strftime("%Y/%m/%d")].append(entry)
    written: list[Path] = []
    for (account, region, _), entries in batches.items():
        body = gzip.compress(json.dumps({"Records": [e.record for e in entries]}).encode())
        if not trail_selectors.stopped(account):
            written.append(_write(directory / _home(account) / _key(account, region, entries[-1].at), body))
        for each in trail_selectors.trails(account):
            if each.status.is_logging and (each.is_multi_region or each.region_name == region):
                prefix = f"{each.s3_key_prefix}/" if each.s3_key_prefix else ""
                key = _key(account, region, entries[-1].at, organization=each.is_org_trail)
                put(each.bucket_name, prefix + key, body)
    return written


def _home(account: str) -> str:
    """The organisation's own log archive holds its accounts, and everybody while there is no organisation."""
    outside = policies.membership(account) is None and policies.any_organization()
    return "cloudtrail-outside" if outside else "cloudtrail"


def _key(account: str, region: str, at: datetime, organization: bool = True) -> str:
    """AWS's own layout; the time in the name is that of the delivery."""
    place = policies.membership(account) if organization else None
    head = f"AWSLogs/{place.organization_id}/{account}" if place else f"AWSLogs/{account}"
    unique = "".join(secrets.choice(ascii_letters + digits) for _ in range(16))
    name = f"{account}_CloudTrail_{region}_{clock.now():%Y%m%dT%H%MZ}_{unique}.json.gz"
    return f"{head}/CloudTrail/{region}/{at:%Y/%m/%d}/{name}"


def _access_logs(directory: Path) -> list[Path]:
    batches: dict[tuple[str, str], list[str]] = defaultdict(list)
    for line in access_logs.undelivered():
        batches[line.target_bucket, line.target_prefix].append(line.text)
    written: list[Path] = []
    for (bucket, prefix), lines in batches.items():
        key = f"{prefix}{clock.now():%Y-%m-%d-%H-%M-%S}-{secrets.token_hex(8).upper()}"
        body = ("\n".join(lines) + "\n").encode()
        written.append(_write(directory / "s3-access-logs" / bucket / key, body))
        put(bucket, key, body)
    return written


def _write(path: Path, body: bytes) -> Path:
    """Whole or not at all: a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(body)
    return part.rename(path)


def put(bucket: str, key: str, body: bytes) -> None:
    """Put a log file into a bucket as the logging services do; a bucket that is gone loses it, as with AWS."""
    from moto.s3.models import s3_backends

    from lab.trail_s3 import bucket as find

    found: Any = find(bucket)
    if found is None:
        log.warning("no bucket %s to deliver %s to", bucket, key)
        return
    s3_backends[found.account_id][found.partition].put_object(bucket, key, body)
