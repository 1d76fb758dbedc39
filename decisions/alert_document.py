"""One Elastic alert or ECS document of CloudTrail, read into the export that it tells of.

Elastic keeps request and response three times, and each can be missing: as an object (`flattened`), as CloudTrail's own
record (`event.original`), and as text that a caller can forge (notes/aws.md 3.2). They are believed in that order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from decisions.activity import LogRecord
from decisions.alert_events import behind
from decisions.cloudtrail import export_api, outcome, parse_record, take_parameters, take_record
from decisions.ecs import first, has, scalars, tree
from decisions.export import ExportApi, ExportEvent, Outcome
from decisions.hostile_json import NotJson, check_depth, read_json
from decisions.java_map import Ambiguous, JavaMap, parse
from decisions.reading import STRING, Incomplete, Reading

ECS, FLATTENED, ORIGINAL = "ecs", "flattened", "event.original"

_PATHS = {
    "event_id": ("event.id", "kibana.alert.original_event.id"),
    "recipient_account": ("aws.cloudtrail.recipient_account_id",),
    "caller_account": ("cloud.account.id",),
    "region": ("cloud.region",),
    "principal_type": ("aws.cloudtrail.user_identity.type",),
    "principal_arn": ("aws.cloudtrail.user_identity.arn",),
    "principal_id": ("user.id",),
    "issuer_arn": ("aws.cloudtrail.user_identity.session_context.session_issuer.arn",),
    "invoked_by": ("aws.cloudtrail.user_identity.invoked_by",),
    "access_key_id": ("aws.cloudtrail.user_identity.access_key_id",),
    "source_address": ("source.address", "source.ip"),
    "user_agent": ("user_agent.original",),
    "error_code": ("aws.cloudtrail.error_code",),
    "ingested": ("event.ingested", "kibana.alert.original_event.ingested"),
    "alert_id": ("kibana.alert.uuid",),
    "alert_rule": ("kibana.alert.rule.name", "signal.rule.name", "kibana.alert.rule.rule_id"),
}
_PARAMETERS = ("request_parameters", "response_elements")
_EVENT_TIME_OF_ALERT = ("kibana.alert.original_time", "signal.original_time")
_ACTION = ("event.action", "kibana.alert.original_event.action")
_PROVIDER = ("event.provider", "kibana.alert.original_event.provider")
_OUTCOME = ("event.outcome", "kibana.alert.original_event.outcome")


class OtherCall(Incomplete):
    """It tells its one event whole, and that is no export."""


def is_alert(document: Mapping[str, Any]) -> bool:
    """Whether a rule made the document: its `@timestamp` is then the alert's creation, never the event's time."""
    made = has(document, "kibana.alert") or has(document, "signal")
    return made or "signal" in scalars(document, "event.kind")


def is_document(document: Mapping[str, Any]) -> bool:
    """Whether it is an alert, or an event of the Elastic Common Schema."""
    return is_alert(document) or has(document, "event.action") or has(document, "aws.cloudtrail")


def export_of(document: Mapping[str, Any], alert_id: str | None = None) -> ExportEvent:
    """The export that an alert or ECS document tells of. `alert_id`: the search hit's `_id`.

    Raises OtherCall, or Incomplete with a sentence for what lacks the fields to say or stands for other events than one.
    """
    if has(document, "kibana.alert.building_block_type"):
        group = scalars(document, "kibana.alert.group.id")
        of = f" of group {ascii(str(group[0])[:80])[1:-1]}" if group else ""
        raise Incomplete(f"it is a building block{of}: the alert that it belongs to tells of the export")
    if is_alert(document) and (found := behind(document)) and found.kind not in {"suppressed", "sparse"}:
        raise Incomplete(f"{found.reason[:1].lower()}{found.reason[1:]} Its exports are known when they are asked for")
    api = _api(document)
    reading = Reading()
    for field, paths in _PATHS.items():
        reading.take(field, first(document, paths), ECS)
    reading.take("alert_id", [] if reading.values.get("alert_id") else [alert_id], ECS)
    times = _EVENT_TIME_OF_ALERT if is_alert(document) else ("@timestamp",)
    reading.take("event_time", first(document, times), ECS)
    reading.take("alert_created", scalars(document, "@timestamp") if is_alert(document) else [], ECS)
    request, response = (tree(document, f"aws.cloudtrail.flattened.{name}") for name in _PARAMETERS)
    take_parameters(reading, api, request, response, FLATTENED)
    original = _original(document, reading, api)
    if original is not None:
        take_record(reading, api, original, ORIGINAL)
    request, response = (_read_text(document, reading, name) for name in _PARAMETERS)
    take_parameters(reading, api, request, response, STRING)
    return reading.event(api, _outcome(document, original, reading))


def _api(document: Mapping[str, Any]) -> ExportApi:
    actions, providers = first(document, _ACTION), first(document, _PROVIDER)
    if not actions:
        raise Incomplete("it does not tell which API was called (event.action); read it again where it came from")
    if len(actions) > 1 or len(providers) > 1:
        raise Incomplete("event.action or event.provider has several values; read it again where it came from")
    api = export_api(str(actions[0]), str(providers[0]) if providers else None)
    if api is None:
        raise OtherCall(f"it tells of {str(actions[0])[:80]!a}, which exports no virtual machine")
    return api


def _original(document: Mapping[str, Any], reading: Reading, api: ExportApi) -> LogRecord | None:
    """CloudTrail's own record, if it is there and is the one that the document is about."""
    texts = scalars(document, ORIGINAL)
    if not texts:
        return None
    try:
        if len(texts) > 1 or not isinstance(texts[0], str):
            raise NotJson("it has several values, or is no text")
        value, notes = read_json(texts[0])
        check_depth(value)
        record = parse_record(cast("dict[str, Any]", value) if isinstance(value, dict) else {}, ORIGINAL)
    except ValueError as why:
        reading.warnings.append(f"event.original was not read: {why}")
        return None
    reading.warnings += [f"event.original: {note}" for note in notes]
    if record.event_name != api or record.event_id != reading.values.get("event_id", record.event_id):
        reading.warnings.append("event.original is the record of another call; it was not read")
        return None
    return record


def _read_text(document: Mapping[str, Any], reading: Reading, name: str) -> JavaMap:
    texts = [text for text in scalars(document, f"aws.cloudtrail.{name}") if text]
    if not texts:
        return {}
    try:
        if len(texts) > 1 or not isinstance(texts[0], str):
            raise Ambiguous("it has several values, or is no text")
        return parse(texts[0])
    except Ambiguous as why:
        if not {"bucket", "task_id"} <= set(reading.values):  # else nobody needs the text
            reading.warnings.append(f"the text of {name} was not read: {why}")
        return {}


def _outcome(document: Mapping[str, Any], original: LogRecord | None, reading: Reading) -> Outcome:
    code = reading.values.get("error_code")
    messages = scalars(document, "aws.cloudtrail.error_message")
    said = [str(value).lower() for value in first(document, _OUTCOME)]
    if code or messages or original is not None:
        return outcome(code, str(messages[0]) if messages else original.error_message if original else None)
    if said == ["failure"]:
        reading.warnings.append("it failed, and nothing tells why")
        return Outcome.FAILED
    if said != ["success"]:
        reading.warnings.append("nothing tells whether EC2 accepted it; taken as accepted until EC2 is asked")
    return Outcome.ACCEPTED
