"""What the actions propose from findings: nothing on unknown facts, never against ourselves, and all of it on the page."""

from __future__ import annotations

from datetime import timedelta

import pytest

from decisions.activity import LogAnswer, LogRecord
from decisions.actor import Hop
from decisions.evidence import Coverage
from decisions.export import ExportApi
from decisions.ledger import canonical_sha256
from decisions.plan import ActionClass, PlanError, make_plan
from decisions.receipt import Verification
from decisions.resources import AccessKey, ObjectVersion
from tasks.actions.attach_export_guardrail import AttachExportGuardrail
from tasks.actions.cancel_export import CancelExport
from tasks.actions.copy_export import CopyExport
from tasks.actions.deactivate_access_key import DeactivateAccessKey
from tasks.actions.delete_export import DeleteExport
from tasks.actions.deny_user import AWS_DENY_ALL, DENY_ALL, DenyUser
from tasks.actions.inline_policy import DENY_POLICY
from tasks.actions.revoke_role_sessions import RevokeRoleSessions
from tasks.actions.watch_exports import WatchExports
from tests.actions.given import (
    BREAK_GLASS,
    BUCKET,
    CASE,
    MANAGEMENT,
    NOW,
    PRODUCTION,
    actor,
    bucket,
    event,
    facts,
    findings,
    known,
    organization,
    receipt,
    role,
    task,
    unknown,
    user,
)

OURS = organization()


def plan(action, found=None, ours=OURS):
    return action.plan(found or findings(), ours, NOW)


@pytest.mark.parametrize("action", [DenyUser(), DeactivateAccessKey(), RevokeRoleSessions()], ids=lambda a: a.kind)
def test_a_principal_that_could_not_be_read_gets_no_proposal(action):
    assert plan(action, findings(principals={user().arn: unknown()})) == ()


@pytest.mark.parametrize(
    "spared",
    [
        role("vmexport-respond"),
        role("vmexport-read", path="/ir/", arn=f"arn:aws:iam::{PRODUCTION}:role/ir/vmexport-read"),
        role("break-glass", arn=BREAK_GLASS),
        role("AWSReservedSSO_Admin_0123456789abcdef"),
        role("AWSServiceRoleForSupport", service_linked=True),
        role("elsewhere", account="210987654321"),
    ],
    ids=lambda p: p.name,
)
def test_ourselves_break_glass_and_what_cannot_be_edited_stay_out_of_every_plan(spared):
    assert plan(RevokeRoleSessions(), findings(principals={spared.arn: known(spared)})) == ()


def test_break_glass_that_is_given_as_a_pattern_stays_out_of_every_plan():
    ours = organization(break_glass=("arn:aws:iam::*:role/emergency-*",))
    spared = role("emergency-1", arn=f"arn:aws:iam::{PRODUCTION}:role/emergency-1")
    assert plan(RevokeRoleSessions(), findings(principals={spared.arn: known(spared)}), ours) == ()


def test_the_deny_is_inline_where_it_fits_and_awsdenyall_where_it_does_not():
    (fits,) = plan(DenyUser(), findings(principals={"u": known(user())}))
    assert fits.after == {"inline": DENY_ALL, "attached": False}
    (full,) = plan(DenyUser(), findings(principals={"u": known(user(inline_policies={"p": "x" * 2000}))}))
    assert full.after == {"inline": None, "attached": True}
    assert AWS_DENY_ALL in full.blast_radius


def test_what_is_in_force_already_is_not_proposed_again():
    denied = user(inline_policies={DENY_POLICY: DENY_ALL})
    assert plan(DenyUser(), findings(principals={"u": known(denied)})) == ()


def test_every_active_key_of_the_user_is_turned_off_and_the_page_says_how_many_there_are():
    keys = [
        AccessKey(access_key_id=f"AKIA{n}", user_name="mallory", status=s)
        for n, s in ((1, "Active"), (2, "Active"), (3, "Inactive"))
    ]
    planned = plan(DeactivateAccessKey(), findings(principals={"u": known(user(access_keys=tuple(keys)))}))
    assert [a.target for a in planned] == ["AKIA1", "AKIA2"]
    assert "2 more key(s)" in planned[0].blast_radius


