"""The parts of one installation on one machine: database, Prefect server, worker, receiver.

What is configured in the environment is used; what is not is started here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.processes import NotReady, Part, answers, free_port
from records import embedded
from settings.home import ROOT

Say = Callable[[str], None]

PREFECT = {
    "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_WORKER_PREFETCH_SECONDS": "1",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "P365D",
    "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": "http://127.0.0.1",
    "PREFECT_CLI_COLORS": "false",
    "PREFECT_CLI_PROMPT": "false",
    "DO_NOT_TRACK": "1",
}
"""What every process of ours needs so that gates, results and history behave; each is explained in docs/architecture.md."""


@dataclass
class Services:
    """What runs, and how to reach it."""

    env: dict[str, str]
    parts: list[Part]
    cluster: embedded.Cluster | None
    receiver_url: str
    prefect_url: str

    def part(self, name: str) -> Part:
        """One part by its name."""
        return next(p for p in self.parts if p.name == name)

    def stop(self) -> None:
        """Stop everything that was started here, the database last."""
        for part in reversed(self.parts):
            part.stop()
        if self.cluster is not None:
            self.cluster.stop()


def environment(
    home: Path, prefect_port: int, receiver_port: int, given: Mapping[str, str]
) -> tuple[dict[str, str], embedded.Cluster | None]:
    """The environment of all our processes; starts the embedded database when no other is named."""
    env = PREFECT | dict(given)
    env |= {"VMEXPORT_HOME": str(home), "VMEXPORT_ROOT": str(ROOT), "VMEXPORT_RECEIVER_PORT": str(receiver_port)}
    env.setdefault("VMEXPORT_EVIDENCE_DIR", str(home / "evidence"))
    env.setdefault("VMEXPORT_SECRET_KEY_FILE", str(home / "secret.key"))
    env.setdefault("PREFECT_HOME", str(home / "prefect"))
    env.setdefault("PREFECT_LOCAL_STORAGE_PATH", str(home / "results"))
    env.setdefault("PREFECT_API_URL", f"http://127.0.0.1:{prefect_port}/api")
    cluster = None
    if "VMEXPORT_DATABASE_URL" not in env or "PREFECT_SERVER_DATABASE_CONNECTION_URL" not in env:
        cluster = embedded.start(home / "postgres")
        env.setdefault("VMEXPORT_DATABASE_URL", cluster.url("vmexport", "psycopg"))
        env.setdefault("PREFECT_SERVER_DATABASE_CONNECTION_URL", cluster.url("prefect", "asyncpg"))
    return env, cluster


def start(
    home: Path, say: Say, given: Mapping[str, str] | None = None, *, prefect_port: int = 4200, receiver_port: int = 8088
) -> Services:
    """Start what is not configured elsewhere, and wait until all of it answers. Raises NotReady."""
    given = os.environ if given is None else given
    home.mkdir(parents=True, exist_ok=True)
    own_server = "PREFECT_API_URL" not in given
    prefect_port, receiver_port = free_port(prefect_port), free_port(receiver_port)
    env, cluster = environment(home, prefect_port, receiver_port, given)
    api = env["PREFECT_API_URL"]
    receiver_url = f"http://127.0.0.1:{receiver_port}"
    services = Services(env, [], cluster, receiver_url, api.removesuffix("/api"))
    logs = home / "log"
    try:
        if own_server:
            say("Prefect server …")
            command = [
                sys.executable,
                "-m",
                "prefect",
                "server",
                "start",
                "--host",
                "127.0.0.1",
                "--port",
                str(prefect_port),
            ]
            _launch(services, Part("prefect-server", command, env, logs / "prefect-server.log")).ready(
                lambda: answers(f"{api}/health"), 120
            )
        say("case store …")
        _run([sys.executable, "-m", "records.database", "migrate"], env, "the migration of the case store")
        say("work pool, deployments, automations …")
        _run([sys.executable, "-m", "deployments.bootstrap"], env, "the deployment to Prefect")
        say("worker and receiver …")
        worker = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "vm-export", "--type", "process"]
        _launch(services, Part("worker", worker, env, logs / "worker.log"))
        receiver = [
            sys.executable,
            "-m",
            "uvicorn",
            "receiver.app:app",
            "--host",
            "127.0.0.1",
            "--port",
            str(receiver_port),
            "--no-access-log",
        ]
        _launch(services, Part("receiver", receiver, env, logs / "receiver.log")).ready(
            lambda: answers(f"{receiver_url}/readyz"), 60
        )
    except BaseException:
        services.stop()
        raise
    return services


def _launch(services: Services, part: Part) -> Part:
    services.parts.append(part)
    part.start()
    return part


def _run(command: list[str], env: Mapping[str, str], what: str) -> None:
    done = subprocess.run(command, cwd=ROOT, env=dict(env), capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotReady(f"{what} failed:\n{(done.stderr or done.stdout)[-2000:]}")
