"""Users, keys and roles in the lab that are to be cut off."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from decisions.resources import PrincipalState
from tasks import iam
from tasks.actions.deactivate_access_key import DeactivateAccessKey
from tasks.actions.deny_user import DenyUser
from tasks.actions.inline_policy import DENY_POLICY, REVOKE_POLICY
from tasks.actions.revoke_role_sessions import RevokeRoleSessions
from tests.actions.given import PRODUCTION, AsRoot, Roles, actor, facts, findings, known, organization
from tests.actions.scenario import Scenario
from tests.lab.aws import ADMIN, As, code_of, trust


def principal(root: As, kind: str, name: str) -> PrincipalState:
    """As the investigation reads it."""
    return iam.principal.plain(AsRoot({PRODUCTION: root}), f"arn:aws:iam::{PRODUCTION}:{kind}/{name}")


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
    admin = root.client("iam")
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
            code_of(admin.delete_user_policy, UserName="mallory", PolicyName=DENY_POLICY),
            code_of(admin.detach_user_policy, UserName="mallory", PolicyArn="arn:aws:iam::aws:policy/AWSDenyAll"),
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


ALL = (deny_user, deny_full_user, deactivate_key, revoke_sessions)
