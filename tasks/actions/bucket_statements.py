"""What a bucket's policy and ACL say, told apart: grants for AWS's export service, statements of ours, and all the rest."""

from __future__ import annotations

from typing import Any, cast

from decisions.bucket_policy import without_export_grants
from decisions.ledger import canonical_sha256
from decisions.policy import SID_PREFIX, PolicyError
from decisions.policy_document import read_policy, statements
from decisions.vm_export_grantees import EXPORT_SERVICE_IDS
from tasks.actions.base import State


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
    """The policy; the text itself where it cannot be read, so that it is compared as it is."""
    try:
        return None if text is None else read_policy(text)
    except PolicyError:
        return text


def _alike(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _alike(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        items = [_alike(item) for item in cast("list[Any]", value)]
        return items[0] if len(items) == 1 else sorted(items, key=canonical_sha256)
    return value
