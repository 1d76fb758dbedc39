"""What is particular to bucket actions: whom they spare, what they leave alone, and how they get along with one another."""

from __future__ import annotations

import json

import pytest

from decisions.access import CLOUDFRONT_LOGS, LOG_DELIVERY
from decisions.export import Outcome
from decisions.resources import Acl, AclGrant
from tasks.actions.bucket_statements import is_public
from tasks.actions.deny_export_writes import DenyExportWrites
from tasks.actions.lock_export import LockExport
from tasks.actions.remove_export_grant import RemoveExportGrant
from tests.actions.bucket_scenarios import DEAD, GRANT, KEY, OPEN, SERVICE
from tests.actions.given import (
    BUCKET,
    NOW,
    OWNER,
    PRODUCTION,
    bucket,
    document,
    event,
    facts,
    findings,
    known,
    organization,
    unknown,
)

OURS = organization()
OWNER_ROOT = f"arn:aws:iam::{PRODUCTION}:root"


def in_bucket(**change):
    exports = (facts(key=known(KEY), event=event(object_key=KEY)),)
    return findings(**({"exports": exports, "buckets": {BUCKET: known(bucket())}} | change))


class TestPlanning:
    @pytest.mark.parametrize("action", [LockExport(), RemoveExportGrant(), DenyExportWrites()], ids=lambda a: a.kind)
    def test_no_policy_is_written_that_names_somebody_who_was_deleted(self, action):
        both = DEAD | {"Sid": "Both", "Principal": {"AWS": [OWNER_ROOT, "AROAEXAMPLEROLEID1234"]}}
        left = bucket(policy=document(DEAD, both, GRANT))
        (planned,) = action.plan(in_bucket(buckets={BUCKET: known(left)}), OURS, NOW)
        assert "EXAMPLE" not in planned.after["policy"]
        kept = next(s for s in json.loads(planned.after["policy"])["Statement"] if s["Sid"] == "Both")
        assert kept["Principal"]["AWS"] in (OWNER_ROOT, [OWNER_ROOT])

    def test_nothing_is_locked_where_nothing_was_exported(self):
        denied = facts(event=event(outcome=Outcome.DENIED), task=unknown(), key=known(KEY))
        assert LockExport().plan(in_bucket(exports=(denied,)), OURS, NOW) == ()

    def test_an_unreadable_or_foreign_bucket_gets_no_proposal(self):
        for state in (unknown(), known(bucket(account="210987654321"))):
            for action in (LockExport(), RemoveExportGrant(), DenyExportWrites()):
                assert action.plan(in_bucket(buckets={BUCKET: state}), OURS, NOW) == ()

    def test_a_key_that_is_not_known_closes_the_whole_bucket_and_the_page_says_so(self):
        (planned,) = LockExport().plan(in_bucket(exports=(facts(),)), OURS, NOW)
        assert planned.parameters["keys"] == ["*"]
        assert "which key is the image's is not known" in planned.blast_radius

    def test_a_prefix_covers_the_keys_under_it_and_signs_of_the_policy_language_mean_themselves(self):
        exports = (
            facts(key=known("vms/"), key_is_prefix=True),
            facts(key=known(KEY), event=event(event_id="e-2")),
            facts(key=known("od*d"), event=event(event_id="e-3")),
        )
        (planned,) = LockExport().plan(in_bucket(exports=exports), OURS, NOW)
        assert planned.parameters["keys"] == ["od?d", "vms/*"]

    @pytest.mark.parametrize(
        "writer",
        [
            AclGrant(grantee_type="Group", grantee_uri=LOG_DELIVERY, permission="WRITE"),
            AclGrant(grantee_type="CanonicalUser", grantee_id=CLOUDFRONT_LOGS, permission="FULL_CONTROL"),
        ],
        ids=["S3", "CloudFront"],
    )
    def test_an_acl_by_which_logs_are_delivered_is_kept(self, writer):
        grants = (AclGrant(grantee_type="CanonicalUser", grantee_id=OWNER, permission="FULL_CONTROL"), writer)
        logs = bucket(acl=Acl(owner_id=OWNER, grants=grants))
        (planned,) = LockExport().plan(in_bucket(buckets={BUCKET: known(logs)}), OURS, NOW)
        assert planned.after["acl"] == planned.before["acl"]
        assert planned.after["ownership"] == planned.before["ownership"]
        assert "logs are delivered by it" in planned.blast_radius

    def test_a_policy_that_leaves_no_room_is_replaced_for_the_time_of_the_lock_and_the_page_says_so(self):
        many = [{"Sid": f"S{n}", "Effect": "Allow", "Principal": {"AWS": PRODUCTION}, "Action": "s3:GetObject",
                 "Resource": f"arn:aws:s3:::{BUCKET}/{'p' * 150}{n}"} for n in range(70)]  # fmt: skip
        trail = {"Sid": "Trail", "Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"},
                 "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{BUCKET}/AWSLogs/*"}  # fmt: skip
        full = bucket(policy=document(trail, *many))
        (planned,) = LockExport().plan(in_bucket(buckets={BUCKET: known(full)}), OURS, NOW)
        assert planned.parameters["replace"]
        assert "whole bucket" in planned.blast_radius
        assert planned.before["policy"] == full.policy
        assert trail in json.loads(planned.after["policy"])["Statement"], "CloudTrail goes on delivering"
        assert "but for the delivery of logs" in planned.blast_radius

    def test_whoever_breaks_glass_is_spared_in_the_bucket_s_account_also_when_given_for_every_account(self):
        ours = organization(break_glass=("arn:aws:iam::*:role/break-glass",))
        (planned,) = LockExport().plan(in_bucket(), ours, NOW)
        assert f"arn:aws:iam::{PRODUCTION}:role/break-glass" in planned.parameters["exempt"]

    def test_grants_of_the_service_are_taken_away_and_everything_else_stays(self):
        mixed = GRANT | {"Principal": {"CanonicalUser": [SERVICE, OWNER]}}
        open_for_export = bucket(policy=document(OPEN, mixed))
        (planned,) = RemoveExportGrant().plan(in_bucket(buckets={BUCKET: known(open_for_export)}), OURS, NOW)
        left = json.loads(planned.after["policy"])["Statement"]
        assert left[0] == OPEN
        assert SERVICE not in json.dumps(left)
        assert OWNER in json.dumps(left)
        assert RemoveExportGrant().plan(in_bucket(), OURS, NOW) == ()

    def test_an_approved_bucket_may_go_on_receiving_exports(self):
        assert DenyExportWrites().plan(in_bucket(), organization(approved_buckets=(BUCKET,)), NOW) == ()


@pytest.mark.parametrize(
    ("change", "public"),
    [
        ({}, True),
        ({"Principal": {"AWS": ["*"]}}, True),
        ({"Effect": "Deny"}, False),
        ({"Principal": {"AWS": PRODUCTION}}, False),
        ({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorg1"}}}, False),
        ({"Condition": {"StringLike": {"aws:PrincipalOrgID": "o-*"}}}, True),
        ({"Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-exampleorg1"}}}, True),
        ({"Condition": {"IpAddress": {"aws:SourceIp": ["192.0.2.0/24"]}}}, False),
        ({"Condition": {"IpAddress": {"aws:SourceIp": ["0.0.0.0/1"]}}}, True),
        ({"Condition": {"StringEquals": {"aws:UserAgent": "x"}}}, True),
    ],
)
def test_what_s3_calls_public(change, public):
    assert is_public(OPEN | change) is public
