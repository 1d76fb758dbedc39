"""Answers and starts runs on the Prefect server, for the commands that do from a terminal what the UI does."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.responses import SetStateStatus


class NotTaken(RuntimeError):
    """The server did not take an answer; the message is its reason."""


def resume(run_id: str, answer: dict[str, Any]) -> None:
    """Hand one answer to a suspended run. Raises NotTaken with the server's reason."""

    async def send() -> None:
        async with get_client() as client:
            said = await client.resume_flow_run(UUID(run_id), run_input=answer)
        if said.status is not SetStateStatus.ACCEPT:
            raise NotTaken(getattr(said.details, "reason", None) or "the run does not wait for an answer any more")

    asyncio.run(send())


def start_release(case_id: str, requested_by: str, reason: str) -> str:
    """Start the release run of a case; returns its id."""

    async def send() -> str:
        async with get_client() as client:
            target = await client.read_deployment_by_name("vm-export-release/release")
            run = await client.create_flow_run_from_deployment(
                target.id,
                parameters={"case_id": case_id, "requested_by": requested_by, "reason": reason},
                name=f"release {case_id}",
                tags=[f"case:{case_id}"],
            )
        return str(run.id)

    return asyncio.run(send())


def state_of(run_id: str) -> str:
    """The run's state name now, e.g. `Suspended`."""

    async def read() -> str:
        async with get_client() as client:
            run = await client.read_flow_run(UUID(run_id))
        return run.state.name if run.state and run.state.name else "unknown"

    return asyncio.run(read())
