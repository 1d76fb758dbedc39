"""What was begun and not finished under its agreement, and what was done in several rounds: all of it is taken back."""

from __future__ import annotations

import signal
from datetime import UTC, datetime

import pytest

from records import ledger
from tasks.actions.lock_export import LockExport
from tasks.actions.run import CarriedOut, Stale, carry_out
from tests.actions.agreed import World, world
from tests.actions.bucket_scenarios import KEY, found, lock
from tests.actions.given import BUCKET, CASE, PRODUCTION, document, event, facts, known, organization
from tests.actions.identity_scenarios import revoke_sessions
from tests.actions.killed_child import exit_code_of
from tests.flows.harness import prefect

__all__ = ["prefect", "world"]

pytestmark = [
    pytest.mark.lab,
    pytest.mark.usefixtures("prefect"),
    pytest.mark.filterwarnings("ignore:Logger 'prefect.task_runs'"),
]

THEIRS = document(
    {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{BUCKET}/x"}
)


async def released(world: World, planned, before) -> None:
    outcome = await world.release()
    assert isinstance(outcome, CarriedOut), outcome
    assert not outcome.failed
    assert world.state(planned) == before


@pytest.mark.parametrize("moment", ["s3.lock-export", "PutBucketPolicy"])
async def test_what_was_written_before_the_agreement_ended_is_released_too(world, moment):
    planned = lock(world.lab, world.roots).planned
    before, plan = world.state(planned), world.agreed(planned)
    assert exit_code_of(CASE, plan.hash, moment) == -signal.SIGKILL
    later = event(event_id="e-2").model_dump(mode="json")
    ledger.append(CASE, "alert-joined", "inbox", {"event": later})
    writes = world.writes()
    assert isinstance(await carry_out(CASE, plan.hash), Stale)
    assert world.writes() == writes
    await released(world, planned, before)


async def test_what_failed_half_way_is_released_too(world):
    planned = lock(world.lab, world.roots).planned
    before, plan = world.state(planned), world.agreed(planned)
    world.lab.add_fault(service="s3", operation="PutBucketAcl", code="AccessDenied", status=403, times=50)
    outcome = await carry_out(CASE, plan.hash)
    assert isinstance(outcome, CarriedOut)
    assert "AccessDenied" in outcome.failed[0]
    assert world.state(planned) != before
    world.lab.clear_faults()
    await released(world, planned, before)


async def test_after_a_second_round_the_release_puts_back_what_was_before_the_first(world):
    planned = lock(world.lab, world.roots).planned
    before = world.state(planned)
    await carry_out(CASE, world.agreed(planned).hash)
    keys = (KEY, "vms/export-i-0fedcba9876543210.ova")
    exports = tuple(facts(event=event(event_id=f"e-{n}", object_key=k), key=known(k)) for n, k in enumerate(keys))
    (again,) = LockExport().plan(found(world.roots, exports=exports), organization(), datetime.now(UTC))
    assert again.id == planned.id
    outcome = await carry_out(CASE, world.agreed(again).hash)
    assert isinstance(outcome, CarriedOut)
    assert outcome.receipts[0].changed
    await released(world, planned, before)


async def test_what_somebody_changed_between_two_rounds_goes_back_to_what_they_made_of_it(world):
    planned = lock(world.lab, world.roots).planned
    before = world.state(planned)
    await carry_out(CASE, world.agreed(planned).hash)
    world.roots[PRODUCTION].client("s3").put_bucket_policy(Bucket=BUCKET, Policy=THEIRS)
    (again,) = LockExport().plan(found(world.roots), organization(), datetime.now(UTC))
    await carry_out(CASE, world.agreed(again).hash)
    await released(world, planned, before | {"policy": THEIRS})


async def test_what_somebody_changed_since_is_left_to_people_and_holds_nothing_else_up(world):
    locked, denied = lock(world.lab, world.roots).planned, revoke_sessions(world.lab, world.roots).planned
    cut = world.state(denied)
    await carry_out(CASE, world.agreed(denied, locked).hash)
    world.roots[PRODUCTION].client("s3").put_bucket_policy(Bucket=BUCKET, Policy=THEIRS)
    outcome = await world.release()
    assert isinstance(outcome, CarriedOut), outcome
    assert [why for why in outcome.failed if "changed by somebody since" in why and "by hand" in why]
    assert world.state(locked)["policy"] == THEIRS
    assert world.state(denied) == cut
