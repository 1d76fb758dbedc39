"""What is hidden among the ordinary events: exports with what came before and after them, and what only looks like one."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from decisions.vm_export_grantees import export_service_id
from lab.generator_events import Kind
from lab.generator_records import BITS, assumed, differing, key_id, record, template

HOUR, DAY = 3600, 86400
APIS = ("CreateInstanceExportTask", "ExportImage", "CreateStoreImageTask")
STRANGER = "210987654321"


@dataclass
class Truth:
    """Event ids by what they are; `access_log_downloads` are request ids of access log lines."""

    events: int = 0
    files: int = 0
    exports: list[str] = field(default_factory=list)
    activity: list[str] = field(default_factory=list)
    downloads: list[str] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)
    access_log_downloads: list[str] = field(default_factory=list)
    decoys: list[str] = field(default_factory=list)
    redelivered: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Planted:
    """One record, and in which place and at which time it happens."""

    account: str
    region: str
    at: int
    event_id: str
    text: bytes


@dataclass
class Planter:
    """Writes records of incidents, and keeps the truth about them."""

    rng: random.Random
    truth: Truth = field(default_factory=Truth)
    planted: list[Planted] = field(default_factory=list)
    lines: dict[str, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    """Access log lines by bucket, with their time."""

    def add(self, kinds: tuple[str, ...], account: str, region: str, at: int, told: dict[str, Any]) -> None:
        """One record, filed in the truth under each of `kinds`."""
        values = differing(region, at, self.rng.getrandbits(BITS))
        text = template(told, account) % values
        event_id = values[b"i"].decode()
        self.planted.append(Planted(account, region, at, event_id, text))
        for kind in kinds:
            getattr(self.truth, kind).append(event_id)


def plant(planter: Planter, accounts: tuple[str, ...], regions: tuple[str, ...], start: int, days: int) -> None:
    """Seven incidents, an approved exporter, and decoys, spread over the period."""
    rng = planter.rng
    for number in range(7):
        account, region = accounts[number % len(accounts)], regions[number % len(regions)]
        at = start + int((days * DAY - 3 * HOUR) * (number + 0.5) / 8) + rng.randrange(HOUR)
        _incident(planter, number, account, region, at)
    for number in range(4):
        at = start + (days * DAY * (2 * number + 1)) // 8 + 2 * HOUR
        told = _export(accounts[0], _role(accounts[0], "migration", "wave", rng), 0, "approved-exports", _ids(rng))
        planter.add(("exports", "activity"), accounts[0], regions[0], at, told)
    for number, told in enumerate(_decoys(accounts[0], rng)):
        planter.add(("decoys",), accounts[0], regions[number % len(regions)], start + number * days * DAY // 9, told)


def _incident(planter: Planter, number: int, account: str, region: str, at: int) -> None:
    rng = planter.rng
    key = key_id("ASIA", rng)
    thief = assumed(account, "ops-admin", f"night-{number}", key, rng)
    bucket, ids = f"exports-{number}-{rng.getrandbits(32):08x}", _ids(rng)
    origin = Kind("sts", "AssumeRole", 1, {"roleArn": f"arn:aws:iam::{account}:role/ops-admin", "roleSessionName": f"night-{number}"},
                  {"credentials": {"accessKeyId": key, "sessionToken": "IQoJb3Jp$e"}})  # fmt: skip
    owner = {"type": "IAMUser", "principalId": "AIDA$k", "arn": f"arn:aws:iam::{account}:user/dev", "accountId": account,
             "accessKeyId": key_id("AKIA", rng), "userName": "dev"}  # fmt: skip
    planter.add(("activity",), account, region, at - 2400, record(account, owner, origin))
    for n, name in enumerate(("DescribeInstances", "DescribeImages", "ListBuckets")):
        service = "s3" if name == "ListBuckets" else "ec2"
        planter.add(
            ("activity",),
            account,
            region,
            at - 2000 + n,
            record(account, thief, Kind(service, name, 1, {"maxResults": 5})),
        )
    planter.add(
        ("activity",),
        account,
        region,
        at - 600,
        record(account, thief, _grant(number, bucket, export_service_id(region))),
    )
    denied = number == 4
    told = _export(account, thief, number, bucket, ids, denied)
    planter.add(("exports", "activity"), account, region, at, told)
    if not denied:
        _object(planter, number, account, region, at, thief, bucket, _key(number, ids))


def _grant(number: int, bucket: str, grantee: str) -> Kind:
    where = {"bucketName": bucket, "acl": ""}
    if number % 3 == 0:
        grant = {"Grantee": {"xsi:type": "CanonicalUser", "ID": grantee}, "Permission": "WRITE"}
        return Kind("s3", "PutBucketAcl", 1, where | {"AccessControlPolicy": {"AccessControlList": {"Grant": [grant]}}})
    if number % 3 == 1:
        return Kind("s3", "PutBucketAcl", 1, where | {"x-amz-grant-write": f'id="{grantee}"'})
    statement = {"Effect": "Allow", "Principal": {"CanonicalUser": grantee}, "Action": "s3:PutObject"}
    policy = {"Version": "2012-10-17", "Statement": [statement | {"Resource": f"arn:aws:s3:::{bucket}/*"}]}
    return Kind("s3", "PutBucketPolicy", 1, {"bucketName": bucket, "policy": "", "bucketPolicy": policy})


def _ids(rng: random.Random) -> str:
    return f"{rng.getrandbits(68):017x}"


def _key(number: int, ids: str) -> str:
    return (f"vms/export-i-{ids}.ova", f"vms/export-ami-{ids}.vmdk", f"vms/ami-{ids}.bin")[number % 3]


def _export(
    account: str, caller: dict[str, Any], number: int, bucket: str, ids: str, denied: bool = False
) -> dict[str, Any]:
    api = APIS[number % 3]
    place = {"diskImageFormat": "VMDK", "containerFormat": "ova", "s3Bucket": bucket, "s3Prefix": "vms/"}
    if api == APIS[0]:
        request: Any = {"instanceId": f"i-{ids}", "targetEnvironment": "vmware", "exportToS3": place}
        task = {"exportTaskId": f"export-i-{ids}", "state": "active", "instanceExport": {"instanceId": f"i-{ids}"}}
        response: Any = {
            "requestId": "$u",
            "exportTask": task | {"exportToS3": place | {"s3Key": f"vms/export-i-{ids}.ova"}},
        }
    elif api == APIS[1]:
        request = {"ExportImageRequest": {"ImageId": f"ami-{ids}", "DiskImageFormat": "VMDK",
                                          "S3ExportLocation": {"S3Bucket": bucket, "S3Prefix": "vms/"}}}  # fmt: skip
        response = {"ExportImageResponse": {"exportImageTaskId": f"export-ami-{ids}", "status": "active"}}
    else:
        request = {"CreateStoreImageTaskRequest": {"ImageId": f"ami-{ids}", "Bucket": f"{bucket}/vms"}}
        response = {"CreateStoreImageTaskResponse": {"objectKey": f"vms/ami-{ids}.bin"}}
    kind = Kind("ec2", api, 1, request, response, "Client.UnauthorizedOperation")
    return record(account, caller, kind, denied)


def _object(
    planter: Planter, number: int, account: str, region: str, at: int, thief: dict[str, Any], bucket: str, key: str
) -> None:
    rng = planter.rng
    where = {"bucketName": bucket, "key": key}
    service = _role(account, "vmimport", "vmie", rng)
    planter.add(
        ("touched",), account, region, at + 2 * HOUR, record(account, service, Kind("s3", "PutObject", 1, where))
    )
    readers: list[tuple[dict[str, Any], int]] = [
        ({"type": "AWSAccount", "principalId": f"AIDA{number}", "accountId": STRANGER, "arn": f"arn:aws:iam::{STRANGER}:user/x"}, 3 * HOUR),
        ({"type": "AWSAccount", "principalId": "", "accountId": "anonymous"}, 3 * HOUR),
        (thief, 3 * HOUR),
        ({"type": "AWSAccount", "principalId": "AIDAX", "accountId": STRANGER, "arn": f"arn:aws:iam::{STRANGER}:user/y"}, 2 * DAY),
    ]  # fmt: skip
    reader, later = readers[number % 4]
    size = {"bytesTransferredOut": 8589934592.0, "SignatureVersion": "SigV4"}
    more = {
        "additionalEventData": size,
        "resources": [{"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::{bucket}/{key}"}],
    }
    same = ("activity",) if reader is thief else ()
    head = record(account, reader, Kind("s3", "HeadObject", 1, where), **more)
    planter.add(("touched", *same), account, region, at + later - 60, head)
    planter.add(
        ("downloads", *same),
        account,
        region,
        at + later,
        record(account, reader, Kind("s3", "GetObject", 1, where), **more),
    )
    request = f"{rng.getrandbits(64):016X}"
    planter.truth.access_log_downloads.append(request)
    requester = reader.get("arn") or "-"
    planter.lines[bucket].append((at + later, f'203.0.113.7 {requester} {request} REST.GET.OBJECT {key} "GET /{bucket}/{key} HTTP/1.1" 200 - 8589934592 8589934592 9000 20 "-" "aws-cli/2 "quoted" x" - $host SigV4 TLS_AES_128_GCM_SHA256 AuthHeader {bucket}.s3.amazonaws.com TLSv1.3 - - {region}'))  # fmt: skip


def _role(account: str, role: str, session: str, rng: random.Random) -> dict[str, Any]:
    return assumed(account, role, session, key_id("ASIA", rng), rng)


def _decoys(account: str, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Records that hold the APIs' names and are none of them."""
    caller = _role(account, "soc-reader", "watch", rng)
    fake = json.dumps({"eventVersion": "1.08", "eventName": "ExportImage", "eventSource": "ec2.amazonaws.com"})
    policy = '{"Statement":[{"Effect":"Deny","Action":["ec2:ExportImage","ec2:CreateInstanceExportTask"]}]}'
    nested = [{"eventVersion": "1.08", "eventName": api, "eventSource": "ec2.amazonaws.com"} for api in APIS]
    yield record(account, caller, Kind("cloudtrail", "LookupEvents", 1, {"lookupAttributes": [{"attributeKey": "EventName", "attributeValue": "ExportImage"}]}))  # fmt: skip
    yield record(account, caller, Kind("iam", "PutRolePolicy", 1, {"roleName": "guard", "policyDocument": policy}))
    yield record(account, caller, Kind("ec2", "DescribeExportTasks", 1, {"note": "CreateInstanceExportTask"}))
    yield record(
        account, caller, Kind("events", "PutRule", 1, {"eventPattern": '{"detail":{"eventName":["ExportImage"]}}'})
    )
    yield record(account, caller, Kind("states", "StartExecution", 1, {"input": fake}))
    yield record(
        account, caller, Kind("iam", "SimulatePrincipalPolicy", 1, {"actionNames": ["ec2:CreateStoreImageTask"]})
    )
    yield record(
        account, caller, Kind("iam", "PutUserPolicy", 1, {"policyDocument": policy}), userAgent="ExportImage/1"
    )
    yield record(account, caller, Kind("bedrock", "InvokeModel", 1, {"documents": nested}))
    yield record(account, caller, Kind("app", "ExportImage", 1, {"imageId": "x"}))
