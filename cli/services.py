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

from cli.processes import NotReady, Part, free_port
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

    def launch(self, name: str, module: list[str], health: str | None = None) -> None:
        """Start a Python module as a part, and wait until it answers. Raises NotReady."""
        log = Path(self.env["VMEXPORT_HOME"]) / "log" / f"{name}.log"
        part = Part(name, [sys.executable, "-m", *module], self.env, log, health)
        self.parts.append(part)
        part.start()
        part.ready(120)

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
    services = Services(
        env, [], cluster, f"http://127.0.0.1:{receiver_port}", env["PREFECT_API_URL"].removesuffix("/api")
    )
    at = ["--host", "127.0.0.1", "--port"]
    server = ["prefect", "server", "start", *at, str(prefect_port)]
    worker = ["prefect", "worker", "start", "--pool", "vm-export", "--type", "process"]
    receiver = ["uvicorn", "receiver.app:app", *at, str(receiver_port), "--no-access-log"]
    try:
        if own_server:
            say("Prefect server …")
            services.launch("prefect-server", server, f"{env['PREFECT_API_URL']}/health")
        say("case store …")
        _run(["records.database", "migrate"], env, "the migration of the case store")
        say("work pool, deployments, automations …")
        _run(["deployments.bootstrap"], env, "the deployment to Prefect")
        say("worker and receiver …")
        services.launch("worker", worker)
        services.launch("receiver", receiver, f"{services.receiver_url}/readyz")
    except BaseException:
        services.stop()
        raise
    return services


def _run(module: list[str], env: Mapping[str, str], what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *module], cwd=ROOT, env=dict(env), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotReady(f"{what} failed:\n{(done.stderr or done.stdout)[-2000:]}")
