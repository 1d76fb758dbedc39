"""Cutting users, keys and role sessions off, in the lab over HTTP: it takes effect, once, and can be taken back exactly."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from decisions.resources import AccessKey, PrincipalState
from tasks.actions.deactivate_access_key import DeactivateAccessKey
from tasks.actions.deny_user import DENY_ALL, DenyUser
from tasks.actions.inline_policy import DENY_POLICY, REVOKE_POLICY, canonical
from tasks.actions.revoke_role_sessions import RevokeRoleSessions
from tests.actions.given import PRODUCTION, Roles, actor, facts, findings, known, organization, receipt
from tests.actions.scenario import Scenario
from tests.lab.aws import ADMIN, As, code_of, trust

pytestmark = pytest.mark.lab


def principal(root: As, kind: str, name: str) -> PrincipalState:
    """What tasks/iam.py reads of it, as far as these actions need it."""
    iam, more = root.client("iam"), {"UserName" if kind == "user" else "RoleName": name}
    names = getattr(iam, f"list_{kind}_policies")(**more)["PolicyNames"]
    inline = {n: canonical(getattr(iam, f"get_{kind}_policy")(**more, PolicyName=n)["PolicyDocument"]) for n in names}
    attached = getattr(iam, f"list_attached_{kind}_policies")(**more)["AttachedPolicies"]
    keys = iam.list_access_keys(**more)["AccessKeyMetadata"] if kind == "user" else []
    return PrincipalState(
        arn=f"arn:aws:iam::{PRODUCTION}:{kind}/{name}",
        name=name,
        type=kind,
        account=PRODUCTION,
        inline_policies=inline,
        managed_policies={p["PolicyArn"]: "{}" for p in attached},
        access_keys=tuple(AccessKey(access_key_id=k["AccessKeyId"], user_name=name, status=k["Status"]) for k in keys),
    )


def found(root: As, kind: str, name: str, attacker: As):
    state = principal(root, kind, name)
    export = facts(actor=actor(state, attacker.key.access_key_id))
    return findings(exports=(export,), principals={state.arn: known(state)})


def deny_user(lab, roots, padding: str = "") -> Scenario:
    root = roots[PRODUCTION]
    mallory = root.user("mallory", json.dumps(ADMIN))
    if padding:
        root.client("iam").put_user_policy(UserName="mallory", PolicyName="more", PolicyDocument=padding)
    action = DenyUser()
    (planned,) = action.plan(found(root, "user", "mallory", mallory), organization(), datetime.now(UTC))
    iam = root.client("iam")
    session = As(lab, mallory.key).client("sts").get_session_token()["Credentials"]
    temporary = As(lab, type(mallory.key)(session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]))
    return Scenario(
        lab,
        Roles(roots, action),
        action,
        planned,
        attempts=(
            lambda: code_of(mallory.client("ec2").describe_instances),
            lambda: code_of(temporary.client("ec2").describe_instances),
        ),
        undo=lambda: (
            code_of(iam.delete_user_policy, UserName="mallory", PolicyName=DENY_POLICY),
            code_of(iam.detach_user_policy, UserName="mallory", PolicyArn="arn:aws:iam::aws:policy/AWSDenyAll"),
        ),
    )


def deny_full_user(lab, roots) -> Scenario:
    full = {"Effect": "Allow", "Action": [f"s3:Get{'x' * 60}{i}" for i in range(24)], "Resource": "*"}
    return deny_user(lab, roots, json.dumps({"Version": "2012-10-17", "Statement": [full]}))


def deactivate_key(lab, roots) -> Scenario:
    root = roots[PRODUCTION]
    mallory = root.user("mallory", json.dumps(ADMIN))
    action = DeactivateAccessKey()
    (planned,) = action.plan(found(root, "user", "mallory", mallory), organization(), datetime.now(UTC))
    key = mallory.key.access_key_id
    return Scenario(
        lab,
        Roles(roots, action),
        action,
        planned,
        attempts=(lambda: code_of(mallory.client("ec2").describe_instances),),
        undo=lambda: root.client("iam").update_access_key(UserName="mallory", AccessKeyId=key, Status="Active"),
    )


def revoke_sessions(lab, roots) -> Scenario:
    root = roots[PRODUCTION]
    arn = root.role("contractor", trust({"AWS": f"arn:aws:iam::{PRODUCTION}:root"}), json.dumps(ADMIN))
    session = root.user("origin", json.dumps(ADMIN)).assume(arn, session="c.ontractor")
    action = RevokeRoleSessions()
    (planned,) = action.plan(found(root, "role", "contractor", session), organization(), datetime.now(UTC))
    undo = {"RoleName": "contractor", "PolicyName": REVOKE_POLICY}
    return Scenario(
        lab,
        Roles(roots, action),
        action,
        planned,
        attempts=(
            lambda: code_of(session.client("ec2").describe_instances),
            lambda: code_of(session.client("sts").assume_role, RoleArn=arn, RoleSessionName="again"),
        ),
        undo=lambda: root.client("iam").delete_role_policy(**undo),
    )


@pytest.fixture(params=[deny_user, deny_full_user, deactivate_key, revoke_sessions])
def scenario(request, lab, roots) -> Scenario:
    return request.param(lab, roots)


def test_the_attacker_is_let_in_before_and_refused_after(scenario):
    assert set(scenario.tried()) == {"ok"}
    before = scenario.read()
    assert not scenario.action.reached(scenario.planned, before)
    assert scenario.action.apply(scenario.aws, scenario.planned, before).changed
    assert "ok" not in scenario.tried()
    verification = scenario.action.verify(scenario.aws, scenario.planned)
    assert verification.verified, verification.probes


def test_cut_off_between_apply_and_verify_it_is_applied_once(scenario):
    before = scenario.read()
    applied = scenario.action.apply(scenario.aws, scenario.planned, before)
    again = scenario.action.apply(scenario.aws, scenario.planned, before)
    assert (applied.changed, again.changed) == (True, False)
    assert len(scenario.writes()) == len(applied.request_ids) == 1


def test_the_plan_still_fits_before_and_after(scenario):
    agreed = scenario.planned.preconditions[0].sha256
    assert scenario.action.precondition(scenario.planned, scenario.read()) == agreed
    scenario.action.apply(scenario.aws, scenario.planned, scenario.read())
    assert scenario.action.precondition(scenario.planned, scenario.read()) == agreed


def test_what_was_undone_behind_our_back_is_not_verified(scenario, impatient):
    scenario.action.apply(scenario.aws, scenario.planned, scenario.read())
    scenario.undo()
    verification = scenario.action.verify(scenario.aws, scenario.planned)
    assert not verification.verified
    assert any("NOT" in probe for probe in verification.probes)


def test_taken_back_it_is_as_it_was_and_taking_back_twice_writes_nothing(scenario):
    before = scenario.read()
    scenario.action.apply(scenario.aws, scenario.planned, before)
    done = receipt(scenario.planned, before, scenario.read(), scenario.action.verify(scenario.aws, scenario.planned))
    assert scenario.action.revert(scenario.aws, scenario.planned, done).verified
    assert scenario.read() == before
    assert set(scenario.tried()) == {"ok"}
    writes = len(scenario.writes())
    assert scenario.action.revert(scenario.aws, scenario.planned, done).verified
    assert len(scenario.writes()) == writes == 2


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


def test_sessions_made_while_the_gate_stood_open_are_refused_and_later_ones_work(lab, roots, eventually):
    scenario = revoke_sessions(lab, roots)
    root = roots[PRODUCTION]
    arn = f"arn:aws:iam::{PRODUCTION}:role/contractor"
    origin = root.user("origin2", json.dumps(ADMIN))
    during = origin.assume(arn)
    scenario.action.apply(scenario.aws, scenario.planned, scenario.read())
    assert code_of(during.client("ec2").describe_instances) != "ok"
    assert eventually(lambda: code_of(origin.assume(arn).client("ec2").describe_instances) == "ok")


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