def test_the_role_where_the_chain_began_is_revoked_first_or_it_makes_new_sessions_of_the_next():
    first, then, last = role("federated"), role("deploy"), role("exporter")
    hops = tuple(
        Hop(**actor(r, f"ASIA{n}").model_dump(exclude={"cut", "chain"})) for n, r in enumerate((last, then, first))
    )
    exports = (
        facts(actor=actor(then, "ASIA1")),
        facts(actor=actor(last, "ASIA0").model_copy(update={"chain": hops}), event=event(event_id="e-2")),
    )
    principals = {r.arn: known(r) for r in (then, last, first)}
    planned = plan(RevokeRoleSessions(), findings(exports=exports, principals=principals))
    assert [a.target for a in planned] == [first.arn, then.arn, last.arn]


def test_the_page_says_who_else_uses_the_role():
    contractor = role()
    mine = LogRecord(
        event_id="1",
        time=NOW,
        event_name="x",
        event_source="y",
        issuer_arn=contractor.arn,
        access_key_id="ASIA1",
        origin="t",
    )
    theirs = mine.model_copy(
        update={
            "access_key_id": "ASIA2",
            "principal_arn": f"arn:aws:sts::{PRODUCTION}:assumed-role/contractor/deploy-job",
        }
    )
    coverage = Coverage(searched_from=NOW - timedelta(days=1), searched_to=NOW, complete=True)
    answer = known(LogAnswer(records=(mine, theirs), coverage=coverage))
    found = findings(
        exports=(facts(actor=actor(contractor, "ASIA1")),),
        principals={contractor.arn: known(contractor)},
        activity={"access key ASIA1": answer},
    )
    (planned,) = plan(RevokeRoleSessions(), found)
    assert "1 other session(s) used contractor" in planned.blast_radius
    assert "deploy-job" in planned.blast_radius
    assert planned.parameters["access_key_ids"] == ["ASIA1"]
    (blind,) = plan(RevokeRoleSessions(), found.model_copy(update={"activity": {"access key ASIA1": unknown()}}))
    assert "is not known" in blind.blast_radius


@pytest.mark.parametrize(
    "export",
    [
        facts(task=unknown()),
        facts(task=known(task(state="completed"))),
        facts(task=known(task(state="InProgress", api=ExportApi.STORE))),
        facts(event=event(region=None)),
        facts(event=event(recipient_account=None)),
        facts(event=event(recipient_account="210987654321")),
    ],
    ids=["unknown", "completed", "store task", "no Region", "no account", "foreign account"],
)
def test_only_a_running_cancellable_task_of_ours_is_cancelled(export):
    assert plan(CancelExport(), findings(exports=(export,))) == ()


def test_two_alerts_of_one_task_cancel_it_once_and_nobody_is_told_that_it_can_be_resumed():
    (planned,) = plan(CancelExport(), findings(exports=(facts(), facts(event=event(event_id="e-2")))))
    assert planned.action_class is ActionClass.PREVENTIVE
    assert "cannot be resumed" in planned.inverse


KEY = "vms/export-i-0123456789abcdef0.ova"


def version(number: int = 1, **change):
    given = {
        "bucket": BUCKET,
        "key": KEY,
        "version_id": f"v{number}",
        "size_bytes": 10,
        "etag": '"e"',
        "last_modified": NOW,
    }
    return ObjectVersion(**(given | change))


def copy_receipt(number: int = 1, verified: bool = True):
    custody = {
        "sha256": "a" * 64,
        "size_bytes": 10,
        "destination": "arn:aws:s3:::evidence/k",
        "destination_version": f"d{number}",
        "destination_account": "777788889999",
    }
    done = plan(WatchExports())[0].model_copy(update={"id": f"forensics.copy-export:{BUCKET}/{KEY}@v{number}"})
    return receipt(done, {}, {"copy": {}}, Verification(verified=verified, probes=("p",)), custody=custody)


def exported(*versions, **change):
    return findings(buckets={BUCKET: known(bucket())}, objects={BUCKET: known(versions)}, **change)


