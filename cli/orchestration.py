"""Answers and starts runs on the Prefect server, for the commands that do from a terminal what the UI does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL

from settings.home import home

T = TypeVar("T")


class NotTaken(RuntimeError):
    """The server did not take what was asked of it; the message is its reason, or where no server was found."""


def api_url() -> str:
    """The server that is configured now, else the one that `vmexport serve` starts on this machine."""
    return os.environ.get("PREFECT_API_URL") or PREFECT_API_URL.value() or f"http://127.0.0.1:{home().prefect_port}/api"


def _ask(question: Callable[[PrefectClient], Awaitable[T]]) -> T:
    """Not Prefect's `get_client`, which starts a server with an empty database where none is configured."""

    async def asked() -> T:
        async with PrefectClient(api=api_url()) as client:
            return await question(client)

    try:
        return asyncio.run(asked())
    except ObjectNotFound as error:
        raise NotTaken(
            f"the Prefect server at {api_url()} does not know of it: is it the server of this installation?"
        ) from error
    except PrefectHTTPStatusError as error:
        raise NotTaken(f"the Prefect server at {api_url()} refused: HTTP {error.response.status_code}") from error
    except httpx.TransportError as error:
        raise NotTaken(
            f"no Prefect server answers at {api_url()}: start `vmexport serve`, or set PREFECT_API_URL"
        ) from error


def resume(run_id: str, answer: dict[str, Any]) -> None:
    """Hand one answer to a suspended run. Raises NotTaken with the server's reason."""
    said = _ask(lambda client: client.resume_flow_run(UUID(run_id), run_input=answer))
    if said.status is not SetStateStatus.ACCEPT:
        raise NotTaken(getattr(said.details, "reason", None) or "the run does not wait for an answer any more")


def start_release(case_id: str, requested_by: str, reason: str) -> str:
    """Start the release run of a case; returns its id. Raises NotTaken."""

    async def start(client: PrefectClient) -> str:
        target = await client.read_deployment_by_name("vm-export-release/release")
        run = await client.create_flow_run_from_deployment(
            target.id,
            parameters={"case_id": case_id, "requested_by": requested_by, "reason": reason},
            name=f"release {case_id}",
            tags=[f"case:{case_id}"],
        )
        return str(run.id)

    return _ask(start)


def state_of(run_id: str) -> str:
    """The run's state name now, e.g. `Suspended`. Raises NotTaken."""
    run = _ask(lambda client: client.read_flow_run(UUID(run_id)))
    return run.state.name if run.state and run.state.name else "unknown"
