"""Bucket policies: what S3 refuses to keep, and which of them it calls public."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any

from decisions.iam_policy import statements, strings
from lab import credentials
from lab.errors import AwsError

MAX_BYTES = 20 * 1024
VERSIONS = ("2012-10-17", "2008-10-17")
ELEMENTS = {
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
}  # fmt: skip
NARROWING = {
    "aws:principalarn", "aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount", "aws:sourcearn",
    "aws:sourceaccount", "aws:sourceowner", "aws:sourcevpc", "aws:sourcevpce", "aws:userid", "s3:dataaccesspointarn",
    "s3:dataaccesspointaccount", "s3:x-amz-server-side-encryption-aws-kms-key-id",
}  # fmt: skip
"""With a fixed value, these keep a statement for everybody from being public. Source: S3 user guide, "The meaning of public"."""
POSITIVE = {"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "ipaddress"}
WIDEST = {4: 8, 6: 32}
"""Address ranges wider than these prefixes count as everybody."""


def parse(text: str, bucket: str) -> dict[str, Any]:
    """The policy, or MalformedPolicy in S3's words."""
    if len(text.encode()) > MAX_BYTES:
        raise _malformed("Policy exceeds the maximum allowed document size.")
    try:
        document = json.loads(text)
    except ValueError:
        raise _malformed("Policies must be valid JSON and the first byte must be '{'") from None
    if not isinstance(document, dict) or not text.lstrip().startswith("{"):
        raise _malformed("Policies must be valid JSON and the first byte must be '{'")
    if document.get("Version", VERSIONS[1]) not in VERSIONS:
        raise _malformed("The policy must contain a valid version string")
    said = document.get("Statement")
    listed = said if isinstance(said, list) else [said]
    if not listed or not all(isinstance(s, dict) for s in listed):
        raise _malformed("Missing required field Statement")
    for statement in listed:
        _check(statement, bucket)
    return document


def _check(statement: dict[str, Any], bucket: str) -> None:
    if unknown := set(statement) - ELEMENTS:
        raise _malformed(f"Unknown field {sorted(unknown)[0]}")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise _malformed(f"Invalid effect: {statement.get('Effect')}")
    for one, other in (("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource")):
        if (one in statement) == (other in statement):
            raise _malformed(f"Missing required field {one}")
    actions = strings(statement.get("Action", statement.get("NotAction")))
    if not actions or not all(a == "*" or re.fullmatch(r"(?i)s3:[\w*?]+", a) for a in actions):
        raise _malformed("Policy has invalid action")
    resources = strings(statement.get("Resource", statement.get("NotResource")))
    if not resources or not all(_is_of(r, bucket) for r in resources):
        raise _malformed("Policy has invalid resource")
    _check_principal(statement.get("Principal", statement.get("NotPrincipal")))
    condition = statement.get("Condition", {})
    if not isinstance(condition, dict) or not all(isinstance(c, dict) and c for c in condition.values()):
        raise _malformed("Invalid Condition type")


def _is_of(resource: str, bucket: str) -> bool:
    own = f"arn:{credentials.PARTITION}:s3:::{bucket}"
    return resource in (own, f"{own}*") or resource.startswith(f"{own}/")


def _check_principal(principal: Any) -> None:
    if principal == "*":
        return
    if not isinstance(principal, dict) or not principal:
        raise _malformed("Invalid policy syntax.")
    for kind, named in principal.items():
        values = strings(named)
        known = {"AWS": _exists, "CanonicalUser": _is_canonical, "Service": _is_service, "Federated": bool}.get(kind)
        if known is None or not values or not all(known(value) for value in values):
            raise _malformed("Invalid principal in policy")


def _exists(principal: str) -> bool:
    """Whether IAM knows the principal: S3 keeps no policy that names one which is not there."""
    if principal == "*" or re.fullmatch(r"\d{12}", principal):
        return True
    found = re.fullmatch(
        rf"arn:{credentials.PARTITION}:(iam|sts)::(\d{{12}}):(root|(?:user|role|assumed-role)/.+)", principal
    )
    if found is None or "*" in principal:
        return False
    service, account, rest = found.groups()
    if rest == "root" or service == "sts":
        return True
    backend = credentials.iam(account)
    holders = backend.users if rest.startswith("user/") else backend.roles
    return any(holder.arn == principal for holder in list(holders.values()))


def _is_canonical(value: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _is_service(value: str) -> bool:
    return re.fullmatch(r"[\w.-]+\.amazonaws\.com(\.cn)?", value) is not None


def _malformed(text: str) -> AwsError:
    return AwsError("MalformedPolicy", text, 400)


def is_public(document: dict[str, Any]) -> bool:
    """Whether S3 calls the policy public: a statement lets everybody in, and no condition with a fixed value narrows it."""
    return any(_opens(s) for s in statements(document) if s.get("Effect") == "Allow")


def _opens(statement: dict[str, Any]) -> bool:
    if "NotPrincipal" not in statement:
        principal = statement.get("Principal")
        named = strings(principal.get("AWS")) if isinstance(principal, dict) else strings(principal)
        if "*" not in named:
            return False
    return not any(_narrows(op, key, values) for op, tests in (statement.get("Condition") or {}).items()
                   for key, values in tests.items())  # fmt: skip


def _narrows(operator: str, key: str, values: Any) -> bool:
    name = operator.lower().rpartition(":")[2]
    if name not in POSITIVE:
        return False
    texts = strings(values)
    if key.lower() == "aws:sourceip":
        return bool(texts) and all(_is_narrow(text) for text in texts)
    return key.lower() in NARROWING and bool(texts) and not any("${" in t or t.strip("*?") == "" for t in texts)


def _is_narrow(cidr: str) -> bool:
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return False
    return network.prefixlen >= WIDEST[network.version]
