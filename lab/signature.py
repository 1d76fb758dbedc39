"""Signatures really checked: Signature V4 by header and by query, and S3's V2 presigned URLs, which boto3 still makes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, quote, unquote

from botocore.utils import normalize_url_path

from lab import clock
from lab.errors import AwsError
from lab.wire import Call

# The query parameters that are part of the signed resource in V2.
V2_RESOURCE = {
    "acl", "cors", "delete", "lifecycle", "location", "logging", "notification", "object-lock", "partNumber", "policy",
    "requestPayment", "replication", "restore", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning",
    "versions", "website", "response-cache-control", "response-content-disposition", "response-content-encoding",
    "response-content-language", "response-content-type", "response-expires",
}  # fmt: skip


def check(call: Call, secret: str) -> bool:
    """Whether the request was signed with this secret; AwsError for an expired URL or a body other than the signed one."""
    try:
        return _check(call, secret)
    except (ValueError, KeyError, OverflowError, OSError):  # a date, number or field that no signer writes
        return False


def _check(call: Call, secret: str) -> bool:
    query = _query(call)
    if "X-Amz-Signature" in query:
        _check_v4_expiry(query)
        return hmac.compare_digest(query["X-Amz-Signature"], _v4_query(call, query, secret))
    if "Signature" in query and "AWSAccessKeyId" in query:
        # V2 does not say when it was signed: it is taken to be from a time when the lab showed real time.
        _check_expired(datetime.fromtimestamp(int(query["Expires"]), UTC))
        return hmac.compare_digest(query["Signature"], _v2_query(call, query, secret))
    return _v4_header(call, secret)


def token(call: Call) -> str | None:
    """The session token that came with the request, from the header or the presigned query."""
    query = _query(call)
    return call.header("x-amz-security-token") or query.get("X-Amz-Security-Token") or query.get("x-amz-security-token")


def _query(call: Call) -> dict[str, str]:
    return {k: v[0] for k, v in parse_qs(call.environ.get("QUERY_STRING", ""), keep_blank_values=True).items()}


def _v4_header(call: Call, secret: str) -> bool:
    fields = dict(re.findall(r"(Credential|SignedHeaders|Signature)=([^,\s]+)", call.header("authorization") or ""))
    stamp = call.header("x-amz-date") or ""
    if set(fields) != {"Credential", "SignedHeaders", "Signature"} or not re.fullmatch(r"\d{8}T\d{6}Z", stamp):
        return False
    said = call.header("x-amz-content-sha256")
    actual = hashlib.sha256(call.body).hexdigest()
    if said and re.fullmatch(r"[0-9a-f]{64}", said) and said != actual:
        raise AwsError(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            400,
            ClientComputedContentSHA256=said,
            S3ComputedContentSHA256=actual,
        )
    signed = _v4(call, fields["Credential"], fields["SignedHeaders"], stamp, said or actual, secret)
    return hmac.compare_digest(fields["Signature"], signed)


def _v4_query(call: Call, query: dict[str, str], secret: str) -> str:
    payload = "UNSIGNED-PAYLOAD" if call.service == "s3" else hashlib.sha256(call.body).hexdigest()
    payload = query.get("X-Amz-Content-SHA256") or call.header("x-amz-content-sha256") or payload
    return _v4(call, query["X-Amz-Credential"], query["X-Amz-SignedHeaders"], query["X-Amz-Date"], payload, secret)


def _v4(call: Call, credential: str, signed_headers: str, stamp: str, payload: str, secret: str) -> str:
    _, day, region, service, terminal = credential.split("/")
    headers = "".join(f"{name}:{' '.join((call.header(name) or '').split())}\n" for name in signed_headers.split(";"))
    canonical = "\n".join([call.method, _path(call), _canonical_query(call), headers, signed_headers, payload])
    scope = f"{day}/{region}/{service}/{terminal}"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode('latin-1', 'replace')).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, terminal, text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


def _path(call: Call) -> str:
    raw = str(call.environ.get("RAW_URI", "/")).split("?", 1)[0] or "/"
    return raw if call.service == "s3" else quote(normalize_url_path(raw), safe="/~")


def _canonical_query(call: Call) -> str:
    raw = call.environ.get("QUERY_STRING", "")
    pairs = sorted(part.partition("=")[::2] for part in raw.split("&") if part)
    return "&".join(f"{name}={value}" for name, value in pairs if name != "X-Amz-Signature")


def _v2_query(call: Call, query: dict[str, str], secret: str) -> str:
    amz = sorted((name, value) for name, value in query.items() if name.startswith("x-amz-"))
    resource = str(call.environ.get("RAW_URI", "/")).split("?", 1)[0]
    parts = [part.split("=", 1) for part in call.environ.get("QUERY_STRING", "").split("&")]
    kept = sorted("=".join([p[0], *(unquote(v) for v in p[1:])]) for p in parts if p[0] in V2_RESOURCE)
    lines = [call.method, call.header("content-md5") or "", query.get("content-type", ""), query["Expires"]]
    lines += [f"{name}:{value}" for name, value in amz]
    lines.append(resource + ("?" + "&".join(kept) if kept else ""))
    digest = hmac.new(secret.encode(), "\n".join(lines).encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def _check_v4_expiry(query: dict[str, str]) -> None:
    signed = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    # The client signs by real time; what the lab's clock showed then is when the URL was made.
    _check_expired(clock.at(signed) + timedelta(seconds=int(query["X-Amz-Expires"])))


def _check_expired(expires: datetime) -> None:
    if clock.now() > expires:
        raise AwsError(
            "AccessDenied",
            "Request has expired",
            403,
            Expires=expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
            ServerTime=clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
