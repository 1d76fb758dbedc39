"""Requests as AWS's service models read them, and errors as each protocol writes them: no moto service is asked."""

from __future__ import annotations

import io
import json
import logging
import re
import secrets
import uuid
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from botocore.exceptions import UnknownServiceError
from moto.core.model import OperationModel, ServiceModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from moto.moto_server.werkzeug_app import BackendRequest
from werkzeug.exceptions import NotFound

from lab.errors import AwsError

log = logging.getLogger("lab.wire")

Environ = dict[str, Any]

# Where the name in the credential scope is not botocore's name of the service.
SIGNING_NAMES = {
    "monitoring": "cloudwatch",
    "email": "ses",
    "elasticloadbalancing": "elbv2",
    "tagging": "resourcegroupstaggingapi",
    "states": "stepfunctions",
    "s3express": "s3",
    "es": "opensearch",
    "sso": "sso-admin",
    "access-analyzer": "accessanalyzer",
}
UNSIGNED_ACTIONS = {"AssumeRoleWithSAML": "sts", "AssumeRoleWithWebIdentity": "sts"}
XML_NAMESPACES = {
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
}


@dataclass
class Answer:
    """A complete HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes
    error_code: str | None = None
    """Of an error that the lab itself raised: a HEAD has no body to read it from."""


@dataclass
class Call:
    """One AWS API call as it came in."""

    service: str
    """botocore's name: `ec2`, `s3`, `s3control`, `cloudtrail`."""
    operation: str | None
    """API name (`CreateInstanceExportTask`); None when no model knows this request."""
    region: str
    protocol: str
    params: dict[str, Any]
    """In the API's own names; blobs as bytes."""
    environ: Environ
    body: bytes
    access_key_id: str | None
    presigned: bool = False
    request_id: str = ""
    host_id: str = field(default_factory=lambda: secrets.token_urlsafe(57))
    model: OperationModel | None = None

    @property
    def method(self) -> str:
        return str(self.environ["REQUEST_METHOD"])

    @property
    def query(self) -> dict[str, str]:
        """Query string parameters, first value each."""
        return {k: v[0] for k, v in parse_qs(self.environ.get("QUERY_STRING", ""), keep_blank_values=True).items()}

    def header(self, name: str) -> str | None:
        key = name.upper().replace("-", "_")
        return self.environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}")


@dataclass(frozen=True)
class _Scope:
    access_key_id: str | None
    region: str | None
    service: str | None
    presigned: bool


def read(environ: Environ, body: bytes) -> Call:
    """Read a request: the service by its signature (or action, or path), the operation and parameters by AWS's model."""
    scope = _scope(environ, body)
    service = _service(scope, environ, body)
    call = Call(
        service=service,
        operation=None,
        region=scope.region or "us-east-1",
        protocol="rest-xml" if service == "s3" else "json",
        params={},
        environ=environ,
        body=body,
        access_key_id=scope.access_key_id,
        presigned=scope.presigned,
        request_id=secrets.token_hex(8).upper() if service == "s3" else str(uuid.uuid4()),
    )
    try:
        model = get_service_model(service)
    except UnknownServiceError:
        return call
    _read_operation(call, model)
    return call


def _read_operation(call: Call, service: ServiceModel) -> None:
    request = BackendRequest({**call.environ, "wsgi.input": io.BytesIO(call.body)})
    try:
        call.protocol = determine_request_protocol(service, request.content_type)
        operation, uri_params = get_service_router(call.service).match(request)
    except (NotFound, NotImplementedError):
        call.operation = request.values.get("Action") or (call.header("x-amz-target") or "").rpartition(".")[2] or None
        return
    call.operation, call.model = operation.name, operation
    parser = PROTOCOL_PARSERS[call.protocol](operation, map_type=dict)
    try:
        call.params = parser.parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": call.body,
                "url_path": request.path,
                "url_params": uri_params,
            }
        )
    except Exception:
        log.warning("parameters of %s.%s not understood", call.service, call.operation, exc_info=True)
        call.params = dict(uri_params)


