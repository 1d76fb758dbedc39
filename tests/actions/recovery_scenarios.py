"""The organisation and its event bus in the lab, which recovery changes."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from decisions.organization import Account
from tasks.actions.attach_export_guardrail import NAME, AttachExportGuardrail
from tasks.actions.watch_exports import RULE, WatchExports
from tests.actions.given import MANAGEMENT, PRODUCTION, Roles, event, facts, findings, organization
from tests.actions.scenario import Scenario
from tests.lab.aws import ADMIN, As, code_of


def guardrail(lab, roots) -> Scenario:
    """A member account with an administrator who exports, and a migration role that may go on."""
    organizations = roots[MANAGEMENT].client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    made = organizations.create_account(Email="m@example.com", AccountName="member")["CreateAccountStatus"]
    member = made["AccountId"]
    mallory = As(lab, lab.root_key(member)).user("mallory", json.dumps(ADMIN))
    ours = organization(accounts=(Account(id=member, name="member", sensitivity="production"),))
    export = facts(event=event(recipient_account=member))
    action = AttachExportGuardrail()
    (planned,) = action.plan(findings(exports=(export,)), ours, datetime.now(UTC))

    def undo() -> None:
        listed = organizations.list_policies(Filter="SERVICE_CONTROL_POLICY")["Policies"]
        (ours,) = [p["Id"] for p in listed if p["Name"] == NAME]
        organizations.detach_policy(PolicyId=ours, TargetId=member)

    return Scenario(
        lab,
        Roles(roots, action),
        action,
        planned,
        attempts=(lambda: export_code(mallory),),
        undo=undo,
    )


def export_code(who: As) -> str:
    """What an export of an instance that is not there answers: whether the caller may is asked first."""
    target = {"DiskImageFormat": "VMDK", "ContainerFormat": "ova", "S3Bucket": "corp-exports"}
    return code_of(
        who.client("ec2").create_instance_export_task,
        InstanceId="i-0123456789abcdef0",
        TargetEnvironment="vmware",
        ExportToS3Task=target,
    )


def watch(lab, roots) -> Scenario:
    root = roots[PRODUCTION]
    root.client("sqs").create_queue(QueueName="watch")
    ours = organization(monitoring_target="arn:aws:sqs:{region}:{account}:watch")
    action = WatchExports()
    (planned,) = action.plan(findings(), ours, datetime.now(UTC))
    return Scenario(
        lab,
        Roles(roots, action),
        action,
        planned,
        undo=lambda: root.client("events").disable_rule(Name=RULE),
    )


def watch_without_target(lab, roots) -> Scenario:
    action = WatchExports()
    (planned,) = action.plan(findings(), organization(), datetime.now(UTC))
    undo = roots[PRODUCTION].client("events")
    return Scenario(lab, Roles(roots, action), action, planned, undo=lambda: undo.delete_rule(Name=RULE))


ALL = (guardrail, watch, watch_without_target)
