"""Starts the response run of a case: one top-level run per case, and one each time that it was opened again, whoever asks."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from prefect.client.orchestration import get_client

from decisions.case import CASE_REOPENED
from records import ledger


async def start_run(case_id: str, deployment: str) -> str:
    """Create the run of `case_id` unless there is one already; returns its id.

    The case id is the idempotency key, with the round where the case was opened again, so Prefect answers a second call with
    the first run.
    Raises what Prefect's client raises when the server cannot be reached; `missing_runs` then finds the case again.
    """
    number = await asyncio.to_thread(_round, case_id)
    async with get_client() as client:
        target = await client.read_deployment_by_name(deployment)
        run = await client.create_flow_run_from_deployment(
            target.id,
            parameters={"case_id": case_id},
            name=_named(case_id, number),
            idempotency_key=_named(case_id, number),
            tags=[f"case:{case_id}"],
        )
    said = {"run": str(run.id), "deployment": deployment, "at": datetime.now(UTC).isoformat()}
    ledger.append(case_id, "run-started", "receiver", said, key=_named("run-started", number))
    return str(run.id)


def missing_runs() -> tuple[str, ...]:
    """Cases that were opened, or opened again, and have no run for it yet: the server was away, or we died in between."""
    return tuple(case for case in ledger.cases() if ledger.find(case, _named("run-started", _round(case))) is None)


def _round(case_id: str) -> int:
    """1, and one more each time that the case was opened again."""
    return 1 + len(ledger.entries(case_id, CASE_REOPENED))


def _named(name: str, number: int) -> str:
    return name if number == 1 else f"{name}:{number}"
