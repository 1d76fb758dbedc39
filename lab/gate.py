"""The one way in: every AWS call is read, authenticated, perhaps failed on purpose, authorised, answered by moto, recorded."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from lab import access_logs, auth, clock, credentials, faults, trail, wire
from lab.caller import Caller, acting
from lab.errors import AwsError
from lab.wire import Answer, Call, Environ

log = logging.getLogger("lab.gate")


class Gate:
    """A WSGI application in front of moto's own; what it answers is complete and carries the request id of the record."""

    def __init__(self) -> None:
        self.moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        call = wire.read(environ, body)
        answer = wire.stamp_request_id(call, self.answer(call))
        start_response(f"{answer.status} ", list(answer.headers.items()))
        return [b"" if call.method == "HEAD" else answer.body]

    def answer(self, call: Call) -> Answer:
        """Answer one call, whatever happens in it, and record it."""
        started = clock.now()
        try:
            caller = credentials.authenticate(call)
        except AwsError as refused:
            answer = wire.error_answer(call, refused)
            trail.record_unauthenticated(call, refused, started)
            return answer
        with acting(caller), trail.observing(call):
            answer = self._answer_caller(call, caller)
            answer = wire.stamp_request_id(call, answer)
            trail.record(call, caller, answer, started)
            access_logs.record(call, caller, answer, started)
        return answer

    def _answer_caller(self, call: Call, caller: Caller) -> Answer:
        fault = faults.take(call, caller)
        try:
            if fault is not None and not fault.after:
                fault.strike()
            auth.authorize_call(call, caller)
            answer = self._moto(call, caller)
            if fault is not None and fault.after:
                fault.strike()
        except AwsError as refused:
            return wire.error_answer(call, refused)
        return answer

    def _moto(self, call: Call, caller: Caller) -> Answer:
        """moto's answer, in the caller's account; what moto lacks and what breaks in it are errors that name the call."""
        environ = {
            **call.environ,
            "wsgi.input": io.BytesIO(call.body),
            "CONTENT_LENGTH": str(len(call.body)),
            "wsgi.input_terminated": True,
        }
        # moto would otherwise let a header of the client choose the account.
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = caller.account or auth.resource_account(call)
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        try:
            app = self.moto.get_application(environ)
        except Exception as error:
            raise _missing(call) from error
        try:
            answer = _run(app, environ)
        except AwsError:
            raise
        except NotImplementedError as error:
            raise _missing(call) from error
        except Exception as error:
            log.exception("moto failed in %s.%s", call.service, call.operation)
            raise AwsError("InternalError", f"moto failed in {_name(call)}: {error!r}", 500) from error
        if answer.status == 404 and (b"<!doctype html>" in answer.body[:64] or answer.body == b"Not yet implemented"):
            raise _missing(call)
        return answer


def _run(app: Any, environ: Environ) -> Answer:
    """One WSGI call, its answer complete in memory."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    chunks = app(environ, lambda status, headers, exc_info=None: started.append((status, headers)))
    try:
        body = b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    status, headers = started[-1]
    return Answer(int(status.split()[0]), dict(headers), body)


def _name(call: Call) -> str:
    return f"{call.service}:{call.operation or call.method + ' ' + call.environ.get('PATH_INFO', '')}"


def _missing(call: Call) -> AwsError:
    return AwsError(
        "NotImplementedByMoto", f"the lab has no {_name(call)}: neither moto 5.2.5 nor lab/ implements it", 400
    )
