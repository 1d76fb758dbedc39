"""What the pretended Kibana holds, how it refuses, and which failures it has been asked for."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from threading import RLock
from typing import Any, Protocol

from flask import Response, g, request

from lab.kibana_rules import Installed

Json = dict[str, Any]
HTML = "<!doctype html><title>Sign in</title><form action='/login'></form>"


class Refused(Exception):
    """An answer with an error status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Alerts(Protocol):
    """Where the alerts lie: in memory, or in an Elasticsearch."""

    def search(self, space: str, body: Json) -> Json:
        """The answer of `_search` on the alerts of the space."""
        ...

    def change(self, space: str, alert_id: str, fields: Json) -> bool:
        """Set dotted fields of one alert; False if the space has no such alert."""
        ...

    def read(self, space: str, alert_id: str) -> Json | None:
        """The alert's `_source`, or None."""
        ...


@dataclass
class Fault:
    """What happens to which requests; None matches every one."""

    method: str | None = None
    path: str | None = None
    """Part of the path."""
    kind: str = "503"
    """A status (`503`, `429`, `500`), `slow`, or `html` (a sign-in page with 200)."""
    times: int | None = 1
    """How many requests it strikes; None: until it is cleared."""
    delay_s: float = 0.0
    after: bool = False
    """The request does its work first, and its answer is lost."""
    struck: int = 0

    def matches(self) -> bool:
        """Whether it strikes the request at hand."""
        spent = self.times is not None and self.struck >= self.times
        return not spent and self.method in (None, request.method) and (self.path or "") in request.path

    def answer(self) -> Response | None:
        """What is answered instead; None: the request goes on, late."""
        time.sleep(self.delay_s)
        if self.kind == "slow":
            return None
        if self.kind == "html":
            return Response(HTML, 200, content_type="text/html; charset=utf-8")
        body = {"statusCode": int(self.kind), "error": "asked for", "message": "asked for by the lab"}
        headers = {"Retry-After": "1"} if self.kind == "429" else {}
        return Response(json.dumps(body), int(self.kind), headers, content_type="application/json; charset=utf-8")


@dataclass
class State:
    """One pretended Kibana: spaces, alerts, cases, rules, failures, and what it was asked."""

    alerts: Alerts
    api_key: str = "a2V5OnNlY3JldA=="
    basic: tuple[str, str] | None = None
    """User and password that are taken beside the key."""
    spaces: set[str] = field(default_factory=lambda: {"default"})
    licence: str = "trial"
    knows_reasons: bool = True
    """Whether an alert can be closed with a reason; an older Kibana refuses the field."""
    rules: Installed = field(default_factory=Installed)
    cases: dict[tuple[str, str], Json] = field(default_factory=dict)
    """(space, id) -> the case as Kibana shows it."""
    comments: dict[str, list[Json]] = field(default_factory=dict)
    """Case id -> what is attached to it, in order."""
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of every request that was let in."""
    lock: RLock = field(default_factory=RLock)
    _seq: int = 0

    @property
    def space(self) -> str:
        """The space that the request at hand is for."""
        return g.space

    def next_version(self) -> str:
        """A new version of a saved object."""
        self._seq += 1
        return base64.b64encode(json.dumps([self._seq, 1]).encode()).decode()

    def credentials(self) -> set[str]:
        """The values of the Authorization header that are taken."""
        basic = {"Basic " + base64.b64encode(":".join(self.basic).encode()).decode()} if self.basic else set[str]()
        return {f"ApiKey {self.api_key}", *basic}


def body_of(fields: dict[str, bool]) -> Json:
    """The request's JSON object; `fields`: name -> whether it must be there. Raises Refused."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise Refused(400, "[request body]: expected a plain object value")
    return checked(body, fields, "[request body]")


def checked(value: Any, fields: dict[str, bool], where: str) -> Json:
    """The object, if it has no other fields than these and all that it must have. Raises Refused."""
    if not isinstance(value, dict):
        raise Refused(400, f"{where}: expected a plain object value")
    if unknown := sorted(set(value) - set(fields)):
        raise Refused(400, f'{where}: invalid keys "{",".join(unknown)}"')
    for name, required in fields.items():
        if required and value.get(name) is None:
            raise Refused(400, f'{where}: Invalid value "undefined" supplied to "{name}"')
    return value


def texts(value: Any, where: str) -> list[str]:
    """A list of strings that are not empty. Raises Refused."""
    if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
        raise Refused(400, f"[request body]: {where}: expected an array of non-empty strings")
    return value
