"""Locks in a real bucket of the lab: what goes on under them, how they get along with other changes, and how they come back."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from decisions.bucket_policy import SETTINGS
from decisions.plan import make_plan
from tasks.actions.deny_export_writes import DenyExportWrites
from tasks.actions.lock_export import LockExport
from tasks.actions.remove_export_grant import RemoveExportGrant
from tests.actions.bucket_scenarios import DEAD, GRANT, KEY, OPEN, found, lock, opened
from tests.actions.given import (
    BUCKET,
    CASE,
    PRODUCTION,
    Roles,
    document,
    known,
    organization,
    receipt,
)
from tests.lab.aws import code_of

pytestmark = pytest.mark.lab
OURS = organization()


def test_under_the_lock_the_bucket_s_other_objects_stay_in_use(lab, roots):
    scenario = lock(lab, roots)
    reader = roots[PRODUCTION].user("reporting", document({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}))
    scenario.action.apply(scenario.aws, scenario.planned, scenario.read())
    s3 = reader.client("s3")
    assert code_of(s3.get_object, Bucket=BUCKET, Key="reports/2026.csv") == "ok"
    assert code_of(s3.put_object, Bucket=BUCKET, Key="reports/2027.csv", Body=b"3") == "ok"
    assert code_of(s3.get_object, Bucket=BUCKET, Key=KEY) == "AccessDenied"
    assert code_of(s3.delete_object, Bucket=BUCKET, Key=KEY) == "AccessDenied"
    assert (
        code_of(s3.copy_object, Bucket=BUCKET, Key="stolen", CopySource={"Bucket": BUCKET, "Key": KEY})
        == "AccessDenied"
    )
    assert "s3:PutBucketPolicy" in SETTINGS
    assert code_of(s3.put_bucket_policy, Bucket=BUCKET, Policy=document(OPEN)) == "AccessDenied"
    assert code_of(s3.delete_bucket_policy, Bucket=BUCKET) == "AccessDenied"


def test_the_actions_of_one_plan_do_not_make_one_another_stale_and_come_back_byte_for_byte(lab, roots):
    """Grant, lock and the deny of recovery change one policy; taken back newest first, its bytes are what they were."""
    opened(lab, roots)
    first = [RemoveExportGrant(), LockExport()]
    planned = [(a, p) for a in first for p in a.plan(found(roots), OURS, datetime.now(UTC))]
    make_plan(CASE, "containment", [p for _, p in planned], OURS)
    original = {p.id: a.read(Roles(roots, a), p) for a, p in planned}
    done = [carried_out(roots, a, p) for a, p in planned]
    (later,) = DenyExportWrites().plan(found(roots), OURS, datetime.now(UTC))
    done.append(carried_out(roots, DenyExportWrites(), later))
    for action, plan, _ in done:
        aws = Roles(roots, action)
        assert action.precondition(plan, action.read(aws, plan)) == plan.preconditions[0].sha256
    for action, plan, its_receipt in reversed(done):
        back = action.revert(Roles(roots, action), plan, its_receipt)
        assert back.verified, back.probes
    assert {p.id: a.read(Roles(roots, a), p) for a, p in planned} == original


def test_s3_lists_principals_in_another_order_at_each_read_and_the_way_back_is_still_found(lab, roots):
    """As AWS does (terraform-provider-aws 13144, 22030); the lab answers what was put."""
    opened(lab, roots)
    named = OPEN | {"Principal": {"AWS": [f"arn:aws:iam::{PRODUCTION}:root", "arn:aws:iam::123456789012:root"]}}
    roots[PRODUCTION].client("s3").put_bucket_policy(Bucket=BUCKET, Policy=document(named, GRANT))
    for action in (RemoveExportGrant(), LockExport(), DenyExportWrites()):
        (planned,) = action.plan(found(roots), OURS, datetime.now(UTC))
        aws = Shuffling(roots, action)
        before = action.read(aws, planned)
        assert action.apply(aws, planned, before).changed
        assert not action.apply(aws, planned, before).changed
        assert action.precondition(planned, action.read(aws, planned)) == planned.preconditions[0].sha256
        done = receipt(planned, before, action.read(aws, planned), action.verify(aws, planned))
        assert done.verification.verified, done.verification.probes
        back = action.revert(aws, planned, done)
        assert back.verified, back.probes


def test_a_policy_that_names_a_deleted_user_is_locked_and_comes_back_without_them(lab, roots):
    """S3 shows the user's id once they are gone, and takes no policy with it: `Invalid principal in policy`."""
    opened(lab, roots)
    roots[PRODUCTION].user("left", document(GRANT))
    arn = f"arn:aws:iam::{PRODUCTION}:user/left"
    root = roots[PRODUCTION].client("s3")
    root.put_bucket_policy(Bucket=BUCKET, Policy=document(OPEN, DEAD | {"Principal": {"AWS": arn}}))
    aws = Deleted(roots, LockExport())
    was = LockExport().read(aws, LockExport().plan(found(roots), OURS, datetime.now(UTC))[0])
    seen = found(roots).buckets[BUCKET].value.model_copy(update={"policy": was["policy"]})
    (planned,) = LockExport().plan(found(roots, buckets={BUCKET: known(seen)}), OURS, datetime.now(UTC))
    assert "AIDA" in planned.before["policy"]
    before = LockExport().read(aws, planned)
    assert LockExport().apply(aws, planned, before).changed
    verification = LockExport().verify(aws, planned)
    assert verification.verified, verification.probes
    done = receipt(planned, before, LockExport().read(aws, planned), verification)
    back = LockExport().revert(aws, planned, done)
    assert back.verified, back.probes
    assert json.loads(root.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"] == [OPEN]


def test_a_canonical_id_that_s3_shows_as_an_account_is_still_the_export_service(lab, roots):
    """S3 user guide, "Principals": S3 might change the canonical ID to the corresponding AWS account ID."""
    opened(lab, roots)
    action = DenyExportWrites()
    (planned,) = action.plan(found(roots), OURS, datetime.now(UTC))
    aws = Renamed(roots, action)
    before = action.read(aws, planned)
    assert action.apply(aws, planned, before).changed
    assert not action.apply(aws, planned, before).changed
    verification = action.verify(aws, planned)
    assert verification.verified, verification.probes
    after = action.read(aws, planned)
    assert "210987654321" in after["policy"]
    assert action.precondition(planned, after) == planned.preconditions[0].sha256
    assert action.revert(aws, planned, receipt(planned, before, after, verification)).verified
    assert action.read(Roles(roots, action), planned)["policy"] == json.dumps(
        {"Version": "2012-10-17", "Statement": [OPEN, GRANT]}, indent=1
    )


class Renamed(Roles):
    """Our roles, answered by an S3 that shows an account in place of the canonical id of a deny."""

    def client(self, service, **where):
        client = super().client(service, **where)
        client.meta.events.register("after-call.s3.GetBucketPolicy", self._rename, unique_id="rename")
        return client

    def _rename(self, parsed, **_):
        text = json.loads(parsed.get("Policy", '{"Statement": []}'))
        for one in text["Statement"]:
            if one["Effect"] == "Deny" and "CanonicalUser" in one["Principal"]:
                one["Principal"] = {"AWS": "arn:aws:iam::210987654321:root"}
                parsed["Policy"] = json.dumps(text)


class Deleted(Roles):
    """Our roles, answered by an S3 whose user `left` was deleted."""

    def client(self, service, **where):
        client = super().client(service, **where)
        client.meta.events.register("after-call.s3.GetBucketPolicy", self._forget, unique_id="forget")
        return client

    def _forget(self, parsed, **_):
        if "Policy" in parsed:
            arn = f"arn:aws:iam::{PRODUCTION}:user/left"
            parsed["Policy"] = parsed["Policy"].replace(arn, DEAD["Principal"]["AWS"])


class Shuffling(Roles):
    """Our roles, answered by an S3 that turns the lists of principals round at each read."""

    reads = 0

    def client(self, service, **where):
        client = super().client(service, **where)
        client.meta.events.register("after-call.s3.GetBucketPolicy", self._turn, unique_id="turn")
        return client

    def _turn(self, parsed, **_):
        self.reads += 1
        text = json.loads(parsed["Policy"]) if "Policy" in parsed else {"Statement": []}
        for one in text["Statement"]:
            if isinstance(one["Principal"], dict) and isinstance(one["Principal"].get("AWS"), list):
                one["Principal"]["AWS"] = one["Principal"]["AWS"][:: 1 if self.reads % 2 else -1]
        if "Policy" in parsed:
            parsed["Policy"] = json.dumps(text)


def test_a_lock_under_a_later_change_is_not_taken_back_over_it(lab, roots):
    opened(lab, roots)
    (planned,) = LockExport().plan(found(roots), OURS, datetime.now(UTC))
    action, _, its_receipt = carried_out(roots, LockExport(), planned)
    (later,) = DenyExportWrites().plan(found(roots), OURS, datetime.now(UTC))
    carried_out(roots, DenyExportWrites(), later)
    back = action.revert(Roles(roots, action), planned, its_receipt)
    assert not back.verified
    assert "policy was changed by somebody since" in back.probes[0]


def test_a_lock_that_was_cut_off_half_way_is_finished_and_can_still_be_taken_back(lab, roots):
    scenario = lock(lab, roots)
    before = scenario.read()
    lab.add_fault(service="s3", operation="PutBucketAcl", kind="internal-error", times=1)
    assert code_of(scenario.action.apply, scenario.aws, scenario.planned, before) == "InternalError"
    assert scenario.action.apply(scenario.aws, scenario.planned, before).changed
    verification = scenario.action.verify(scenario.aws, scenario.planned)
    assert verification.verified, verification.probes
    done = receipt(scenario.planned, before, scenario.read(), verification)
    lab.add_fault(service="s3", operation="PutBucketAcl", kind="internal-error", times=1)
    assert code_of(scenario.action.revert, scenario.aws, scenario.planned, done) == "InternalError"
    assert scenario.action.revert(scenario.aws, scenario.planned, done).verified
    assert scenario.read() == before
    there = ["PutBucketPolicy", "PutBucketPublicAccessBlock", "PutBucketAcl", "PutBucketOwnershipControls"]
    back = ["DeleteBucketPublicAccessBlock", "PutBucketOwnershipControls", "PutBucketAcl", "PutBucketPolicy"]
    assert scenario.writes() == [*there, *back]


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("PutBucketOwnershipControls", "InvalidBucketAclWithObjectOwnership"),
        ("PutPublicAccessBlock", "OperationAborted"),
    ],
)
def test_a_bucket_that_is_still_busy_with_the_setting_before_is_locked_all_the_same(lab, roots, operation, code):
    scenario = lock(lab, roots)
    lab.add_fault(service="s3", operation=operation, code=code, status=409, times=2)
    assert scenario.action.apply(scenario.aws, scenario.planned, scenario.read()).changed
    assert scenario.action.reached(scenario.planned, scenario.read())


