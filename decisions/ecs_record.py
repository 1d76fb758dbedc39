"""One CloudTrail event as Elastic's integration keeps it, read back into the record that CloudTrail wrote.

`event.original` is CloudTrail's own text and gives all of it. Where it was not kept, the record is put together from ECS
fields and objects (`flattened`), and from the text that stands for an object where that was not kept either; what the
integration leaves out (sourceIdentity, empty values) is absent then (notes/aws.md 3.1, notes/elastic.md 7.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import orjson

from decisions import ecs
from decisions.activity import LogRecord
from decisions.cloudtrail import parse_record
from decisions.hostile_json import NotJson, read_json
from decisions.java_map import Ambiguous, parse

SOURCE = (
    "@timestamp", "event.id", "event.action", "event.provider", "event.original", "aws.cloudtrail", "cloud.account.id",
    "cloud.region", "user.id", "user.name", "source.address", "source.ip", "user_agent.original",
)  # fmt: skip
"""The fields that are read here, as a search's `_source`."""

_PARTS = {
    "requestParameters": "request_parameters",
    "responseElements": "response_elements",
    "additionalEventData": "additional_eventdata",
}
_PLAIN = {
    "eventID": "event.id",
    "eventName": "event.action",
    "eventSource": "event.provider",
    "eventTime": "@timestamp",
    "awsRegion": "cloud.region",
    "userAgent": "user_agent.original",
    "recipientAccountId": "aws.cloudtrail.recipient_account_id",
    "errorCode": "aws.cloudtrail.error_code",
    "errorMessage": "aws.cloudtrail.error_message",
    "readOnly": "aws.cloudtrail.read_only",
    "eventCategory": "aws.cloudtrail.event_category",
    "sharedEventID": "aws.cloudtrail.shared_event_id",
    "vpcEndpointId": "aws.cloudtrail.vpc_endpoint_id",
    "vpcEndpointAccountId": "aws.cloudtrail.vpc_endpoint_account_id",
}
_IDENTITY = {
    "type": "aws.cloudtrail.user_identity.type",
    "arn": "aws.cloudtrail.user_identity.arn",
    "accessKeyId": "aws.cloudtrail.user_identity.access_key_id",
    "invokedBy": "aws.cloudtrail.user_identity.invoked_by",
    "principalId": "user.id",
    "accountId": "cloud.account.id",
    "userName": "user.name",
}
_ISSUER = "aws.cloudtrail.user_identity.session_context.session_issuer"
_WITHOUT_ACCOUNT = ("AWSService", "SAMLUser", "WebIdentityUser")


_FLATTENED = "aws.cloudtrail.flattened"
_Told = Mapping[str, Sequence[Any]]
_COUNTS = ("bytesTransferredIn", "bytesTransferredOut")


class Read(NamedTuple):
    """A record, and the names of its parts whose text could not be read for certain and was left out."""

    record: LogRecord
    left_out: tuple[str, ...] = ()


def read_hit(hit: Mapping[str, Any]) -> Read:
    """The record of a search hit with `_source` or `fields`. Raises ValueError when it is no CloudTrail event.

    `event.original` of another event is not believed. Its origin is `index/_id`.
    """
    document = cast("Mapping[str, Any]", hit.get("_source") or hit.get("fields") or {})
    origin = f"{hit.get('_index')}/{hit.get('_id')}"
    original = _original(document, origin)
    return Read(original) if original is not None else _from_fields(document, origin)


def _original(document: Mapping[str, Any], origin: str) -> LogRecord | None:
    """CloudTrail's own record; None where it was not kept, cannot be read or is not that of the document's event."""
    text, event_id = _one(document, "event.original"), _one(document, "event.id")
    if not isinstance(text, str):
        return None
    try:
        record = parse_record(_object(text), origin)
    except ValueError:
        return None
    return record if event_id in (None, record.event_id) else None


def _object(text: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value, _ = read_json(text)
    if not isinstance(value, dict):
        raise NotJson("it is no object")
    return cast("dict[str, Any]", value)


def _from_fields(document: Mapping[str, Any], origin: str) -> Read:
    """The record put together in CloudTrail's shape, so that one reader cleans and checks all records."""
    told = ecs.leaves(document, but=_FLATTENED)
    raw = {name: _only(told, path) for name, path in _PLAIN.items()}
    raw["sourceIPAddress"] = _only(told, "source.address") or _only(told, "source.ip")
    raw["userIdentity"] = _identity(told)
    raw["managementEvent"] = str(_only(told, "aws.cloudtrail.management_event")).lower() != "false"
    raw["resources"] = [{"ARN": arn} for arn in told.get("aws.cloudtrail.resources.arn", [])]
    left_out: list[str] = []
    for name, field in _PARTS.items():
        try:
            raw[name] = _part(document, told, field)
        except Ambiguous:
            left_out.append(name)
    return Read(parse_record(raw, origin), tuple(left_out))


def _identity(told: _Told) -> dict[str, Any]:
    found = {name: _only(told, path) for name, path in _IDENTITY.items()}
    issuer = _only(told, f"{_ISSUER}.arn")
    if issuer is not None or f"{_ISSUER}.principal_id" in told:
        found["userName"] = None  # it is the issuer's name: the pipeline writes it over the caller's
    if found["type"] in _WITHOUT_ACCOUNT:
        found["accountId"] = None  # newer pipelines put the recipient's there
    return found | {"sessionContext": {"sessionIssuer": {"arn": issuer}}}


def _part(document: Mapping[str, Any], told: _Told, field: str) -> dict[str, Any]:
    """Request, response or additional data. Raises Ambiguous where only a text is there that has no certain reading."""
    path = f"{_FLATTENED}.{field}"
    kept = ecs.plain(document, path) or document.get(path)
    if isinstance(kept, dict):
        return cast("dict[str, Any]", kept)  # as it is: a name of it may hold dots
    if (_dotted(document) or _dotted(ecs.plain(document, _FLATTENED))) and (taken_apart := ecs.tree(document, path)):
        return taken_apart
    text = _only(told, f"aws.cloudtrail.{field}")
    return _counted(dict(parse(text))) if isinstance(text, str) and text else {}


def _counted(found: dict[str, Any]) -> dict[str, Any]:
    """Java's text has no numbers: what CloudTrail counts in bytes is one again."""
    counts = {name: int(value) for name in _COUNTS if isinstance(value := found.get(name), str) and value.isdecimal()}
    return found | counts


def _only(told: _Told, path: str) -> Any:
    """The scalar at a path; None where there is none, or several that contradict each other."""
    found = told.get(path, ())
    return found[0] if len(found) == 1 else None


def _one(document: Mapping[str, Any], path: str) -> Any:
    """The same, for a document of which nothing else is read."""
    nested = ecs.plain(document, path)
    if isinstance(nested, str) and not _dotted(document):
        return nested
    found = ecs.scalars(document, path)
    return found[0] if len(found) == 1 else None


def _dotted(level: Any) -> bool:
    """Whether a level is no object, or has a dotted name: what is looked for may stand elsewhere."""
    return not isinstance(level, dict) or any("." in name for name in cast("dict[str, Any]", level))
