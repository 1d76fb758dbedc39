"""What a bucket's policy and ACL say, told apart: grants for AWS's export service, statements of ours, and all the rest."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any, cast

from decisions.access import principals
from decisions.bucket_policy import of_the_living, without_export_grants
from decisions.ledger import canonical_sha256
from decisions.policy import SID_PREFIX, PolicyError
from decisions.policy_document import read_policy, statements, strings, write_policy
from decisions.vm_export_grantees import EXPORT_SERVICE_IDS
from tasks.actions.base import State

NARROWING = frozenset(
    {
        "aws:principalarn", "aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount", "aws:sourcearn",
        "aws:sourceaccount", "aws:sourceowner", "aws:sourcevpc", "aws:sourcevpce", "aws:userid", "s3:dataaccesspointarn",
        "s3:dataaccesspointaccount", "s3:x-amz-server-side-encryption-aws-kms-key-id",
    }
)  # fmt: skip
"""Keys that keep a statement for everybody from being public, with a fixed value and a positive operator."""
POSITIVE = frozenset({"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "ipaddress"})


def meaning(state: State) -> State:
    """A state in which what S3 may write differently is alike: one entry or a list of one, and the order of lists."""
    return {part: _alike(_document(value)) if part == "policy" else value for part, value in state.items()}


def without_ours(part: str, value: Any) -> Any:
    """The part without statements of ours and without grants for the export service, which have actions of their own."""
    if part == "policy":
        text = _without_grants(value)
        kept = [s for s in _statements(text) if not str(s.get("Sid", "")).startswith(SID_PREFIX)]
        return _alike(kept)
    if part == "acl" and value is not None:
        return value | {"grants": [g for g in value["grants"] if g["grantee_id"] not in EXPORT_SERVICE_IDS]}
    return value


def without_public(text: str | None) -> str | None:
    """The policy without the Allows that S3 calls public; None where nothing is left.

    RestrictPublicBuckets refuses everybody from other accounts while there is one: the copier too. Raises PolicyError.
    """
    if text is None:
        return None
    document = read_policy(text)
    kept = [s for s in statements(document) if not is_public(s)]
    if len(kept) == len(statements(document)):
        return text
    return write_policy(document | {"Statement": kept}) if kept else None


def is_public(statement: dict[str, Any]) -> bool:
    """Whether S3 calls an Allow public. Source: S3 user guide, "The meaning of public"."""
    if statement.get("Effect") != "Allow" or "*" not in principals(statement):
        return False
    condition = cast("dict[str, dict[str, Any]]", statement.get("Condition") or {})
    tests = ((op, key, strings(values)) for op, keys in condition.items() for key, values in keys.items())
    return not any(_narrows(op, key, values) for op, key, values in tests)


def _narrows(operator: str, key: str, values: tuple[str, ...]) -> bool:
    if operator.lower() not in POSITIVE or not values:
        return False
    if key.lower() == "aws:sourceip":
        return all(_is_narrow(value) for value in values)
    return key.lower() in NARROWING and not any("*" in v or "?" in v or "${" in v for v in values)


def _is_narrow(cidr: str) -> bool:
    try:
        network = ip_network(cidr, strict=False)
    except ValueError:
        return False
    return network.prefixlen >= (8 if network.version == 4 else 32)


def only_grants(part: str, value: Any) -> Any:
    """What the part grants to AWS's export service, and nothing else of it."""
    if part == "policy":
        without = [_alike(s) for s in _statements(_without_grants(value))]
        return [s for s in map(_alike, _statements(value)) if s not in without]
    if part == "acl" and value is not None:
        return [g for g in value["grants"] if g["grantee_id"] in EXPORT_SERVICE_IDS]
    return None


def _without_grants(text: str | None) -> str | None:
    try:
        return None if text is None else without_export_grants(text)
    except PolicyError:
        return text


def _statements(text: str | None) -> tuple[dict[str, Any], ...]:
    document = _document(text)
    return statements(cast("dict[str, Any]", document)) if isinstance(document, dict) else ()


def _document(text: str | None) -> Any:
    """The policy without deleted principals; the text itself where it cannot be read, so that it is compared as it is."""
    try:
        living = None if text is None else of_the_living(text)
        return None if living is None else read_policy(living)
    except PolicyError:
        return text


def _alike(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _alike(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        items = [_alike(item) for item in cast("list[Any]", value)]
        return items[0] if len(items) == 1 else sorted(items, key=canonical_sha256)
    return value