def test_what_changed_in_the_bucket_since_the_plan_makes_it_stale(lab, roots):
    scenario = lock(lab, roots)
    agreed = scenario.planned.preconditions[0].sha256
    extra = OPEN | {"Sid": "Partner", "Principal": {"AWS": f"arn:aws:iam::{PRODUCTION}:root"}}
    roots[PRODUCTION].client("s3").put_bucket_policy(Bucket=BUCKET, Policy=document(OPEN, GRANT, extra))
    assert scenario.action.precondition(scenario.planned, scenario.read()) != agreed


def test_a_bucket_that_changed_hands_is_refused(lab, roots):
    """Somebody deleted the bucket and took its name in another account: nothing of ours is written there."""
    scenario = lock(lab, roots)
    elsewhere = scenario.planned.model_copy(update={"account": "123456789012"})
    roots["123456789012"].role(
        "vmexport-respond",
        document(
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}
        ),
    )
    assert code_of(scenario.action.apply, scenario.aws, elsewhere, {}) == "AccessDenied"
    assert scenario.writes() == []


def carried_out(roots, action, planned):
    aws = Roles(roots, action)
    before = action.read(aws, planned)
    assert action.precondition(planned, before) == planned.preconditions[0].sha256, planned.id
    action.apply(aws, planned, before)
    verification = action.verify(aws, planned)
    assert verification.verified, verification.probes
    return action, planned, receipt(planned, before, action.read(aws, planned), verification)
