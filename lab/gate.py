"""The one way in: every AWS call is read, authenticated, perhaps failed on purpose, authorised, answered by moto, recorded."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from lab import access_logs, auth, clock, credentials, faults, trail, wire
from lab.answers import Answer, error_answer, stamp_request_id
from lab.caller import Caller, acting
from lab.errors import AwsError
from lab.wire import Call, Environ

log = logging.getLogger("lab.gate")


class Gate:
    """A WSGI application in front of moto's own; what it answers is complete and carries the request id of the record."""

    def __init__(self) -> None:
        self.moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        call = wire.read(environ, environ["wsgi.input"].read())
        answer = stamp_request_id(call, self.answer(call))
        start_response(f"{answer.status} ", list(answer.headers.items()))
        return [b"" if call.method == "HEAD" else answer.body]

    def answer(self, call: Call) -> Answer:
        """Answer one call, whatever happens in it, and record it."""
        started = clock.now()
        with wire.serving(call), trail.observing():
            try:
                caller = credentials.authenticate(call)
            except AwsError as refused:
                trail.record_unauthenticated(call, refused, started)
                return error_answer(call, refused)
            with acting(caller):
                answer = stamp_request_id(call, self._answer_caller(call, caller))
                trail.record(call, caller, answer, started)
                access_logs.record(call, caller, answer, started)
                return answer

    def _answer_caller(self, call: Call, caller: Caller) -> Answer:
        try:
            fault = faults.take(call, caller)
            if fault is not None and not fault.after:
                fault.strike()
            auth.authorize_call(call, caller)
            answer = self._moto(call, caller)
            if fault is not None and fault.after:
                fault.strike()
        except AwsError as refused:
            return error_answer(call, refused)
        except NotImplementedError:  # how `_moto` and the table of S3 permissions say that the lab lacks a call
            return error_answer(call, _missing(call))
        except Exception as error:
            log.exception("%s broke", _name(call))
            return error_answer(call, AwsError("InternalError", f"{_name(call)} broke: {error!r}", 500))
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
            raise NotImplementedError from error  # moto has no such service, and fails in as many ways
        answer = _run(app, environ)
        if answer.status == 404 and _is_motos_own_404(call, answer):
            raise NotImplementedError  # answered as an error that names the call, never as a 404 of the service
        if call.service == "s3" and answer.status < 300 and not call.judged and "lab.s3" in sys.modules:
            raise RuntimeError("lab/s3.py let it pass without asking any policy")
        return answer


def _is_motos_own_404(call: Call, answer: Answer) -> bool:
    """Flask found no route, or moto no method; a 404 of a service tells what was not found (S3's to HEAD does not)."""
    unrouted = b"<!doctype html>" in answer.body[:64] or answer.body == b"Not yet implemented"
    return unrouted or (call.service != "s3" and not answer.body)


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
