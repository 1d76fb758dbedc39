"""SIGKILL between apply and verify of each action, and in the middle of apply; then again: applied once, whole, and undone."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from decisions.plan import ActionClass, Plan, PlannedAction
from decisions.receipt import Receipt
from records import ledger
from tasks.actions.base import State
from tasks.actions.cancel_export import CancelExport
from tasks.actions.copy_export import CopyExport
from tasks.actions.delete_export import DeleteExport
from tasks.actions.lock_export import LockExport
from tasks.actions.registry import actions
from tasks.actions.run import CarriedOut, carry_out
from tests.actions import bucket_scenarios, eradication_scenarios, identity_scenarios, recovery_scenarios
from tests.actions.agreed import World, world
from tests.actions.bucket_scenarios import IMAGE, KEY, evidence_bucket, found, opened
from tests.actions.given import (
    BUCKET,
    CASE,
    EVIDENCE_BUCKET,
    FORENSICS,
    PRODUCTION,
    event,
    facts,
    findings,
    known,
    organization,
    task,
)
from tests.actions.killed_child import exit_code_of
from tests.flows.harness import prefect
from tests.flows.incidents import export_for_real, running_instance

__all__ = ["prefect", "world"]

pytestmark = [
    pytest.mark.lab,
    pytest.mark.usefixtures("prefect"),
    pytest.mark.filterwarnings("ignore:Logger 'prefect.task_runs'"),  # tasks outside a flow have nowhere to log to
]

PARTS = {"copy_single_max_bytes": 100, "copy_part_bytes": 5 * 1024**2}
"""S3 takes no smaller parts, but for the last."""
LOCK = ("PutBucketPolicy", "PutBucketPublicAccessBlock", "PutBucketAcl", "PutBucketOwnershipControls")
Build = Callable[[World], Awaitable[tuple[PlannedAction, ...]]]


def of(scenario: Callable[..., Any]) -> Build:
    async def build(world: World) -> tuple[PlannedAction, ...]:
        return (scenario(world.lab, world.roots).planned,)

    return build


async def cancel(world: World) -> tuple[PlannedAction, ...]:
    root = world.roots[PRODUCTION]
    root.client("s3").create_bucket(Bucket=BUCKET)
    running = export_for_real(root, running_instance(root, Name="web"), BUCKET, "vms/")
    export = facts(event=event(task_id=running), task=known(task(task_id=running)))
    return CancelExport().plan(findings(exports=(export,)), organization(), datetime.now(UTC))


async def copy(world: World, image: bytes = IMAGE, **limits: int) -> tuple[PlannedAction, ...]:
    """The lock and, under it, the copy of the image."""
    evidence_bucket(world.roots)
    opened(world.lab, world.roots).put(image)
    seen, now = found(world.roots), datetime.now(UTC)
    return tuple(a for kind in (LockExport, CopyExport) for a in kind().plan(seen, organization(**limits), now))


async def copy_parts(world: World) -> tuple[PlannedAction, ...]:
    return await copy(world, IMAGE * (11 * 1024**2 // len(IMAGE)), **PARTS)


async def delete(world: World) -> tuple[PlannedAction, ...]:
    """Two versions and a marker, locked and copied already."""
    evidence_bucket(world.roots)
    s3 = opened(world.lab, world.roots).root.client("s3")
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"a second export")
    s3.delete_object(Bucket=BUCKET, Key=KEY)
    seen, now = found(world.roots), datetime.now(UTC)
    plan = world.agreed(*LockExport().plan(seen, organization(), now), *CopyExport().plan(seen, organization(), now))
    contained = await carry_out(CASE, plan.hash)
    assert isinstance(contained, CarriedOut)
    return DeleteExport().plan(found(world.roots, receipts=contained.receipts), organization(), now)


BETWEEN: dict[str, tuple[Build, tuple[str, ...]]] = {
    "ec2.cancel-export": (cancel, ("CancelExportTask",)),
    "iam.deny-user": (of(identity_scenarios.deny_user), ("PutUserPolicy",)),
    "iam.deactivate-access-key": (of(identity_scenarios.deactivate_key), ("UpdateAccessKey",)),
    "iam.revoke-role-sessions": (of(identity_scenarios.revoke_sessions), ("PutRolePolicy",)),
    "s3.remove-export-grant": (of(bucket_scenarios.remove_grant), ("PutBucketPolicy", "PutBucketAcl")),
    "s3.lock-export": (of(bucket_scenarios.lock), LOCK),
    "forensics.copy-export": (copy, (*LOCK, "CopyObject")),
    "s3.delete-export": (delete, ("DeleteObject",) * 3),
    "iam.remove-export-permission": (of(eradication_scenarios.managed), ("CreatePolicyVersion",)),
    "organizations.attach-export-guardrail": (of(recovery_scenarios.guardrail), ("CreatePolicy", "AttachPolicy")),
    "s3.deny-export-writes": (of(bucket_scenarios.deny_writes), ("PutBucketPolicy",)),
    "events.watch-exports": (of(recovery_scenarios.watch), ("PutRule", "PutTargets")),
}
"""Kind -> what is planned (the action itself last), and every write of carrying it out without a break."""


def test_there_is_a_case_for_every_action_that_there_is():
    assert set(BETWEEN) == set(actions())


@pytest.mark.parametrize("kind", BETWEEN)
async def test_killed_between_apply_and_verify_it_is_applied_once_and_undone_exactly(world, kind):
    build, writes = BETWEEN[kind]
    planned = await build(world)
    before, plan = world.state(planned[-1]), world.agreed(*planned)

    assert exit_code_of(CASE, plan.hash, kind) == -signal.SIGKILL
    assert [name for name, _ in world.writes()] == [*writes]
    assert not ledger.find(CASE, f"done:{plan.hash}:{planned[-1].id}")

    receipt = await finished(world, plan, planned)
    assert receipt.before == before
    assert [name for name, _ in world.writes()] == [*writes]
    assert max(Counter(world.writes()).values()) == 1
    await released(world, planned[-1], before)


IN_THE_MIDDLE: dict[str, tuple[Build, str, tuple[str, ...]]] = {
    "lock, after the policy": (of(bucket_scenarios.lock), "PutBucketPolicy", LOCK),
    "lock, after the ACL": (of(bucket_scenarios.lock), "PutBucketAcl", LOCK),
    "copy": (copy, "CopyObject", (*LOCK, "CopyObject")),
    "delete": (delete, "DeleteObject", ("DeleteObject",) * 3),
    "guardrail": (of(recovery_scenarios.guardrail), "CreatePolicy", ("CreatePolicy", "AttachPolicy")),
    "watch": (of(recovery_scenarios.watch), "PutRule", ("PutRule", "PutTargets")),
}
"""What is planned, the API after whose first answer the process dies, and every write of both runs together."""


@pytest.mark.parametrize("name", IN_THE_MIDDLE)
async def test_killed_in_the_middle_of_apply_only_the_rest_is_written_and_all_of_it_undone(world, name):
    build, moment, writes = IN_THE_MIDDLE[name]
    planned = await build(world)
    before, plan = world.state(planned[-1]), world.agreed(*planned)

    assert exit_code_of(CASE, plan.hash, moment) == -signal.SIGKILL
    assert [name for name, _ in world.writes()] == [*writes[: writes.index(moment) + 1]]

    receipt = await finished(world, plan, planned)
    assert receipt.before == before
    assert receipt.changed
    assert [name for name, _ in world.writes()] == [*writes]
    assert max(Counter(world.writes()).values()) == 1
    await released(world, planned[-1], before)


async def test_killed_between_two_parts_of_a_copy_there_is_one_copy_and_no_parts_are_left(world):
    planned = await copy_parts(world)
    plan = world.agreed(*planned)
    assert exit_code_of(CASE, plan.hash, "UploadPartCopy") == -signal.SIGKILL
    assert "CompleteMultipartUpload" not in dict(world.writes())

    receipt = await finished(world, plan, planned)
    assert "1 unfinished upload(s)" in receipt.notes[0]
    assert Counter(name for name, _ in world.writes())["CompleteMultipartUpload"] == 1
    s3 = world.roots[FORENSICS].client("s3")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=EVIDENCE_BUCKET)
    (stored,) = s3.list_object_versions(Bucket=EVIDENCE_BUCKET)["Versions"]
    assert stored["VersionId"] == receipt.custody["destination_version"]


async def finished(world: World, plan: Plan, planned: tuple[PlannedAction, ...]) -> Receipt:
    """The next run carries the plan out to its end; the last action's receipt. A run after it does nothing."""
    outcome = await carry_out(CASE, plan.hash)
    assert isinstance(outcome, CarriedOut), outcome
    assert not outcome.failed
    assert [r.action_id for r in outcome.receipts] == [a.id for a in planned]
    assert all(r.verification.verified for r in outcome.receipts)
    writes = world.writes()
    assert await carry_out(CASE, plan.hash) == outcome
    assert world.writes() == writes
    return outcome.receipts[-1]


async def released(world: World, planned: PlannedAction, before: State) -> None:
    """Where it can be undone, a release puts back exactly what was there before the first of the two runs."""
    if planned.action_class is not ActionClass.REVERSIBLE:
        return
    outcome = await world.release()
    assert isinstance(outcome, CarriedOut), outcome
    assert not outcome.failed
    assert world.state(planned) == before
