"""The lab's controls for whoever drives it from another process: tests, stories, the demo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

import httpx


class LabRefused(RuntimeError):
    """The lab did not do what a control asked for; the text says why."""


@dataclass(frozen=True)
class Key:
    """An access key as the lab handed it out."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


class Lab:
    """The controls of one lab under its endpoint (`http://127.0.0.1:4400`)."""

    def __init__(self, endpoint: str, timeout: float = 30.0) -> None:
        self.endpoint = endpoint
        self._http = httpx.Client(base_url=endpoint, timeout=timeout, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def now(self) -> datetime:
        """The lab's time, UTC."""
        return datetime.fromisoformat(self._call("GET", "/lab/health")["now"])

    def shift(self, delta: timedelta) -> datetime:
        """Move the lab's clock by `delta`; answers the new time."""
        return datetime.fromisoformat(self._call("POST", "/lab/clock", {"shift_s": delta.total_seconds()})["now"])

    def set_offset(self, delta: timedelta) -> datetime:
        """Put the lab's clock `delta` from real time; answers the new time."""
        return datetime.fromisoformat(self._call("POST", "/lab/clock", {"offset_s": delta.total_seconds()})["now"])

    def add_fault(self, **fault: Any) -> None:
        """Ask for a failure: the fields of `lab.faults.Fault` (service, operation, caller, kind, code, times, delay_s, after)."""
        self._call("POST", "/lab/faults", fault)

    def faults(self) -> list[dict[str, Any]]:
        """Every fault asked for, with how often it struck."""
        return list(self._call("GET", "/lab/faults")["faults"])

    def clear_faults(self) -> None:
        """No failures on purpose any more."""
        self._call("DELETE", "/lab/faults")

    def reset(self, seed: bool = False) -> None:
        """Forget everything; `seed` makes the organisation anew."""
        self._call("POST", "/lab/reset")
        if seed:
            self._call("POST", "/lab/seed")

    def finish_task(self, task_id: str) -> None:
        """Let an export or store task complete now."""
        self._call("POST", f"/lab/tasks/{task_id}", {"state": "completed"})

    def deliver(self) -> list[str]:
        """Write log files that are not written yet, now; answers their paths."""
        return list(self._call("POST", "/lab/deliver")["files"])

    def events(self) -> list[dict[str, Any]]:
        """Every record of every account, oldest first, with `visible` false for what no trail shows."""
        return list(self._call("GET", "/lab/events")["events"])

    def inject(self, account: str, region: str, **record: Any) -> dict[str, Any]:
        """Put a CloudTrail record into an account's history (`eventSource`, `eventName` at least); answers it whole."""
        return dict(
            self._call("POST", "/lab/events", {"account": account, "region": region, "record": record})["record"]
        )

    def log_data_events(self, bucket: str, on: bool = True) -> None:
        """Have a bucket's S3 data events logged without a trail that asks for them."""
        self._call("POST", "/lab/data-events", {"bucket": bucket, "on": on})

    def root_key(self, account: str) -> Key:
        """An access key of the account's root user."""
        made = self._call("POST", f"/lab/root-keys/{account}")
        return Key(made["AccessKeyId"], made["SecretAccessKey"])

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self._http.request(method, path, json=body)
        said = answer.json()
        if answer.status_code != 200:
            raise LabRefused(f"{method} {path}: {said.get('error', answer.text)}")
        return dict(said)
