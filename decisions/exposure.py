"""Who read the exported image, and whether each read came from inside or outside the organisation.

A read is inside only where something shows it: an address of our networks or an endpoint of ours. What shows neither is
None, never inside. How long the image could be read is in `decisions/readable.py`, the answer for a whole case in
`decisions/metrics.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from pydantic import AwareDatetime

from decisions.activity import LogRecord
from decisions.evidence import Frozen
from decisions.hostile import PRIVATE
from decisions.organization import Organization

COPIES = frozenset({"CopyObject", "UploadPartCopy"})
DOWNLOADS = COPIES | {
    "GetObject", "SelectObjectContent", "GetObjectTorrent", "CreateRestoreImageTask",
    "REST.GET.OBJECT", "REST.COPY.OBJECT_GET", "REST.COPY.PART_GET", "WEBSITE.GET.OBJECT",
    "REST.GET.TORRENT", "REST.SELECT.OBJECT",
}  # fmt: skip
"""What carries the image's bytes away. HEAD, attributes and listings show knowledge only, RestoreObject stays in S3."""
DELIVERED = (200, 206)
UNNAMED = "an unnamed caller"
ACCESS_LOG = "access-log:"
"""How the ids of access log lines begin (tasks/logs/access_logs.py)."""
ONE_MOMENT = timedelta(seconds=2)

Judgement = tuple[bool | None, str]


class ObjectRead(Frozen):
    """One successful read of the exported image by somebody who is not our responder."""

    time: AwareDatetime
    event_id: str
    who: str
    """Caller and address, as the log names them."""
    operation: str
    outside: bool | None
    """None: the log does not tell."""
    why: str
    """The sentence behind `outside`."""
    principal_arn: str | None = None
    account: str | None = None
    source_address: str | None = None
    bytes_sent: int | None = None
    """None: the log does not tell, which is not zero."""
    status: int | None = None
    vpc_endpoint_id: str | None = None
    user_agent: str | None = None
    evidence: str | None = None


def object_reads(
    records: Sequence[LogRecord], organization: Organization, bucket: str | None = None
) -> tuple[ObjectRead, ...]:
    """The reads among records of one image, oldest first; our responders' own copies are not among them.

    `bucket`: where the image lies, so that a copy onto it from elsewhere counts as the write that it is.
    """
    seen = {r.event_id: r for r in records if _is_read(r, bucket) and not _responder(r, organization)}
    return tuple(_read(r, organization) for r in sorted(seen.values(), key=lambda r: r.time))


def same_read(read: ObjectRead, record: LogRecord) -> bool:
    """Whether a record tells of this read: the same event, or the other log's line about it.

    CloudTrail and the access log name a read differently; one address, one moment, and two logs are taken for one read.
    """
    if read.event_id == record.event_id:
        return True
    other_log = read.event_id.startswith(ACCESS_LOG) != record.event_id.startswith(ACCESS_LOG)
    near = abs(read.time - record.time) <= ONE_MOMENT
    return other_log and near and read.source_address is not None and read.source_address == record.source_address


def _is_read(record: LogRecord, bucket: str | None) -> bool:
    if record.event_name not in DOWNLOADS or record.error_code is not None:
        return False
    status = _number(record.additional.get("http_status"))
    if status is not None and status not in DELIVERED:
        return False
    source = record.request_parameters.get("x-amz-copy-source")
    if bucket is None or record.event_name not in COPIES or not isinstance(source, str):
        return True
    return source.lstrip("/").partition("/")[0] == bucket


def _responder(record: LogRecord, ours: Organization) -> bool:
    """A role of ours by name and account: anybody can name a role of their own account like one of ours.

    The bucket owner's record of our copier, which acts from the forensics account, names no role (CloudTrail user guide:
    a caller of another account is `AWSAccount`): there the session's name tells it, which only that account can give.
    """
    if record.principal_type == "AWSAccount" and record.caller_account == ours.forensics_account:
        return (record.principal_id or "").partition(":")[2].startswith(f"{ours.forensics_role}-")
    return any(account in _accounts(ours) and name in ours.responder_roles for account, name in _roles(record))


