"""Users and roles in the lab whose policies let them export."""

from __future__ import annotations

from datetime import UTC, datetime

from tasks.actions.inline_policy import GUARD_POLICY
from tasks.actions.remove_export_permission import RemoveExportPermission
from tests.actions.given import PRODUCTION, Roles, document, organization
from tests.actions.identity_scenarios import found
from tests.actions.recovery_scenarios import export_code
from tests.actions.scenario import Scenario

EXPORT = {
    "Sid": "Export",
    "Effect": "Allow",
    "Action": ["ec2:CreateInstanceExportTask", "ec2:Describe*"],
    "Resource": "*",
}
BROAD = {"Sid": "Broad", "Effect": "Allow", "Action": "ec2:*", "Resource": "*"}
MANAGED = f"arn:aws:iam::{PRODUCTION}:policy/exporters"


def scenario_of(lab, roots, mallory, undo) -> Scenario:
    action = RemoveExportPermission()
    (planned,) = action.plan(found(roots[PRODUCTION], "user", "mallory", mallory), organization(), datetime.now(UTC))
    return Scenario(lab, Roles(roots, action), action, planned, attempts=(lambda: export_code(mallory),), undo=undo)


def inline(lab, roots) -> Scenario:
    """The entry that names the API goes, the rest of the statement stays."""
    root = roots[PRODUCTION]
    mallory = root.user("mallory", document(EXPORT))
    back = {"UserName": "mallory", "PolicyName": "given", "PolicyDocument": document(EXPORT)}
    return scenario_of(lab, roots, mallory, lambda: root.client("iam").put_user_policy(**back))


def group(lab, roots) -> Scenario:
    root = roots[PRODUCTION]
    mallory, iam = root.user("mallory"), root.client("iam")
    iam.create_group(GroupName="ops")
    iam.add_user_to_group(GroupName="ops", UserName="mallory")
    back = {"GroupName": "ops", "PolicyName": "given", "PolicyDocument": document(BROAD)}
    iam.put_group_policy(**back)
    return scenario_of(lab, roots, mallory, lambda: iam.put_group_policy(**back))


def managed(lab, roots) -> Scenario:
    root = roots[PRODUCTION]
    mallory, iam = root.user("mallory"), root.client("iam")
    iam.create_policy(PolicyName="exporters", PolicyDocument=document(BROAD))
    iam.attach_user_policy(UserName="mallory", PolicyArn=MANAGED)
    return scenario_of(lab, roots, mallory, lambda: iam.set_default_policy_version(PolicyArn=MANAGED, VersionId="v1"))


def aws_managed(lab, roots) -> Scenario:
    root = roots[PRODUCTION]
    mallory, iam = root.user("mallory"), root.client("iam")
    iam.attach_user_policy(UserName="mallory", PolicyArn="arn:aws:iam::aws:policy/AmazonEC2FullAccess")
    return scenario_of(lab, roots, mallory, lambda: iam.delete_user_policy(UserName="mallory", PolicyName=GUARD_POLICY))


ALL = (inline, group, managed, aws_managed)
