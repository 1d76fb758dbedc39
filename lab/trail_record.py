"""One API call as CloudTrail writes it: identity, the two styles of EC2 parameters, S3's own names, errors with their prefix."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lab import trail_s3
from lab.answers import Answer, read_answer
from lab.caller import Caller
from lab.trail_shapes import STYLE_B, lower_camel, style_a, style_b
from lab.wire import Call

Record = dict[str, Any]

VERSION = "1.11"
GLOBAL = ("iam", "organizations", "route53", "cloudfront")
SOURCES = {
    "s3control": "s3",
    "cloudwatch": "monitoring",
    "stepfunctions": "states",
    "sso-admin": "sso",
    "elbv2": "elasticloadbalancing",
}
READS = (
    "Get",
    "List",
    "Describe",
    "Head",
    "Lookup",
    "Simulate",
    "Search",
    "Select",
    "BatchGet",
    "Decode",
    "Test",
    "View",
)
READ_TOO = ("AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "GenerateCredentialReport")
SECRETS = ("secretAccessKey", "password", "newPassword", "oldPassword", "secretString", "plaintext", "tokenCode")
MAX_PARAMETERS = 100 * 1024
TLS = {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256"}


@dataclass
class Notes:
    """What lower layers know of the call in hand and want in its record."""

    additional: dict[str, Any] = field(default_factory=dict)


def of_call(call: Call, caller: Caller, answer: Answer, at: datetime, notes: Notes) -> Record:
    """The record as the caller's own account gets it; `recipientAccountId` is for the trail to set."""
    read_only = is_read(call.operation)
    quiet = read_only and call.operation not in READ_TOO and answer.status < 300
    parsed = {} if quiet else read_answer(call, answer)
    code, message = error_of(call, answer, parsed)
    record: Record = {
        "eventVersion": VERSION,
        "userIdentity": identity(caller),
        "eventTime": stamp(at),
        "eventSource": f"{SOURCES.get(call.service, call.service)}.amazonaws.com",
        "eventName": trail_s3.event_name(call),
        "awsRegion": region_of(call),
        "sourceIPAddress": caller.source_ip,
        "userAgent": f"[{caller.user_agent}]" if call.service == "s3" else caller.user_agent,
        "requestParameters": _not_too_large(request_parameters(call, code)),
        "responseElements": None if quiet or code is not None else response_elements(call, parsed, answer),
    }
    if code is not None:
        record |= {"errorCode": code, "errorMessage": message}
    resources = trail_s3.resources(call) if call.service == "s3" else _role_resources(call)
    additional = {**(trail_s3.additional(call, answer) if call.service == "s3" else {}), **notes.additional}
    record |= {"additionalEventData": additional} if additional else {}
    data = trail_s3.is_data_event(call)
    record |= {
        "requestID": call.request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": read_only,
        **({"resources": resources} if resources else {}),
        "eventType": "AwsApiCall",
        "managementEvent": not data,
        "eventCategory": "Data" if data else "Management",
        "tlsDetails": {**TLS, "clientProvidedHostHeader": call.header("host") or ""},
    }
    return json.loads(json.dumps(record, default=plain))


def of_service(event_source: str, event_name: str, caller: Caller, at: datetime, **fields: Any) -> Record:
    """A record of something that a service did or let happen; `fields` are CloudTrail's own, `eventType` included."""
    record = {
        "eventVersion": VERSION,
        "userIdentity": identity(caller),
        "eventTime": stamp(at),
        "eventSource": event_source,
        "eventName": event_name,
        "sourceIPAddress": caller.source_ip,
        "userAgent": caller.user_agent,
        "requestParameters": None,
        "responseElements": None,
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": is_read(event_name),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "eventCategory": "Management",
        **fields,
    }
    return json.loads(json.dumps(record, default=plain))


def identity(caller: Caller) -> Record:
    """userIdentity, by the type of the caller."""
    if caller.type == "AWSService":
        return {"type": "AWSService", "invokedBy": caller.invoked_by}
    if caller.type == "Anonymous":
        return {"type": "AWSAccount", "principalId": "", "accountId": "anonymous"}
    if caller.type == "AWSAccount":
        return {"type": "AWSAccount", "principalId": caller.principal_id, "accountId": caller.account}
    found: Record = {
        "type": caller.type,
        "principalId": caller.principal_id,
        "arn": caller.arn,
        "accountId": caller.account,
        "accessKeyId": caller.access_key_id,
    }
    if caller.user_name:
        found["userName"] = caller.user_name
    if caller.token_issued_at is not None:
        found["sessionContext"] = _session_context(caller, caller.token_issued_at)
    if caller.invoked_by:
        found["invokedBy"] = caller.invoked_by
    return found