def _scope(environ: Environ, body: bytes) -> _Scope:
    """Access key, Region and signing name from the header, the presigned query (V4, V2) or nothing."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    query = {k: v[0] for k, v in parse_qs(environ.get("QUERY_STRING", "")).items()}
    if found := re.search(r"Credential=([^/,\s]+)/\d{8}/([^/,\s]+)/([^/,\s]+)/aws4_request", header):
        return _Scope(found[1], found[2], found[3].lower(), False)
    if found := re.match(r"AWS ([^:\s]+):", header):
        return _Scope(found[1], None, "s3", False)
    parts = query.get("X-Amz-Credential", "").split("/")
    if len(parts) == 5:
        return _Scope(parts[0], parts[2], parts[3].lower(), True)
    if "AWSAccessKeyId" in query and "Signature" in query:
        return _Scope(query["AWSAccessKeyId"], None, "s3", True)
    return _Scope(None, None, None, False)


def _service(scope: _Scope, environ: Environ, body: bytes) -> str:
    path = environ.get("PATH_INFO", "")
    if scope.service == "s3" and path.startswith("/v20180820/"):
        return "s3control"
    if scope.service == "sso" and "HTTP_X_AMZ_TARGET" not in environ:
        return "sso"
    if scope.service:
        return SIGNING_NAMES.get(scope.service, scope.service)
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        action = parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
        return UNSIGNED_ACTIONS.get(action, "sts" if action else "s3")
    return "s3"


def error_answer(call: Call, error: AwsError) -> Answer:
    """The error as the call's protocol writes it: what botocore turns into a ClientError with this code."""
    code, message = escape(error.code), escape(error.message)
    if call.service == "s3":
        return _s3_error(call, error)
    if call.protocol in ("json", "rest-json"):
        text = json.dumps({"__type": error.code, "message": error.message})
        content_type = "application/json" if call.protocol == "rest-json" else "application/x-amz-json-1.1"
        return _answer(error, text, content_type, {"x-amzn-ErrorType": error.code})
    if call.protocol == "ec2":
        text = (
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{call.request_id}</RequestID></Response>"
        )
    else:
        kind = "Receiver" if error.status >= 500 else "Sender"
        namespace = XML_NAMESPACES.get(call.service, "https://webservices.amazon.com/doc/")
        text = (
            f'<ErrorResponse xmlns="{namespace}"><Error><Type>{kind}</Type><Code>{code}</Code>'
            f"<Message>{message}</Message></Error><RequestId>{call.request_id}</RequestId></ErrorResponse>"
        )
    return _answer(error, text, "text/xml", {})


def _s3_error(call: Call, error: AwsError) -> Answer:
    if call.method == "HEAD":  # S3 says nothing but the status to a HEAD
        return _answer(error, "", "application/xml", {})
    fields = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in error.fields.items())
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{escape(error.code)}</Code>'
        f"<Message>{escape(error.message)}</Message>{fields}"
        f"<RequestId>{call.request_id}</RequestId><HostId>{call.host_id}</HostId></Error>"
    )
    return _answer(error, text, "application/xml", {})


def _answer(error: AwsError, text: str, content_type: str, headers: dict[str, str]) -> Answer:
    body = text.encode()
    said = {"Content-Type": content_type, **headers, "Content-Length": str(len(body))}
    return Answer(error.status, said, body, error.code)


def stamp_request_id(call: Call, answer: Answer) -> Answer:
    """Put this call's request id where each protocol's client reads it: headers, and XML bodies that carry one."""
    dropped = {"x-amzn-requestid", "x-amz-request-id", "x-amz-id-2", "content-length", "server", "connection"}
    headers = {k: v for k, v in answer.headers.items() if k.lower() not in dropped}
    headers["x-amzn-RequestId"] = call.request_id
    if call.service == "s3":
        headers |= {"x-amz-request-id": call.request_id, "x-amz-id-2": call.host_id, "Server": "AmazonS3"}
    body = answer.body
    if call.protocol in ("query", "ec2"):
        pattern = rb"<(requestId|RequestId|RequestID)>[^<]*</"
        body = re.sub(pattern, lambda m: b"<%s>%s</" % (m[1], call.request_id.encode()), body, count=1)
    length = next((v for k, v in answer.headers.items() if k.lower() == "content-length"), None)
    headers["Content-Length"] = length if call.method == "HEAD" and length is not None else str(len(body))
    return Answer(answer.status, headers, body, answer.error_code)


@cache
def response_parser(protocol: str) -> Any:
    """botocore's parser for a protocol: the lab reads answers as a client does."""
    from botocore.parsers import ResponseParserFactory

    return ResponseParserFactory().create_parser(protocol)


def read_answer(call: Call, answer: Answer) -> dict[str, Any]:
    """What a client sees: the parsed result, or {"Error": {"Code", "Message"}} with the status in ResponseMetadata."""
    if call.model is None:
        return {} if answer.status < 400 else {"Error": {"Code": str(answer.status), "Message": ""}}
    from botocore.awsrequest import HeadersDict

    raw = {"status_code": answer.status, "headers": HeadersDict(answer.headers), "body": answer.body, "context": {}}
    shape = call.model.output_shape
    if shape is not None and shape.serialization.get("payload") and _streams(shape):
        raw["body"] = io.BytesIO(answer.body) if answer.status < 300 else answer.body
    parsed: dict[str, Any] = response_parser(call.protocol).parse(raw, shape)
    return parsed


def _streams(shape: Any) -> bool:
    payload = shape.members[shape.serialization["payload"]]
    return payload.serialization.get("streaming", False) or payload.type_name == "blob"