def test_nothing_is_deleted_without_a_verified_copy_of_every_version():
    two = (version(1), version(2))
    assert plan(DeleteExport(), exported(*two)) == ()
    assert plan(DeleteExport(), exported(*two, receipts=(copy_receipt(1),))) == ()
    assert plan(DeleteExport(), exported(*two, receipts=(copy_receipt(1), copy_receipt(2, verified=False)))) == ()
    (planned,) = plan(DeleteExport(), exported(*two, receipts=(copy_receipt(1), copy_receipt(2))))
    assert planned.action_class is ActionClass.DESTRUCTIVE
    assert "CANNOT BE UNDONE" in planned.inverse
    verified = frozenset(planned.needs)
    assert len(verified) == 2
    assert make_plan(CASE, "destruction", [planned], OURS, verified).actions == (planned,)
    with pytest.raises(PlanError, match=r"needs forensics\.copy-export"):
        make_plan(CASE, "destruction", [planned], OURS, frozenset())


def test_delete_markers_need_no_copy_but_go_with_the_versions():
    marker = version(9, delete_marker=True, etag="", size_bytes=0)
    (planned,) = plan(DeleteExport(), exported(version(1), marker, receipts=(copy_receipt(1),)))
    assert [v["version_id"] for v in planned.before["versions"]] == ["v1", "v9"]
    assert plan(DeleteExport(), exported(marker)) == ()


@pytest.mark.parametrize(
    "key", ["payroll.db", "export-i-0123456789abcdef0/payroll.db", "export-i-0123456789abcdef01.ova"]
)
def test_an_object_that_an_alert_names_but_no_export_wrote_is_never_deleted(key):
    named = version(key=key)
    copied = copy_receipt().model_copy(update={"action_id": f"forensics.copy-export:{BUCKET}/{key}@v1"})
    assert plan(DeleteExport(), exported(named, receipts=(copied,))) == ()


@pytest.mark.parametrize("action", [CopyExport(), DeleteExport()], ids=lambda a: a.kind)
def test_an_image_in_a_bucket_of_strangers_is_neither_copied_nor_deleted(action):
    theirs = exported(version(), receipts=(copy_receipt(),) if isinstance(action, DeleteExport) else ())
    assert len(plan(action, theirs)) == 1
    foreign = {BUCKET: known(bucket(account="210987654321"))}
    assert plan(action, theirs.model_copy(update={"buckets": foreign})) == ()


def test_unknown_objects_or_bucket_plan_no_deletion():
    assert plan(DeleteExport(), findings(objects={BUCKET: unknown()}, buckets={BUCKET: known(bucket())})) == ()
    assert plan(DeleteExport(), findings(objects={BUCKET: known((version(),))}, receipts=(copy_receipt(),))) == ()


def test_no_guardrail_is_proposed_for_the_management_account():
    assert plan(AttachExportGuardrail(), findings(exports=(facts(event=event(recipient_account=MANAGEMENT)),))) == ()


def test_the_guardrail_exempts_migration_roles_and_break_glass():
    (planned,) = plan(AttachExportGuardrail())
    assert planned.account == MANAGEMENT
    assert planned.parameters["target"] == PRODUCTION
    assert BREAK_GLASS in planned.after["content"]
    assert OURS.migration_roles[0] in planned.after["content"]
    (rooted,) = plan(AttachExportGuardrail(), ours=organization(scp_target="r-abcd"))
    assert rooted.parameters["target"] == "r-abcd"


def test_a_rule_without_a_target_is_said_to_count_only():
    (planned,) = plan(WatchExports())
    assert "only counted" in planned.blast_radius
    assert planned.after["targets"] == []


def test_the_precondition_hashes_what_the_action_rests_on():
    action = DenyUser()
    (planned,) = plan(action, findings(principals={"u": known(user())}))
    assert planned.preconditions[0].sha256 == canonical_sha256(action.relevant(planned, planned.before))


def test_reasons_cite_the_evidence():
    (planned,) = plan(CancelExport())
    assert "EV-0001" in planned.reason
    assert planned.evidence == ("EV-0001",)
