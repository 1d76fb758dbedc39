"""CloudTrail records as bytes: rendered once for each kind of call and caller, then only what differs is put in."""

from __future__ import annotations

import json
import random
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from lab.generator_events import DATA, KINDS, Kind

ACCOUNTS = ("111122223333", "444455556666", "777788889999", "123456789012", "210987654321")
"""Ids that AWS's documentation uses."""
REGIONS = ("us-east-1", "eu-west-1", "us-west-2")
CALLERS = 60
AGENTS = (
    "aws-cli/2.27.1 md/awscrt#0.26.1 ua/2.1 os/linux#6.8 lang/python#3.13",
    "Boto3/1.40.1 md/Botocore#1.40.1 ua/2.1 os/linux#6.8 lang/python#3.12",
    "aws-sdk-java/2.31.0 Linux/6.8 OpenJDK_64-Bit_Server_VM/21",
    "[S3Console/0.4, aws-internal/3]",
    "APN/1.0 HashiCorp/1.0 Terraform/1.12",
    'curl/8.5 \\"quoted\\" agent',
)
LARGE = 20_000
"""One in so many records is of 60 to 250 KB."""
BITS = 640
TOKEN, TOKEN_BYTES = b"%(y)b", 480
NETWORKS = (b"192.0.2", b"198.51.100", b"203.0.113")
MARKS = re.compile(r"\$([xunbkitzdeqsjvwyh])")
SESSIONS, ENDPOINTS = 8, 5
"""Sessions of a function in an hour; VPC endpoints of an account in a Region."""


def key_id(prefix: str, rng: random.Random) -> str:
    """An access key or principal id: four letters of its kind and sixteen more."""
    return prefix + "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16))


def identity(account: str, number: int, rng: random.Random) -> dict[str, Any]:
    """Who calls: for each account the same few users, roles, people and services."""
    if number % 10 == 0:
        name, principal = f"build-{number}", key_id("AIDA", rng)
        arn = f"arn:aws:iam::{account}:user/{name}"
        return {"type": "IAMUser", "principalId": principal, "arn": arn, "accountId": account,
                "accessKeyId": key_id("AKIA", rng), "userName": name}  # fmt: skip
    if number % 10 == 1:
        return {"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"}
    role = f"AWSReservedSSO_Admin_{rng.getrandbits(64):016x}" if number % 10 == 2 else f"app-{number}"
    if number % 2:  # a function: each of its instances is a session with a key of its own, for an hour
        return assumed(account, role, f"{role}-$s", f"{key_id('ASIA', rng)[:10]}$j", rng, "$h")
    session = f"person{number}@example.com" if number % 10 == 2 else f"i-{rng.getrandbits(68):017x}"
    return assumed(account, role, session, key_id("ASIA", rng), rng)


def assumed(account: str, role: str, session: str, key: str, rng: random.Random, since: str = "$t") -> dict[str, Any]:
    """A session of a role."""
    principal = key_id("AROA", rng)
    issuer = {"type": "Role", "principalId": principal, "arn": f"arn:aws:iam::{account}:role/{role}",
              "accountId": account, "userName": role}  # fmt: skip
    attributes = {"creationDate": since, "mfaAuthenticated": "false"}
    return {"type": "AssumedRole", "principalId": f"{principal}:{session}",
            "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}", "accountId": account, "accessKeyId": key,
            "sessionContext": {"sessionIssuer": issuer, "attributes": attributes}}  # fmt: skip


def record(account: str, caller: Mapping[str, Any], kind: Kind, failed: bool = False, **more: Any) -> dict[str, Any]:
    """One record with marks where events of its kind differ; `more` replaces fields."""
    source = "signin.amazonaws.com" if kind.service == "signin" else f"{kind.service}.amazonaws.com"
    of_service = caller.get("type") == "AWSService"
    told: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": dict(caller),
        "eventTime": "$t",
        "eventSource": source,
        "eventName": kind.name,
        "awsRegion": "$z",
        "sourceIPAddress": caller.get("invokedBy") if of_service else "$d",
        "userAgent": caller.get("invokedBy") if of_service else AGENTS[hash_of(kind.name) % len(AGENTS)],
    }
    if failed and kind.error:
        told |= {"errorCode": kind.error, "errorMessage": f"refused: {kind.error}"}
    told |= {"requestParameters": kind.request, "responseElements": None if failed else kind.response}
    if kind.data:
        told["additionalEventData"] = {"bytesTransferredIn": 0, "bytesTransferredOut": "$w", "SignatureVersion": "SigV4",
                                       "CipherSuite": "TLS_AES_128_GCM_SHA256", "x-amz-id-2": "$e="}  # fmt: skip
    told |= {"requestID": "$u" if kind.service != "s3" else "$q", "eventID": "$i", "readOnly": kind.reads}
    if kind.service in DATA and kind.data:
        told["resources"] = [{"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::$b/data/part-$x"}]
    if kind.data and kind.service == "s3":
        told["vpcEndpointId"], told["vpcEndpointAccountId"] = "vpce-$v", account
    told |= {"eventType": "AwsApiCall", "managementEvent": not kind.data, "recipientAccountId": account,
             "eventCategory": "Data" if kind.data else "Management"}  # fmt: skip
    if not of_service:
        told["tlsDetails"] = {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256",
                              "clientProvidedHostHeader": f"{kind.service}.$z.amazonaws.com"}  # fmt: skip
    return told | more


