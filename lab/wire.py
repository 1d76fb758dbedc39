"""Requests as AWS's service models read them: one way for every service and protocol, and no moto service is asked."""

from __future__ import annotations

import io
import logging
import re
import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from botocore.exceptions import UnknownServiceError
from moto.core.model import OperationModel, ServiceModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from moto.moto_server.werkzeug_app import BackendRequest
from werkzeug.exceptions import NotFound

log = logging.getLogger("lab.wire")

Environ = dict[str, Any]

_in_hand: ContextVar[Call | None] = ContextVar("lab_call", default=None)


def current() -> Call | None:
    """The call in hand, or None outside one."""
    return _in_hand.get()


@contextmanager
def serving(call: Call) -> Iterator[Call]:
    """Make `call` the one in hand for a block."""
    token = _in_hand.set(call)
    try:
        yield call
    finally:
        _in_hand.reset(token)


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
    judged: bool = False
    """Whether any policy was asked about it."""

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
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).partition(".")[0].lower()
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        action = parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
        return UNSIGNED_ACTIONS.get(action, "sts" if action else "s3")
    return "s3"
