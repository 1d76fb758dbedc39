"""Puts this repository's work pool, deployments and automations on a Prefect server; applying twice changes nothing.

python -m deployments.bootstrap
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import yaml
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectAlreadyExists

from settings.elastic import elasticsearch, kibana
from settings.hunts import HuntsUnusable, hunts

ROOT = Path(__file__).resolve().parent.parent
POOL = "vm-export"
SCHEDULED = {
    "poll-alerts/poll-alerts": lambda: elasticsearch().configured,
    "write-back/write-back": lambda: kibana().url is not None,
}
"""Deployment -> whether what its schedule is for is configured; prefect.yaml leaves every schedule off."""
HUNT = "retro-hunt/retro-hunt"
"""Its schedules are those of hunts.toml, in place of the example in prefect.yaml."""


async def create_pool(client: PrefectClient) -> None:
    """The process work pool that our worker serves."""
    try:
        await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
    except ObjectAlreadyExists:
        return


async def apply_automations(client: PrefectClient) -> None:
    """Create or replace each automation of automations.yaml by its name: Prefect itself would make a second one."""
    wanted = yaml.safe_load((ROOT / "deployments" / "automations.yaml").read_text())
    for automation in (AutomationCore.model_validate(w) for w in wanted):
        same = await client.read_automations_by_name(automation.name)
        if same:
            await client.update_automation(same[0].id, automation)
        else:
            await client.create_automation(automation)


def deploy() -> None:
    """Apply prefect.yaml. Raises CalledProcessError with Prefect's own words."""
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    env = os.environ | {"VMEXPORT_ROOT": str(ROOT)}
    subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True)


async def switch_schedules(client: PrefectClient) -> None:
    """Schedules run where what they are for is configured, and nowhere else."""
    for name, configured in SCHEDULED.items():
        deployment = await client.read_deployment_by_name(name)
        for schedule in await client.read_deployment_schedules(deployment.id):
            await client.update_deployment_schedule(deployment.id, schedule.id, active=configured())


async def schedule_hunts(client: PrefectClient) -> None:
    """One schedule of the hunt for each of hunts.toml; without any, the example stays, switched off."""
    wanted = [
        DeploymentScheduleCreate(
            schedule=CronSchedule(cron=one.cron, timezone=one.timezone),
            slug=one.name,
            parameters=one.parameters,
            active=one.active,
        )
        for one in hunts().schedule
    ]
    if not wanted:
        return
    deployment = await client.read_deployment_by_name(HUNT)
    for schedule in await client.read_deployment_schedules(deployment.id):
        await client.delete_deployment_schedule(deployment.id, schedule.id)
    await client.create_deployment_schedules(deployment.id, wanted)


async def bootstrap() -> None:
    """Pool, automations, deployments, schedules. Raises HuntsUnusable before anything is changed."""
    hunts()
    async with get_client() as client:
        await create_pool(client)
        await apply_automations(client)
    await asyncio.to_thread(deploy)
    async with get_client() as client:
        await switch_schedules(client)
        await schedule_hunts(client)


if __name__ == "__main__":
    try:
        asyncio.run(bootstrap())
    except HuntsUnusable as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(f"prefect deploy failed:\n{error.stdout}\n{error.stderr}")
    print("Work pool, automations and deployments are in place.")
