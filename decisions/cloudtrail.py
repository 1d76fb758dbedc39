"""CloudTrail records, as AWS writes them, in our one shape; and the export that a record tells of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from decisions.activity import LogRecord
from decisions.export import ExportApi, ExportEvent, Outcome
from decisions.ledger import canonical_sha256
from decisions.parameters import answered, asked
from decisions.reading import Incomplete, Reading, clean, moment

EC2 = "ec2.amazonaws.com"
SOURCE = "cloudtrail"

_DENIED = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthFailure", "OptInRequired"}
_OUTCOMES = (
    dict.fromkeys(_DENIED, Outcome.DENIED)
    | dict.fromkeys(("NotExportable", "UnsupportedOperation"), Outcome.NOT_EXPORTABLE)
    | {"DryRunOperation": Outcome.DRY_RUN}
)
_IDENTITY = (
    "recipient_account", "caller_account", "region", "principal_type", "principal_arn", "principal_id", "issuer_arn",
    "source_identity", "invoked_by", "access_key_id", "source_address", "user_agent", "error_code",
)  # fmt: skip


def parse_record(record: Mapping[str, Any], origin: str) -> LogRecord:
    """A record of a log file, of LookupEvents' CloudTrailEvent or of an event's `detail`; session tokens are left out.

    `origin`: file, index or call that it was read from. Raises ValueError when it is no CloudTrail record. A record without
    eventID is named by the hash of its content.
    """
    name, source, time = _text(record, "eventName"), _text(record, "eventSource"), _text(record, "eventTime")
    when = moment(time) if time else None
    if not name or not source or when is None:
        raise ValueError("it is no CloudTrail record: eventName, eventSource or a plausible eventTime is missing")
    return LogRecord(
        event_id=_text(record, "eventID") or f"sha256:{_hash(record)}",
        time=when,
        event_name=name,
        event_source=source,
        region=_text(record, "awsRegion"),
        recipient_account=_text(record, "recipientAccountId"),
        **_identity(_map(record, "userIdentity")),
        source_address=_text(record, "sourceIPAddress"),
        user_agent=_text(record, "userAgent"),
        error_code=_text(record, "errorCode"),
        error_message=_text(record, "errorMessage"),
        read_only=_flag(record.get("readOnly")),
        request_parameters=_map(record, "requestParameters"),
        response_elements=_without_token(_map(record, "responseElements")),
        resources=_arns(record.get("resources")),
        additional=_map(record, "additionalEventData"),
        shared_event_id=_text(record, "sharedEventID"),
        category=_category(record),
        origin=origin,
    )


def export_event(record: LogRecord) -> ExportEvent | None:
    """The export that a record tells of; None when it tells of another call. Refused values are None, with a warning."""
    api = export_api(record.event_name, record.event_source)
    if api is None:
        return None
    reading = Reading()
    take_record(reading, api, record, SOURCE)
    return reading.event(api, outcome(record.error_code, record.error_message))


def export_api(event_name: str, event_source: str | None) -> ExportApi | None:
    """Which of the three APIs a call is; None for any other. An unknown source counts as EC2's."""
    ours = event_name in set(ExportApi) and event_source in {EC2, None}
    return ExportApi(event_name) if ours else None


def outcome(error_code: str | None, error_message: str | None = None) -> Outcome:
    """What CloudTrail's error says of the request; no error means that EC2 accepted it, not that the export is done."""
    if not error_code:
        return Outcome.FAILED if error_message else Outcome.ACCEPTED
    return _OUTCOMES.get(error_code.removeprefix("Client.").removeprefix("Server."), Outcome.FAILED)


def take_record(reading: Reading, api: ExportApi, record: LogRecord, source: str) -> None:
    """Offer everything that a record tells to a reading, under the source's name."""
    reading.take("event_id", [record.event_id], source)
    reading.take("event_time", [record.time.isoformat()], source)
    for field in _IDENTITY:
        reading.take(field, [getattr(record, field)], source)
    take_parameters(reading, api, record.request_parameters, record.response_elements, source)


def take_parameters(reading: Reading, api: ExportApi, request: Any, response: Any, source: str) -> None:
    """Offer what was asked and what EC2 answered."""
    if isinstance(request, dict) and cast("dict[str, Any]", request).get("omitted"):
        reading.warnings.append(
            f"{source} holds no parameters: CloudTrail left them out as too large, which can be meant to hide them"
        )
    for field, found in (*asked(api, request), *answered(api, response)):
        reading.take(field, found, source)


def _identity(identity: Mapping[str, Any]) -> dict[str, str | None]:
    session = _map(identity, "sessionContext")
    of_identity_center = _text(_map(identity, "onBehalfOf"), "userId")
    return {
        "caller_account": _text(identity, "accountId"),
        "principal_type": _text(identity, "type"),
        "principal_arn": _text(identity, "arn"),
        "principal_id": _text(identity, "principalId") or of_identity_center,
        "user_name": _text(identity, "userName"),
        "issuer_arn": _text(_map(session, "sessionIssuer"), "arn"),
        "access_key_id": _text(identity, "accessKeyId"),
        "source_identity": _text(session, "sourceIdentity"),
        "invoked_by": _text(identity, "invokedBy"),
    }


def _without_token(response: dict[str, Any]) -> dict[str, Any]:
    """A session token in clear helps nobody who reads the case, and whoever copies it from a report."""
    credentials = response.get("credentials")
    if not isinstance(credentials, dict) or "sessionToken" not in credentials:
        return response
    kept = {name: value for name, value in cast("dict[str, Any]", credentials).items() if name != "sessionToken"}
    return response | {"credentials": kept}


def _category(record: Mapping[str, Any]) -> Literal["Management", "Data"]:
    category = record.get("eventCategory")
    management = category == "Management" if isinstance(category, str) else record.get("managementEvent") is not False
    return "Management" if management else "Data"


def _arns(resources: Any) -> tuple[str, ...]:
    listed = cast("list[Any]", resources) if isinstance(resources, list) else []
    named = (cast("dict[str, Any]", item) for item in listed if isinstance(item, dict))
    return tuple(arn for item in named if (arn := _text(item, "ARN") or _text(item, "arn")))


def _hash(record: Mapping[str, Any]) -> str:
    try:
        return canonical_sha256(dict(record))
    except (ValueError, RecursionError) as error:  # RFC 8785 has no form for huge numbers and unpaired surrogates
        raise Incomplete(f"it has no eventID, and its content cannot be named by a hash: {error}") from error


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())


def _map(tree: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = tree.get(name)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(tree: Mapping[str, Any], name: str) -> str | None:
    value = tree.get(name)
    return clean(value) if isinstance(value, str) and value else None
