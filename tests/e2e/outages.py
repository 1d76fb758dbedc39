"""What goes wrong with machines, and what a person does then: kill, start again, retry; and what the lab saw of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.states import AwaitingRetry

from cli import services as local
from cli.incident import Incident
from cli.orchestration import api_url
from cli.processes import Part, wait_until
from lab.client import Lab
from records.cluster_place import made_place


def kill(*parts: Part) -> None:
    """SIGKILL to a part and everything in its group."""
    for part in parts:
        part.signal(signal.SIGKILL)
        assert part.process is not None
        part.process.wait()


def flow_processes(incident: Incident) -> list[int]:
    """Processes in which a run of this installation executes: the worker gives each a group of its own."""
    mark = f"VMEXPORT_HOME={incident.home}\0".encode()
    return [p for p in _processes() if mark in _read(p, "environ") and b"PREFECT__FLOW_RUN_ID=" in _read(p, "environ")]


def kill_flow_processes(incident: Incident) -> None:
    """SIGKILL to every run that executes."""
    found = flow_processes(incident)
    assert found, "no run executes: there is nothing to kill"
    for pid in found:
        _kill(pid)
    wait_until(lambda: not flow_processes(incident), 20, "a killed run still executes")


def kill_database(incident: Incident) -> None:
    """SIGKILL to PostgreSQL and all of its backends."""
    place = made_place(Path(str(incident.home)) / "postgres")
    assert place is not None
    postmaster = int((place.data / "postmaster.pid").read_text().splitlines()[0])
    family = [postmaster, *(p for p in _processes() if _parent(p) == postmaster)]
    for pid in family:
        _kill(pid)


def kill_everything(incident: Incident) -> None:
    """Worker, receiver, Prefect server and database, all at once and without warning."""
    kill(*incident.services.parts)
    kill_database(incident)


def start_again(incident: Incident) -> None:
    """Start what is down, in the same folder and on the same ports, as `vmexport serve` would."""
    incident.services.stop()
    was = incident.services
    started_here = {"PREFECT_API_URL", "PREFECT_SERVER_DATABASE_CONNECTION_URL", "VMEXPORT_DATABASE_URL"}
    given = {k: v for k, v in was.env.items() if k not in started_here}
    ports = [int(url.rsplit(":", 1)[1]) for url in (was.prefect_url, was.receiver_url)]
    incident.services = local.start(
        Path(str(incident.home)), incident.say, given, prefect_port=ports[0], receiver_port=ports[1]
    )
    assert incident.services.prefect_url == was.prefect_url


def retry(run: str) -> None:
    """What the UI's Retry does: the run is scheduled once more, whatever its state."""

    async def send() -> None:
        async with PrefectClient(api=api_url()) as client:
            await client.set_flow_run_state(UUID(run), AwaitingRetry(), force=True)

    asyncio.run(send())


def writes_by_responder(incident: Incident, case: str) -> Counter[str]:
    """Every successful write that our roles made for a case, as the lab's own CloudTrail has it, with its count."""
    with Lab(incident.endpoint) as lab:
        events = lab.events()
    return Counter(
        f"{e['eventName']} {json.dumps(e['requestParameters'], sort_keys=True)}"
        for e in events
        if case in e["userIdentity"].get("arn", "") and not e["readOnly"] and "errorCode" not in e
    )


def _processes() -> list[int]:
    return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()]


def _read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""


def _parent(pid: int) -> int | None:
    stat = _read(pid, "stat").rpartition(b")")[2].split()
    return int(stat[1]) if len(stat) > 1 else None


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