def hash_of(text: str) -> int:
    """The same number in every process."""
    return sum(text.encode())


def template(told: Mapping[str, Any], account: str) -> bytes:
    """A record as a bytes format: `$x` becomes `%(x)b`."""
    text = json.dumps(told, separators=(",", ":")).replace("000000000000", account)
    return MARKS.sub(r"%(\1)b", text.replace("%", "%%").replace('"$w"', "$w")).encode()


@dataclass
class Source:
    """Events without end for one account and Region, the same for the same seed."""

    account: str
    region: str
    rng: random.Random
    callers: list[dict[str, Any]] = field(init=False)
    templates: dict[tuple[int, int, bool], bytes] = field(init=False)

    def __post_init__(self) -> None:
        # The callers of an account are the same in every file of it, whatever else is drawn.
        people = random.Random(self.account)  # noqa: S311 - made-up data, the same for the same seed
        self.callers = [identity(self.account, number, people) for number in range(CALLERS)]
        self.templates = _templates.setdefault(self.account, {})
        self._weights = [sum(kind.weight for kind in KINDS[: n + 1]) for n in range(len(KINDS))]

    def batch(self, times: list[int]) -> list[bytes]:
        """One record for each time (seconds since 1970)."""
        rng = self.rng
        kinds = rng.choices(range(len(KINDS)), cum_weights=self._weights, k=len(times))
        return [self.event(kind, int(rng.random() * CALLERS), at) for kind, at in zip(kinds, times, strict=True)]

    def event(self, number: int, caller: int, at: int) -> bytes:
        """One record."""
        bits = self.rng.getrandbits(BITS)
        failed = bits % 20 == 0 and KINDS[number].error is not None
        shape = self.templates.get((number, caller, failed))
        if shape is None:
            told = record(self.account, self.callers[caller], KINDS[number], failed)
            shape = self.templates[number, caller, failed] = template(told, self.account)
        values = differing(self.region, at, bits)
        if TOKEN in shape:
            values[b"y"] = b64encode(self.rng.randbytes(TOKEN_BYTES))
        text = shape % values
        if bits % LARGE == 7:
            large = b'"requestParameters":{"filler":"' + text[:600].replace(b'"', b"'").replace(b"\\", b"") * (
                100 + bits % 300
            )
            text = text.replace(b'"requestParameters":{', large + b'",', 1)
        return text


_templates: dict[str, dict[tuple[int, int, bool], bytes]] = {}
_seconds: dict[int, bytes] = {}
_sessions: dict[tuple[int, int], tuple[bytes, bytes]] = {}


def differing(region: str, at: int, bits: int) -> dict[bytes, bytes]:
    """What makes one event differ from the next, drawn from random bits."""
    text = f"{bits:0160x}"
    if len(_seconds) > 100_000:
        _seconds.clear()
    when = _seconds.get(at)
    if when is None:
        when = _seconds[at] = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    hour, number = at // 3600, bits % SESSIONS
    session = _sessions.get((hour, number))
    if session is None:
        told = sha256(f"{hour} {number}".encode()).hexdigest()
        session = _sessions[hour, number] = told[:17].encode(), told[17:27].upper().encode()
    first = f"{text[0:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:32]}".encode()
    second = f"{text[8:16]}-{text[0:4]}-4{text[5:8]}-9{text[21:24]}-{text[32:44]}".encode()
    return {
        b"t": when,
        b"i": first,
        b"q": text[64:80].upper().encode(),
        b"h": when[:14] + b"00:00Z",
        b"j": session[1],
        b"v": b"%017x" % (0x0A1B2C3D4E5F60718 + bits % ENDPOINTS),
        b"w": str(bits % 99_991).encode(),
        b"s": session[0],
        b"u": second,
        b"x": text[44:61].encode(),
        b"n": str(bits % 97).encode(),
        b"b": b"data-%d-bucket" % (bits % 13),
        b"k": text[16:32].upper().encode(),
        b"z": region.encode(),
        b"e": b64encode(bits.to_bytes(BITS // 8, "big")[30:]),
        b"d": b"%b.%d" % (NETWORKS[bits % 3], 1 + (bits >> 40) % 250),
    }
