"""Every call becomes a CloudTrail record: kept here, answered by LookupEvents, handed to lab/delivery.py as files."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from threading import Lock
from typing import Any

from lab import caller as callers
from lab import clock, trail_record, trail_s3, trail_selectors
from lab.answers import Answer
from lab.caller import Caller
from lab.errors import AwsError
from lab.trail_record import Notes, Record
from lab.wire import Call


@dataclass(frozen=True)
class Entry:
    """One record in one account; `visible` is false for what no trail asked for (data events) and AWS never logs."""

    number: int
    record: Record
    account: str
    region: str
    at: datetime
    visible: bool

    @property
    def management(self) -> bool:
        return bool(self.record.get("managementEvent"))


NOBODY = "000000000000"
"""Where calls are kept that belong to no account's trail."""

_lock = Lock()
_numbers = count(1)
_entries: list[Entry] = []
_delivered = 0
_notes: ContextVar[Notes | None] = ContextVar("lab_notes", default=None)


def install() -> None:
    """Give moto's CloudTrail its LookupEvents, and members the sight of their organisation's trails."""
    from lab import trail_lookup

    trail_lookup.install()
    trail_selectors.install()


@contextmanager
def observing() -> Iterator[None]:
    """While a call is answered, lower layers may add to its record with `note`."""
    token = _notes.set(Notes())
    try:
        yield
    finally:
        _notes.reset(token)


def note(name: str, value: Any) -> None:
    """Put one more fact into additionalEventData of the call in hand (`aclRequired`: "Yes")."""
    notes = _notes.get()
    if notes is None:
        raise LookupError("no call in hand to note anything of")
    notes.additional[name] = value


def noted(name: str) -> Any | None:
    """What was noted of the call in hand, or None."""
    notes = _notes.get()
    return notes.additional.get(name) if notes else None


def record(call: Call, caller: Caller, answer: Answer, at: datetime) -> None:
    """Record a finished call in the caller's account and, across accounts, in those of the resource's owners."""
    made = trail_record.of_call(call, caller, answer, at, _notes.get() or Notes())
    owners = _owners(call)
    first = caller.account if caller.type not in ("Anonymous", "AWSAccount", "AWSService") else None
    _spread(made, caller, first, owners, at, _arns(call))


def record_service(
    event_source: str,
    event_name: str,
    caller: Caller,
    *,
    account: str,
    region: str,
    at: datetime | None = None,
    object_arn: str | None = None,
    **fields: Any,
) -> Record:
    """Record what a service did in an account (an AWSService AssumeRole, its PutObject, an AwsServiceEvent); answers it.

    `object_arn` makes it an S3 data event, visible where a trail asks for those of that object. `fields` are CloudTrail's.
    """
    when = at or clock.now()
    if object_arn is not None:
        fields = {"managementEvent": False, "eventCategory": "Data", **fields}
    made = trail_record.of_service(event_source, event_name, caller, when, awsRegion=region, **fields)
    first = caller.account if caller.type in ("IAMUser", "AssumedRole") else None
    _spread(made, caller, first, [account], when, [object_arn] if object_arn else [])
    return made


def record_unauthenticated(call: Call, refused: AwsError, at: datetime) -> None:
    """Keep a call that CloudTrail never sees, because nobody was authenticated: for the lab's own bookkeeping."""
    made = {
        "eventTime": trail_record.stamp(at),
        "eventSource": f"{call.service}.amazonaws.com",
        "eventName": call.operation,
        "errorCode": refused.code,
        "requestID": call.request_id,
        "userIdentity": {"type": "Unauthenticated", "accessKeyId": call.access_key_id},
        "requestParameters": None,
        "managementEvent": not trail_s3.is_data_event(call),
    }
    _keep(json.loads(json.dumps(made, default=trail_record.plain)), NOBODY, call.region, at, visible=False)


def _spread(made: Record, caller: Caller, first: str | None, owners: list[str], at: datetime, arns: list[str]) -> None:
    receivers = list(dict.fromkeys([account for account in (first, *owners) if account])) or [NOBODY]
    shared = {"sharedEventID": str(uuid.uuid4())} if len(receivers) > 1 else {}
    for account in receivers:
        mine = account == first or first is None
        own = {
            **made,
            "userIdentity": made["userIdentity"] if mine else trail_record.foreign_identity(caller),
            "eventID": made["eventID"] if account == receivers[0] else str(uuid.uuid4()),
            "recipientAccountId": account,
            **shared,
        }
        wanted = account != NOBODY and bool(made["managementEvent"])
        wanted = wanted or (account != NOBODY and trail_selectors.wants_data_event(account, arns, own))
        _keep(own, account, str(made.get("awsRegion", "us-east-1")), at, visible=wanted)


def _owners(call: Call) -> list[str]:
    """The accounts of what the call is about: bucket and copy source, or the role to be assumed."""
    role = str(call.params.get("RoleArn", ""))
    if call.service == "sts" and role.count(":") >= 5:
        return [role.split(":")[4]]
    if call.service != "s3":
        return []
    source = trail_s3.copy_source(call)
    names = [call.params.get("Bucket"), source[0] if source else None]
    return [owner for name in names if name and (owner := trail_s3.bucket_owner(name))]


def _arns(call: Call) -> list[str]:
    if not trail_s3.is_data_event(call):
        return []
    source = trail_s3.copy_source(call)
    own = f"arn:aws:s3:::{call.params.get('Bucket')}/{call.params.get('Key', '')}"
    return [own, f"arn:aws:s3:::{source[0]}/{source[1]}"] if source else [own]


def _keep(made: Record, account: str, region: str, at: datetime, visible: bool) -> None:
    with _lock:
        _entries.append(Entry(next(_numbers), made, account, region, at, visible))


def entries() -> list[Entry]:
    """Everything recorded so far, oldest first."""
    with _lock:
        return list(_entries)


def undelivered() -> list[Entry]:
    """What became visible since the last call of this: each entry is handed out once."""
    global _delivered
    with _lock:
        fresh, _delivered = _entries[_delivered:], len(_entries)
    return [entry for entry in fresh if entry.visible]


def everything() -> dict[str, Any]:
    """GET /lab/events: every record, those too that no trail shows (`visible` false)."""
    return {"events": [{"visible": e.visible, "account": e.account, **e.record} for e in entries()]}


def inject(asked: dict[str, Any]) -> dict[str, Any]:
    """POST /lab/events {"account", "region", "record"}: history that no API call of the lab makes (ConsoleLogin).

    The record is CloudTrail's own; times, ids and what else is missing are filled in.
    """
    account, region, given = str(asked["account"]), str(asked["region"]), dict(asked["record"])
    at = datetime.fromisoformat(given["eventTime"]) if "eventTime" in given else clock.now()
    fields = {"awsRegion": region, "recipientAccountId": account, **given}
    made = trail_record.of_service(str(given["eventSource"]), str(given["eventName"]), callers.ANONYMOUS, at, **fields)
    _keep(made, account, region, at, visible=True)
    return {"record": made}


def switch_data_events(asked: dict[str, Any]) -> dict[str, Any]:
    """POST /lab/data-events {"bucket", "on": true}: log a bucket's data events without a trail that asks for them."""
    trail_selectors.switch(asked["bucket"], bool(asked.get("on", True)))
    return {"buckets": sorted(trail_selectors.switched())}


def reset() -> None:
    """Forget every record."""
    global _delivered
    with _lock:
        _entries.clear()
        _delivered = 0
    trail_selectors.reset()
