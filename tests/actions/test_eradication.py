"""What is particular to taking the permission to export away."""

from __future__ import annotations

import json

import pytest

from tasks.actions.base import ActionRefused
from tasks.actions.inline_policy import GUARD_POLICY, canonical
from tasks.actions.remove_export_permission import GUARD, RemoveExportPermission
from tests.actions.eradication_scenarios import BROAD, EXPORT, MANAGED, managed
from tests.actions.given import (
    NOW,
    PRODUCTION,
    actor,
    document,
    facts,
    findings,
    known,
    organization,
    receipt,
    role,
    user,
)

OURS = organization()
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


def text(*statements):
    return canonical(json.loads(document(*statements)))


def planned_for(principal, caller=None, ours=OURS):
    export = facts(actor=actor(caller or principal, "ASIA1"))
    found = findings(exports=(export,), principals={principal.arn: known(principal)})
    return RemoveExportPermission().plan(found, ours, NOW)


def test_only_the_entry_that_names_the_api_goes():
    (planned,) = planned_for(user(inline_policies={"given": text(EXPORT)}))
    (left,) = json.loads(planned.after["document"])["Statement"]
    assert left["Action"] == ["ec2:Describe*"]
    assert json.loads(planned.before["document"])["Statement"] == [EXPORT]
    assert "no longer allows ec2:CreateInstanceExportTask" in planned.reason


def test_a_statement_for_exports_alone_leaves_no_policy_behind():
    alone = EXPORT | {"Action": "ec2:CreateInstanceExportTask"}
    (planned,) = planned_for(role(inline_policies={"given": text(alone)}))
    assert planned.after == {"document": None}
    assert "All sessions of contractor" in planned.blast_radius


def test_what_aws_owns_is_denied_beside_it_and_once_for_all_of_it():
    policies = {ADMINISTRATOR: text(BROAD), "arn:aws:iam::aws:policy/PowerUserAccess": text(BROAD)}
    (planned,) = planned_for(role(managed_policies=policies))
    assert planned.after == {"document": GUARD}
    assert planned.target.endswith(f"contractor/{GUARD_POLICY}")
    assert planned_for(role(managed_policies=policies, inline_policies={GUARD_POLICY: GUARD})) == ()


def test_policies_that_did_not_let_the_export_pass_are_left_alone():
    other = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    elsewhere = EXPORT | {"Resource": "arn:aws:ec2:eu-west-1:111122223333:instance/i-0"}
    assert planned_for(user(inline_policies={"given": text(other), "elsewhere": text(elsewhere)})) == ()


def test_a_condition_that_nobody_can_know_counts_as_fulfilled():
    perhaps = EXPORT | {"Condition": {"StringEquals": {"ec2:ResourceTag/env": "dev"}}}
    assert len(planned_for(user(inline_policies={"given": text(perhaps)}))) == 1


def test_whoever_did_not_call_and_whoever_is_meant_to_export_keeps_the_permission():
    origin = user(inline_policies={"given": text(BROAD)})
    assert planned_for(origin, caller=role()) == ()
    approved = organization(approved_exporters=(origin.arn,))
    assert planned_for(origin, ours=approved) == ()


@pytest.mark.lab
def test_a_managed_policy_with_five_versions_is_refused_with_the_next_step(lab, roots):
    scenario = managed(lab, roots)
    iam = roots[PRODUCTION].client("iam")
    for n in range(4):
        iam.create_policy_version(PolicyArn=MANAGED, PolicyDocument=document(BROAD | {"Sid": f"N{n}"}))
    before = scenario.read()
    with pytest.raises(ActionRefused, match=r"Delete one that is not in use \(v2, v3, v4, v5\)"):
        scenario.action.apply(scenario.aws, scenario.planned, before)
    assert scenario.writes() == []


@pytest.mark.lab
def test_the_old_version_is_kept_until_it_is_the_default_again_and_ours_is_gone_then(lab, roots):
    scenario = managed(lab, roots)
    iam = roots[PRODUCTION].client("iam")
    before = scenario.read()
    scenario.action.apply(scenario.aws, scenario.planned, before)
    assert scenario.read()["versions"] == ["v1", "v2"]
    # cut off in the middle of the way back: the default is old again, our version still there
    iam.set_default_policy_version(PolicyArn=MANAGED, VersionId="v1")
    scenario.action.write(scenario.aws, scenario.planned, scenario.read(), before)
    assert scenario.read() == before


@pytest.mark.lab
def test_a_version_that_somebody_else_made_since_is_not_deleted_on_the_way_back(lab, roots):
    scenario = managed(lab, roots)
    iam = roots[PRODUCTION].client("iam")
    before = scenario.read()
    scenario.action.apply(scenario.aws, scenario.planned, before)
    done = receipt(scenario.planned, before, scenario.read(), scenario.action.verify(scenario.aws, scenario.planned))
    theirs = iam.create_policy_version(PolicyArn=MANAGED, PolicyDocument=document(EXPORT))["PolicyVersion"]["VersionId"]
    back = scenario.action.revert(scenario.aws, scenario.planned, done)
    assert not back.verified
    assert "versions was changed by somebody since" in back.probes[0]
    assert theirs in scenario.read()["versions"]
