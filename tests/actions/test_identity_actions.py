"""What is particular to cutting users and role sessions off."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tasks.actions.deny_user import DENY_ALL
from tasks.actions.inline_policy import DENY_POLICY, REVOKE_POLICY
from tests.actions.given import PRODUCTION, receipt
from tests.actions.identity_scenarios import deny_user, revoke_sessions
from tests.lab.aws import ADMIN, code_of

pytestmark = pytest.mark.lab


def test_what_somebody_changed_since_is_not_overwritten(lab, roots):
    scenario = deny_user(lab, roots)
    before = scenario.read()
    scenario.action.apply(scenario.aws, scenario.planned, before)
    done = receipt(scenario.planned, before, scenario.read(), scenario.action.verify(scenario.aws, scenario.planned))
    theirs = DENY_ALL.replace("VMExportResponseDeny", "Theirs")
    roots[PRODUCTION].client("iam").put_user_policy(UserName="mallory", PolicyName=DENY_POLICY, PolicyDocument=theirs)
    back = scenario.action.revert(scenario.aws, scenario.planned, done)
    assert not back.verified
    assert "changed by somebody since" in back.probes[0]
    assert scenario.read()["inline"] == theirs


def test_sessions_made_while_the_gate_stood_open_or_iam_was_still_slow_are_refused_and_later_ones_work(lab, roots):
    """Whoever was cut upstream gets sessions for some seconds more (IAM is eventually consistent): these die as well."""
    scenario = revoke_sessions(lab, roots)
    root = roots[PRODUCTION]
    arn = f"arn:aws:iam::{PRODUCTION}:role/contractor"
    origin = root.user("origin2", json.dumps(ADMIN))
    during = origin.assume(arn)
    scenario.action.apply(scenario.aws, scenario.planned, scenario.read())
    assert code_of(during.client("ec2").describe_instances) != "ok"
    lab.shift(timedelta(seconds=20))
    slipped = origin.assume(arn)
    assert code_of(slipped.client("ec2").describe_instances) != "ok"
    lab.shift(timedelta(minutes=2))
    assert code_of(slipped.client("ec2").describe_instances) != "ok"
    assert code_of(origin.assume(arn).client("ec2").describe_instances) == "ok"


def test_a_policy_of_our_name_that_only_looks_like_ours_is_replaced(lab, roots):
    root = roots[PRODUCTION]
    scenario = revoke_sessions(lab, roots)
    later = f"{datetime.now(UTC).year + 1}-01-01T00:00:00Z"
    trick = {
        "Effect": "Allow",
        "Action": "*",
        "Resource": "*",
        "Condition": {"DateLessThan": {"aws:TokenIssueTime": later}},
    }
    root.client("iam").put_role_policy(
        RoleName="contractor",
        PolicyName=REVOKE_POLICY,
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trick]}),
    )
    assert not scenario.action.reached(scenario.planned, scenario.read())
    assert scenario.action.precondition(scenario.planned, scenario.read()) != scenario.planned.preconditions[0].sha256


def test_a_missing_role_is_an_error_and_not_a_role_without_the_deny(lab, roots):
    scenario = revoke_sessions(lab, roots)
    iam = roots[PRODUCTION].client("iam")
    iam.delete_role_policy(RoleName="contractor", PolicyName="given")
    iam.delete_role(RoleName="contractor")
    assert code_of(scenario.read) == "NoSuchEntity"
