"""Starts the response run of a case: one top-level run per case, whoever asks and however often."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect.client.orchestration import get_client

from records import ledger


async def start_run(case_id: str, deployment: str) -> str:
    """Create the run of `case_id` unless there is one already; returns its id.

    The case id is the idempotency key, so Prefect answers a second call with the first run.
    Raises what Prefect's client raises when the server cannot be reached; `missing_runs` then finds the case again.
    """
    async with get_client() as client:
        target = await client.read_deployment_by_name(deployment)
        run = await client.create_flow_run_from_deployment(
            target.id, parameters={"case_id": case_id}, name=case_id, idempotency_key=case_id, tags=[f"case:{case_id}"]
        )
    said = {"run": str(run.id), "deployment": deployment, "at": datetime.now(UTC).isoformat()}
    ledger.append(case_id, "run-started", "receiver", said, key="run-started")
    return str(run.id)


def missing_runs() -> tuple[str, ...]:
    """Cases that were opened and have no run yet: the server was away, or we died in between."""
    return tuple(case for case in ledger.cases() if ledger.find(case, "run-started") is None)
