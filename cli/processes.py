"""Long-running parts started side by side: each with a log file, stopped together, started again when one dies."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from settings.home import ROOT


class NotReady(RuntimeError):
    """A part did not answer in time; the message says which, and where its log is."""


def free_port(preferred: int = 0) -> int:
    """`preferred` if nobody listens there, else one that the system gives."""
    for port in (preferred, 0):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                sock.bind(("127.0.0.1", port))
                return sock.getsockname()[1]
    raise NotReady("no free port on 127.0.0.1")


def wait_until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll `holds` until it is true. Raises NotReady after `seconds`."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise NotReady(f"{what} within {seconds:.0f} s")
        time.sleep(0.1)


def answers(url: str) -> bool:
    """Whether a GET of `url` succeeds now."""
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.HTTPError:
        return False


@dataclass
class Part:
    """One process of ours."""

    name: str
    command: list[str]
    env: Mapping[str, str]
    log: Path
    health: str | None = None
    """URL that answers once it is ready; None: running is ready."""
    process: subprocess.Popen[bytes] | None = None
    restarts: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Start it in a process group of its own, so that it stops with all its children."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=dict(self.env),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal to its whole group; nothing if it is gone."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def stop(self, seconds: float = 10) -> None:
        """SIGTERM, then SIGKILL for whatever is left of the group."""
        self.signal(signal.SIGTERM)
        if self.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def ready(self, seconds: float) -> None:
        """Wait until it answers; at once an error if it died. Raises NotReady."""
        if self.health is not None:
            url = self.health
            wait_until(lambda: answers(url) or not self.alive, seconds, f"{self.name} did not answer (log: {self.log})")
        if not self.alive:
            raise NotReady(f"{self.name} ended at once; the reason is in {self.log}:\n{self.tail()}")

    def tail(self, lines: int = 12) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


RESTARTS, WINDOW_SECONDS = 5, 60.0


def keep_alive(parts: list[Part]) -> list[str]:
    """Start dead parts again, at most five times a minute each; the names of those that died.

    Raises NotReady for one that cannot be kept alive.
    """
    died = [p for p in parts if not p.alive]
    for part in died:
        now = time.monotonic()
        part.restarts = [t for t in part.restarts if now - t < WINDOW_SECONDS]
        if len(part.restarts) >= RESTARTS:
            raise NotReady(f"{part.name} dies again and again; the reason is in {part.log}:\n{part.tail()}")
        part.restarts.append(now)
        part.start()
    return [p.name for p in died]
