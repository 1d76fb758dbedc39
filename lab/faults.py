"""Failures on purpose: throttling, refusals, delays, 500s, answers lost after the deed, for chosen calls and callers."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from threading import Lock
from typing import Any

from lab.caller import Caller
from lab.errors import AwsError
from lab.wire import Call

KINDS = ("throttling", "access-denied", "internal-error", "delay")


@dataclass
class Fault:
    """What happens to which calls; None in a selector matches every call."""

    service: str | None = None
    operation: str | None = None
    account: str | None = None
    """The caller's account."""
    caller: str | None = None
    """Part of the caller's ARN: `vmexport-respond`."""
    kind: str | None = None
    """`throttling`, `access-denied`, `internal-error` in the service's own words, or `delay`."""
    code: str | None = None
    """An error code of one's own instead of a kind."""
    message: str = "asked for by the lab"
    status: int | None = None
    times: int | None = 1
    """How many calls it strikes; None: until it is cleared."""
    delay_s: float = 0.0
    after: bool = False
    """The call does its work first, and the answer is lost."""
    struck: int = field(default=0)

    def matches(self, call: Call, caller: Caller) -> bool:
        """Whether it is for this call."""
        return (
            self.service in (None, call.service)
            and self.operation in (None, call.operation)
            and self.account in (None, caller.account)
            and (self.caller is None or self.caller in (caller.arn or ""))
        )


@dataclass(frozen=True)
class Strike:
    """One fault about to happen to one call."""

    after: bool
    delay_s: float
    error: AwsError | None

    def strike(self) -> None:
        """Wait as long as asked, then raise the error, if there is one."""
        time.sleep(self.delay_s)
        if self.error is not None:
            raise self.error


_lock = Lock()
_faults: list[Fault] = []


def add(fault: Fault) -> None:
    """From now on; faults are tried in the order in which they were added."""
    if fault.kind not in (None, *KINDS):
        raise ValueError(f"kind {fault.kind!r}: one of {', '.join(KINDS)}")
    if fault.kind is None and fault.code is None and not fault.delay_s:
        raise ValueError("a fault needs a kind, a code or delay_s")
    with _lock:
        _faults.append(fault)


def take(call: Call, caller: Caller) -> Strike | None:
    """The first fault for this call, used up by one."""
    with _lock:
        found = next((f for f in _faults if f.matches(call, caller) and (f.times is None or f.struck < f.times)), None)
        if found is None:
            return None
        found.struck += 1
    return Strike(found.after, found.delay_s, _error(found, call))


def reset() -> None:
    """No faults any more."""
    with _lock:
        _faults.clear()


def _error(fault: Fault, call: Call) -> AwsError | None:
    if fault.code is not None:
        return AwsError(fault.code, fault.message, fault.status or 400)
    if fault.kind in (None, "delay"):
        return None
    family = call.service if call.service in ("ec2", "s3") else "json" if call.protocol.endswith("json") else "query"
    code, status = WORDS[str(fault.kind)][family]
    return AwsError(code, fault.message, fault.status or status)


WORDS: dict[str, dict[str, tuple[str, int]]] = {
    "throttling": {
        "ec2": ("RequestLimitExceeded", 503),
        "s3": ("SlowDown", 503),
        "query": ("Throttling", 400),
        "json": ("ThrottlingException", 400),
    },
    "access-denied": {
        "ec2": ("UnauthorizedOperation", 403),
        "s3": ("AccessDenied", 403),
        "query": ("AccessDenied", 403),
        "json": ("AccessDeniedException", 400),
    },
    "internal-error": {
        "ec2": ("InternalError", 500),
        "s3": ("InternalError", 500),
        "query": ("ServiceFailure", 500),
        "json": ("InternalFailure", 500),
    },
}


def add_wire(asked: dict[str, Any]) -> dict[str, Any]:
    """POST /lab/faults: the fields of Fault; TypeError names a field that there is not."""
    add(Fault(**asked))
    return list_wire()


def list_wire(_: dict[str, Any] | None = None) -> dict[str, Any]:
    """GET /lab/faults: every fault with how often it struck."""
    with _lock:
        return {"faults": [asdict(fault) for fault in _faults]}


def clear(_: dict[str, Any] | None = None) -> dict[str, Any]:
    """DELETE /lab/faults."""
    reset()
    return list_wire()
