"""S3 as it refuses and keeps: every call is authorised, checked, answered by moto or by the lab, and its owners set right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab import caller as callers
from lab import credentials, s3_acl, s3_answers, s3_authorization, s3_checks, s3_state, s3_versions, wire
from lab.install import replace
from lab.wire import Call

PLACEHOLDERS = (
    b"75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a",
    b"bcaf1ffd86f41161ca5fb16fd081034f",
)
"""moto's one owner of everything."""
_before: list[Callable[[], None]] = []


def install() -> None:
    """Put the lab in front of moto's S3, and switch off what moto itself makes of bucket policies."""
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket
    from moto.s3.responses import S3Response

    s3_versions.install()
    replace(FakeBucket, "get_permission", lambda *_: PermissionResult.PERMITTED)
    replace(S3Response, "backend", property(_owners_backend))  # type: ignore[arg-type] - moto has a property there, not a method
    for name in ("bucket_response", "key_response"):
        moto_answers: Any = getattr(S3Response, name)
        replace(S3Response, name, _serving(moto_answers))


def before_each_call(settle: Callable[[], None]) -> None:
    """Have `settle` run before each S3 call: for what other services write in time."""
    if settle not in _before:
        _before.append(settle)


def _owners_backend(self: Any) -> Any:
    """moto's backend of the bucket's owner: what another account writes is kept where the bucket is."""
    from moto.s3.models import s3_backends

    account = s3_backends.bucket_accounts.get(self.bucket_name, (None, self.current_account))[1]
    return s3_backends[account][credentials.PARTITION]


def _serving(moto_answers: Any) -> Any:
    def serve(self: Any, request: Any, full_url: str, headers: Any) -> Any:
        call = wire.current()
        if call is None or call.service != "s3":
            return moto_answers(self, request, full_url, headers)
        for settle in _before:
            settle()
        s3_authorization.authorize_call(call)
        s3_checks.check(call)
        bucket = s3_state.find(call.params.get("Bucket"))
        own = None if bucket is None else s3_answers.answer_of(call, bucket)
        if own is not None:
            return _answer(self, request, own, call, bucket)
        s3_versions.prepare(call, request.environ)
        existed = bucket is not None
        status, said, body = moto_answers(self, request, full_url, headers)
        if status < 300:
            _keep(call, existed)
        return status, said, _with_owner(call, body)

    return serve


def _answer(response: Any, request: Any, own: s3_answers.Handler, call: Call, bucket: Any) -> Any:
    from moto.core.responses import ActionResult
    from moto.s3.exceptions import S3ClientError

    response.setup_class(request)
    try:
        answered = own(response, call, bucket)
    except S3ClientError as refused:
        answered = response.serialized(ActionResult(refused))
    return response._send_response(answered)


def _keep(call: Call, existed: bool) -> None:
    """What moto does not do after a write."""
    bucket = s3_state.find(call.params.get("Bucket"))
    if call.operation == "CreateBucket" and not existed and bucket is not None:
        s3_state.harden(bucket)
        grants = s3_acl.asked(call.params, s3_state.owner(bucket), s3_state.owner(bucket))
        bucket.set_acl(s3_acl.kept(grants or s3_acl.private(s3_state.owner(bucket))))
    if call.operation in ("PutObject", "CopyObject"):
        s3_versions.written(call, callers.current())


def _with_owner(call: Call, body: Any) -> Any:
    """Listings tell the bucket's owner; ListBuckets the caller's account."""
    if "Key" in call.params and call.operation not in ("ListParts",):
        return body
    bucket = s3_state.find(call.params.get("Bucket"))
    owner = s3_state.owner(bucket) if bucket is not None else callers.current().canonical_id
    raw = body if isinstance(body, bytes) else str(body).encode()
    for placeholder in PLACEHOLDERS if owner else ():
        raw = raw.replace(placeholder, str(owner).encode())
    return raw