def _roles(record: LogRecord) -> Iterator[tuple[str, str]]:
    if match := re.fullmatch(r"arn:aws[\w-]*:iam::(\d{12}):role/(?:.*/)?([^/]+)", record.issuer_arn or ""):
        yield match[1], match[2]
    if match := re.fullmatch(r"arn:aws[\w-]*:sts::(\d{12}):assumed-role/([^/]+)/.*", record.principal_arn or ""):
        yield match[1], match[2]


def _read(record: LogRecord, ours: Organization) -> ObjectRead:
    outside, why = _judge(record, ours)
    sent = record.additional.get("bytesTransferredOut", record.additional.get("bytes_sent"))
    return ObjectRead(
        time=record.time,
        event_id=record.event_id,
        who=f"{record.caller or UNNAMED} from {record.source_address or 'an address that is not told'}",
        operation=record.event_name,
        outside=outside,
        why=why,
        principal_arn=record.principal_arn,
        account=record.caller_account,
        source_address=record.source_address,
        bytes_sent=_number(sent),
        status=_number(record.additional.get("http_status")),
        vpc_endpoint_id=record.vpc_endpoint_id,
        user_agent=record.user_agent,
    )


def _judge(record: LogRecord, ours: Organization) -> Judgement:
    """By account first, then by service, endpoint and address: whoever holds our credentials may sit anywhere."""
    if record.is_anonymous:
        return True, "It was read without credentials."
    account = record.caller_account
    if account and re.fullmatch(r"\d{12}", account) and account not in _accounts(ours):
        return True, f"Account {account} is not ours."
    if service := _service(record):
        return None, f"{service} read it: what that service was told to do with it has to be looked at."
    if account not in _accounts(ours) and not _bucket_owner(record):
        return None, f"Whose credentials {record.caller or UNNAMED} has is not known."
    return _by_endpoint(record, ours) or _by_address(record, ours)


def _service(record: LogRecord) -> str | None:
    named = record.principal_id or ""
    if record.principal_arn and record.principal_arn.startswith("arn:aws:iam::cloudfront:"):
        return "CloudFront"  # who asked CloudFront stands in its own logs only
    if record.invoked_by or record.principal_type == "AWSService":
        return record.invoked_by or named or "An AWS service"
    return named if named.startswith("svc:") or named == "AmazonS3" else None


def _bucket_owner(record: LogRecord) -> bool:
    """An access log names the owner's root user by the canonical id that also stands as the bucket's owner."""
    owner = record.additional.get("bucket_owner")
    return record.category == "access-log" and owner is not None and record.principal_id == owner


def _by_endpoint(record: LogRecord, ours: Organization) -> Judgement | None:
    if record.vpc_endpoint_id is None or record.vpc_endpoint_account is None:
        return None
    if record.vpc_endpoint_account in _accounts(ours):
        return False, f"It came through our VPC endpoint {record.vpc_endpoint_id}."
    return (
        True,
        f"It came through {record.vpc_endpoint_id} of account {record.vpc_endpoint_account}, which is not ours.",
    )


def _by_address(record: LogRecord, ours: Organization) -> Judgement:
    try:
        address = ip_address(record.source_address or "")
    except ValueError:
        return None, f"{record.source_address or 'No address'}: the log does not tell where the caller was."
    if _private(address):
        return None, f"{address} is a private address, in whose network is not told."
    if not ours.networks:
        return None, "organization.toml names no networks, so no address can be told from a stranger's."
    if any(address in ip_network(n, strict=False) for n in ours.networks):
        return False, f"{address} is of our networks."
    return True, f"{address} is none of our networks: with credentials of ours, from outside."


def _private(address: IPv4Address | IPv6Address) -> bool:
    return address.is_loopback or address.is_link_local or any(address in ip_network(n) for n in PRIVATE)


def _accounts(ours: Organization) -> frozenset[str]:
    return frozenset({*(a.id for a in ours.accounts), ours.management_account, ours.forensics_account})


def _number(value: Any) -> int | None:
    """A count as CloudTrail (float) or an access log (int) writes it; None for anything else."""
    counted = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**63
    return int(value) if counted else None
