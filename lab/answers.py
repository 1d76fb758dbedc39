"""Answers: errors as each protocol writes them, request ids where its clients look, and bodies read back as a client does."""

from __future__ import annotations

import io
import json
import logging
import re
from dataclasses import dataclass
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

from botocore.awsrequest import HeadersDict
from botocore.parsers import ResponseParserError, ResponseParserFactory

from lab.errors import AwsError
from lab.wire import Call

log = logging.getLogger("lab.answers")

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
    if call.protocol in ("query", "ec2") or (call.service == "s3" and answer.status >= 400):
        pattern = rb"<(requestId|RequestId|RequestID)>[^<]*</"
        body = re.sub(pattern, lambda m: b"<%s>%s</" % (m[1], call.request_id.encode()), body, count=1)
    length = next((v for k, v in answer.headers.items() if k.lower() == "content-length"), None)
    headers["Content-Length"] = length if call.method == "HEAD" and length is not None else str(len(body))
    return Answer(answer.status, headers, body, answer.error_code)


@cache
def response_parser(protocol: str) -> Any:
    """botocore's parser for a protocol: the lab reads answers as a client does."""
    return ResponseParserFactory().create_parser(protocol)


def read_answer(call: Call, answer: Answer) -> dict[str, Any]:
    """What a client sees: the parsed result, or {"Error": {"Code", "Message"}} with the status in ResponseMetadata."""
    if call.model is None:
        return {} if answer.status < 400 else {"Error": {"Code": str(answer.status), "Message": ""}}
    raw = {"status_code": answer.status, "headers": HeadersDict(answer.headers), "body": answer.body, "context": {}}
    shape = call.model.output_shape
    if shape is not None and shape.serialization.get("payload") and _streams(shape):
        raw["body"] = io.BytesIO(answer.body) if answer.status < 300 else answer.body
    try:
        parsed: dict[str, Any] = response_parser(call.protocol).parse(raw, shape)
    except ResponseParserError:
        log.warning("answer of %s.%s not understood", call.service, call.operation, exc_info=True)
        return {} if answer.status < 400 else {"Error": {"Code": str(answer.status), "Message": ""}}
    return parsed


def _streams(shape: Any) -> bool:
    payload = shape.members[shape.serialization["payload"]]
    return payload.serialization.get("streaming", False) or payload.type_name == "blob"
