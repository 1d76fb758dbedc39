"""A release says what it will put back: what stood there, not what the plan of the containment could know of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flows.release import record_release
from tasks.actions.run import carry_out
from tests.actions.agreed import World, world
from tests.actions.conftest import lab, lab_process, roots
from tests.actions.given import CASE, PRODUCTION, findings, organization
from tests.actions.recovery_scenarios import WatchExports
from tests.flows.harness import prefect

__all__ = ["lab", "lab_process", "prefect", "roots", "world"]

pytestmark = [
    pytest.mark.lab,
    pytest.mark.usefixtures("prefect"),
    pytest.mark.filterwarnings("ignore:Logger 'prefect.task_runs'"),
]


async def test_the_approver_of_a_release_sees_what_stood_there_and_agrees_to_that(world: World):
    ours = organization(monitoring_target=None)
    (planned,) = WatchExports().plan(findings(), ours, datetime.now(UTC))
    assert "not read at planning" in str(planned.before)
    events = world.roots[PRODUCTION].client("events")
    events.put_rule(Name="VMExportResponseWatch", EventPattern='{"source":["aws.ec2"]}', State="DISABLED")
    stood = world.state(planned)
    await carry_out(CASE, world.agreed(planned).hash)
    (back,) = record_release(CASE, "carol@example.com", "a false alarm").actions
    assert back.after == stood
    assert back.before == world.state(planned)