def _session_context(caller: Caller, issued: datetime) -> Record:
    context: Record = {"attributes": {"creationDate": stamp(issued), "mfaAuthenticated": str(caller.mfa).lower()}}
    if caller.issuer_arn:
        context["sessionIssuer"] = {
            "type": "Role" if caller.type == "AssumedRole" else "IAMUser",
            "principalId": str(caller.principal_id).split(":")[0],
            "arn": caller.issuer_arn,
            "accountId": caller.account,
            "userName": caller.issuer_name,
        }
    if caller.source_identity:
        context["sourceIdentity"] = caller.source_identity
    return context


def foreign_identity(caller: Caller) -> Record:
    """What the owner of a resource in another account sees of the caller."""
    if caller.type in ("AWSService", "Anonymous"):
        return identity(caller)
    return {"type": "AWSAccount", "principalId": caller.principal_id, "accountId": caller.account}


def region_of(call: Call) -> str:
    """Where CloudTrail files the event: the bucket's Region for S3, us-east-1 for global services."""
    if call.service in GLOBAL:
        return "us-east-1"
    if call.service == "s3":
        return trail_s3.bucket_region(call.params.get("Bucket")) or call.region
    return call.region


def is_read(operation: str | None) -> bool:
    """readOnly, by the verb of the operation."""
    name = operation or ""
    return name.startswith(READS) or name in READ_TOO


def error_of(call: Call, answer: Answer, parsed: Record) -> tuple[str | None, str | None]:
    """errorCode and errorMessage as CloudTrail has them: EC2's with `Client.` or `Server.`, HEADs by their status."""
    if answer.status < 300 or answer.status == 304:
        return None, None
    error = parsed.get("Error") or {}
    code, message = answer.error_code or str(error.get("Code") or answer.status), str(error.get("Message") or "")
    if code.isdigit():
        code = {"403": "AccessDenied", "404": "NoSuchKey" if call.params.get("Key") else "NoSuchBucket"}.get(code, code)
    if call.service == "ec2":
        return f"{'Server' if answer.status >= 500 else 'Client'}.{code}", message
    if code == "AccessDeniedException":
        code = "AccessDenied"
    if call.service == "iam" and code in ("NoSuchEntity", "EntityAlreadyExists", "DeleteConflict", "LimitExceeded"):
        code += "Exception"
    return code, message


def request_parameters(call: Call, code: str | None) -> Record | None:
    """requestParameters in the style of the service; IAM and STS tell nothing of what they refused."""
    if call.service == "s3":
        return trail_s3.request_parameters(call)
    if call.service in ("iam", "sts") and code == "AccessDenied":
        return None
    if not call.params or call.model is None:
        return None
    if call.service == "ec2":
        shape = call.model.input_shape
        return style_b(call.operation, call.params, shape) if STYLE_B(call.operation) else style_a(call.params, shape)
    return without_secrets(lower_camel(call.params))


def _not_too_large(parameters: Record | None) -> Record | None:
    size = len(json.dumps(parameters, default=plain))
    if size <= MAX_PARAMETERS:
        return parameters
    return {"omitted": True, "originalSize": size, "reason": "requestParameters too large"}


def response_elements(call: Call, parsed: Record, answer: Answer) -> Record | None:
    """responseElements of a change or an AssumeRole; never secrets."""
    if call.model is None:
        return None
    if call.service == "s3":
        return trail_s3.response_elements(answer)
    shape = call.model.output_shape
    result = {key: value for key, value in parsed.items() if key != "ResponseMetadata"}
    if call.service == "ec2":
        if STYLE_B(call.operation):
            return style_b(call.operation, result, shape, call.request_id)
        return {"requestId": call.request_id, **(style_a(result, shape) if result else {"_return": True})}
    return without_secrets(lower_camel(result)) or None


def without_secrets(value: Any) -> Any:
    """The same without the members that CloudTrail never writes."""
    if isinstance(value, dict):
        return {key: without_secrets(inner) for key, inner in value.items() if key not in SECRETS}
    return [without_secrets(inner) for inner in value] if isinstance(value, list) else value


def _role_resources(call: Call) -> list[Record]:
    role = str(call.params.get("RoleArn", ""))
    if call.service != "sts" or role.count(":") < 5:
        return []
    return [{"accountId": role.split(":")[4], "type": "AWS::IAM::Role", "ARN": role}]


def stamp(at: datetime) -> str:
    """CloudTrail's time: UTC, whole seconds."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def plain(value: Any) -> Any:
    """What JSON has no word for."""
    if isinstance(value, datetime):
        return value.strftime("%b %-d, %Y, %-I:%M:%S %p")
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)
