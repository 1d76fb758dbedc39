"""`make bench`: how long from a posted alert to the case card, as a ratio to an empty flow started the same way, in one run.

Both are started by the same worker on the same server in turn, so load on the machine hits both alike.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from prefect import flow
from prefect.client.orchestration import PrefectClient

from cli.incident import Incident
from cli.orchestration import api_url
from cli.processes import wait_until

ROUNDS = 5


@flow(name="empty")
async def empty() -> None:
    """Does nothing: what starting a run costs by itself."""


async def deploy_empty() -> None:
    """Deploy the empty flow exactly as the response is deployed: pool, folder and pull steps."""
    async with PrefectClient(api=api_url()) as client:
        ours = await client.read_deployment_by_name("vm-export/respond")
        await client.create_deployment(
            flow_id=await client.create_flow(empty),
            name="bench",
            entrypoint="tests.bench.empty",
            path=ours.path,
            pull_steps=ours.pull_steps,
            work_pool_name=ours.work_pool_name,
        )


async def start_empty() -> str:
    """Start one empty run; its id."""
    async with PrefectClient(api=api_url()) as client:
        target = await client.read_deployment_by_name("empty/bench")
        return str((await client.create_flow_run_from_deployment(target.id)).id)


def seconds_of_empty() -> float:
    """From creating the run until it is completed."""
    from cli.orchestration import state_of

    begun = time.monotonic()
    run = asyncio.run(start_empty())
    wait_until(lambda: state_of(run) == "Completed", 120, "the empty run did not end")
    return time.monotonic() - begun


def seconds_to_card(incident: Incident) -> float:
    """From posting the alert until the assessment is in the ledger; then the case goes on to its end, without a gate."""
    from records import ledger

    detonation = incident.detonate("approved-migration")
    begun = time.monotonic()
    case = incident.post(detonation)
    wait_until(lambda: bool(ledger.entries(case, "assessed")), 120, "no case card")
    taken = time.monotonic() - begun
    incident.follow(case, incident.wait_for_run(case), "approve")
    return taken


def main() -> None:
    """Print both medians and their ratio."""
    with tempfile.TemporaryDirectory() as folder, Incident(Path(folder) / "bench", lambda _: None) as incident:
        asyncio.run(deploy_empty())
        seconds_of_empty(), seconds_to_card(incident)  # both warm
        pairs = [(seconds_of_empty(), seconds_to_card(incident)) for _ in range(ROUNDS)]
    bare, card = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"empty flow   {bare:6.2f} s   median of {ROUNDS}")
    print(f"alert->card  {card:6.2f} s   median of {ROUNDS}, interleaved")
    print(f"ratio        {card / bare:6.2f}     (aim <= 3)")


if __name__ == "__main__":
    main()
