"""Cancelling an export in the lab: it ends, or the plan is told at once that the image is out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tasks.actions.base import ActionRefused
from tasks.actions.cancel_export import CancelExport
from tests.actions.given import BUCKET, PRODUCTION, Roles, event, facts, findings, known, organization, task
from tests.flows.incidents import export_for_real, running_instance

pytestmark = pytest.mark.lab

ACTION = CancelExport()


@pytest.fixture
def running(lab, roots):
    """The plan to cancel an export that has just begun, and the clients to do it."""
    root = roots[PRODUCTION]
    root.client("s3").create_bucket(Bucket=BUCKET)
    began = export_for_real(root, running_instance(root, Name="web"), BUCKET, "vms/")
    export = facts(event=event(task_id=began), task=known(task(task_id=began)))
    (planned,) = ACTION.plan(findings(exports=(export,)), organization(), datetime.now(UTC))
    return planned, Roles(roots, ACTION)


def written(roots) -> int:
    return roots[PRODUCTION].client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"]


def test_a_running_export_ends_and_leaves_nothing(roots, running):
    planned, aws = running
    assert ACTION.apply(aws, planned, planned.before).changed
    assert not ACTION.apply(aws, planned, planned.before).changed
    seen = ACTION.verify(aws, planned)
    assert seen.verified, seen.probes
    assert written(roots) == 0


def test_an_export_that_was_complete_before_anybody_agreed_is_a_failure_that_asks_for_the_copy(lab, roots, running):
    """The plan that was agreed to holds no copy of what did not lie there yet: it has to be made again."""
    planned, aws = running
    lab.shift(timedelta(hours=1))
    assert written(roots) == 1
    with pytest.raises(ActionRefused, match="the image lies in corp-exports"):
        ACTION.apply(aws, planned, planned.before)
    assert ACTION.precondition(planned, ACTION.read(aws, planned)) == planned.preconditions[0].sha256


def test_what_ec2_will_not_cancel_any_more_is_said_at_once_and_holds_nothing_up(lab, running):
    planned, aws = running
    lab.shift(timedelta(minutes=39))
    began = datetime.now(UTC)
    with pytest.raises(ActionRefused, match="refuses to cancel"):
        ACTION.apply(aws, planned, planned.before)
    assert datetime.now(UTC) - began < timedelta(minutes=1)


def test_an_export_that_slips_through_while_it_is_cancelled_is_not_called_contained(lab, running):
    planned, aws = running
    lab.shift(timedelta(hours=1))
    with pytest.raises(ActionRefused, match="was completed before it could be cancelled"):
        ACTION.verify(aws, planned)
