"""A line of an S3 server access log as the document that Elastic's AWS integration indexes (notes/elastic.md 7.4, aws.md 3.3).

The integration's pattern knows no `+`, `=` or `,` in a requester, all of which a session name may hold: such a line becomes
an `event.kind: pipeline_error` without fields, and with the time of reading instead of its own.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from lab.ecs import ECS_VERSION, cleaned, stamp

Json = dict[str, Any]

NUMBERS = ("http_status", "bytes_sent", "object_size", "total_time", "turn_around_time")
LINE = re.compile(
    r"(?P<bucket_owner>\w+|-) (?P<bucket>\S+) \[(?P<time>[^\]]+)\] (?P<remote_ip>\S+) "
    r"(?P<requester>[a-zA-Z0-9/_.\-%:@]+) (?P<request_id>\S+) (?P<operation>\S+) (?P<key>\S+) "
    r'"?(?P<request_uri>.*?)"? (?P<http_status>\d{3}|-) (?P<error_code>\S+) (?P<bytes_sent>\d+|-) '
    r"(?P<object_size>\d+|-) (?P<total_time>\d+|-) (?P<turn_around_time>\d+|-) "
    r'"?(?P<referrer>.*?)"? "(?P<user_agent>.*?)" (?P<version_id>\S+)'
    r"(?: (?P<host_id>\S+) (?P<signature_version>\S+) (?P<cipher_suite>\S+) (?P<authentication_type>\S+)"
    r"(?: (?P<host_header>\S+)(?: (?P<tls_version>\S+)(?: (?P<access_point_arn>\S+)(?: (?P<aclrequired>\S+)"
    r"(?: (?P<source_region>\S+))?)?)?)?)?)?"
)
REQUEST = re.compile(r"(?P<method>\S+) (?P<url>\S+) HTTP/(?P<version>\S+)")


def document(line: str, now: datetime | None = None) -> Json:
    """The document of one line, read now. Its `event.ingested` is for whoever indexes it."""
    read = now or datetime.now(UTC)
    found = LINE.match(line)
    if found is None:
        return _failed(line, read, "Provided Grok expressions do not match field value")
    told: Json = {name: value for name, value in found.groupdict().items() if value not in {None, "-", ""}}
    try:
        at = datetime.strptime(told.pop("time"), "%d/%b/%Y:%H:%M:%S %z")
    except ValueError:
        return _failed(line, read, "unable to parse date")
    told |= {name: int(told[name]) for name in NUMBERS if name in told}
    request = REQUEST.match(told.get("request_uri", ""))
    address = told.get("remote_ip")
    return dict(
        cleaned(
            {
                "@timestamp": stamp(at),
                "ecs": {"version": ECS_VERSION},
                "event": _event(told, read),
                "aws": {"s3access": told},
                "client": {"address": address, "ip": _ip(address), "user": {"id": told.get("requester")}},
                "cloud": {"provider": "aws"},
                "http": _http(told, request),
                "url": _url(request),
                "tls": _tls(told),
                "user_agent": {"original": told.get("user_agent")},
                # The bucket's owner, not the requester.
                "related": {"user": [told.get("bucket_owner")], "ip": [_ip(address)]},
                "tags": ["forwarded", "aws-s3access"],
            }
        )
    )


def _failed(line: str, read: datetime, why: str) -> Json:
    return {
        "@timestamp": stamp(read),
        "ecs": {"version": ECS_VERSION},
        "event": {"kind": "pipeline_error", "original": line, "dataset": "aws.s3access", "module": "aws"},
        "error": {"message": f"{why}: [{line}]"},
        "tags": ["forwarded", "aws-s3access"],
    }


def _event(told: Json, read: datetime) -> Json:
    return {
        "kind": "event",
        "category": ["web"],
        "type": ["access"],
        "action": told.get("operation"),
        "id": told.get("request_id"),
        "code": told.get("error_code"),
        # By the error code alone: a 403 without one counts as a success.
        "outcome": "failure" if "error_code" in told else "success",
        "duration": told["total_time"] * 1_000_000 if "total_time" in told else None,
        "created": stamp(read),
        "dataset": "aws.s3access",
        "module": "aws",
    }


def _http(told: Json, request: re.Match[str] | None) -> Json:
    return {
        "request": {"method": request["method"] if request else None, "referrer": told.get("referrer")},
        "response": {"status_code": told.get("http_status"), "body": {"bytes": told.get("bytes_sent")}},
        "version": request["version"] if request else None,
    }


def _url(request: re.Match[str] | None) -> Json:
    if request is None:
        return {}
    path, _, query = request["url"].partition("?")
    return {"original": request["url"], "path": path, "query": query}


def _tls(told: Json) -> Json:
    protocol, _, version = told.get("tls_version", "").partition("v")
    return {"cipher": told.get("cipher_suite"), "version_protocol": protocol.lower(), "version": version}


def _ip(address: str | None) -> str | None:
    try:
        return str(ip_address(address or ""))
    except ValueError:
        return None
