"""The lab's own controls under /lab/: they are not AWS, need no credentials, and listen where the lab listens."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from lab import access_logs, clock, credentials, delivery, faults, trail
from lab.errors import AwsError

Json = dict[str, Any]
OURS = ("/lab/", "/moto-api")
"""moto's own controls are shut: its reset would leave our sessions and records behind."""


class Front:
    """Sends /lab/… to the controls below and everything else to the gate."""

    def __init__(self, gate: Callable[..., Iterable[bytes]]) -> None:
        self.gate = gate

    def __call__(self, environ: Json, start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(OURS):
            return self.gate(environ, start_response)
        status, answer = _answer(environ["REQUEST_METHOD"], path, environ["wsgi.input"].read())
        body = json.dumps(answer, default=str).encode()
        start_response(f"{status} ", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


def _answer(method: str, path: str, raw: bytes) -> tuple[int, Any]:
    try:
        asked = json.loads(raw) if raw.strip() else {}
        route = ROUTES.get((method, path.rstrip("/")))
        if route is not None:
            return 200, route(asked)
        head, _, name = path.rpartition("/")
        pattern = PATTERNS.get((method, head))
        if pattern is None:
            return 404, {"error": f"no control {method} {path}; there are {sorted(f'{m} {p}' for m, p in ROUTES)}"}
        return 200, pattern(name, asked)
    except (ValueError, TypeError, KeyError) as wrong:
        return 400, {"error": f"{type(wrong).__name__}: {wrong}"}
    except AwsError as refused:
        return 400, {"error": str(refused)}


def _health(_: Json) -> Json:
    return {"ok": True, "now": clock.now().isoformat(), "offset_s": clock.offset().total_seconds()}


def _clock(asked: Json) -> Json:
    """{"offset_s"} puts the lab that far from real time, {"shift_s"} moves it from where it stands.

    What was recorded until then is delivered first: minutes pass, and trails deliver within minutes.
    """
    delivery.flush()
    if set(asked) == {"offset_s"}:
        clock.set_offset(timedelta(seconds=float(asked["offset_s"])))
    elif set(asked) == {"shift_s"}:
        clock.shift(timedelta(seconds=float(asked["shift_s"])))
    else:
        raise ValueError("give offset_s or shift_s, seconds")
    return _health({})


def reset(_: Json | None = None) -> Json:
    """Everything forgotten: accounts, keys, sessions, events, faults, clock. Files on disk stay; seed again if wanted."""
    from moto.core.base_backend import BackendDict
    from moto.core.model_instances import reset_model_data

    delivery.flush()
    BackendDict.reset()
    reset_model_data()
    for module in (clock, credentials, faults, trail, access_logs):
        module.reset()
    return _health({})


def seed(_: Json | None = None) -> Json:
    """Make the organisation of lab/organization.py in this process, its files in the lab's directory."""
    made = importlib.import_module("lab.organization").seed(delivery.directory())
    return {"seeded": True, "made": made}


def _finish_task(task_id: str, asked: Json) -> Json:
    if asked.get("state", "completed") != "completed":
        raise ValueError("only the state completed can be asked for")
    importlib.import_module("lab.vm_export").finish(task_id)
    return {"task": task_id, "state": "completed"}


def _root_key(account: str, _: Json) -> Json:
    """An access key of the account's root user: the first credential of an account that has none yet."""
    return credentials.issue_root_key(account).wire()


ROUTES: dict[tuple[str, str], Callable[[Json], Any]] = {
    ("GET", "/lab/health"): _health,
    ("POST", "/lab/clock"): _clock,
    ("POST", "/lab/faults"): faults.add_wire,
    ("GET", "/lab/faults"): faults.list_wire,
    ("DELETE", "/lab/faults"): faults.clear,
    ("POST", "/lab/reset"): reset,
    ("POST", "/lab/seed"): seed,
    ("POST", "/lab/deliver"): lambda _: {"files": [str(p) for p in delivery.flush()]},
    ("GET", "/lab/events"): lambda _: trail.everything(),
    ("POST", "/lab/events"): trail.inject,
    ("POST", "/lab/data-events"): trail.switch_data_events,
}
PATTERNS: dict[tuple[str, str], Callable[[str, Json], Any]] = {
    ("POST", "/lab/tasks"): _finish_task,
    ("POST", "/lab/root-keys"): _root_key,
}
