"""Who may agree to what: the rules that stand between a plan and the world."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from decisions.approval import Approval, ApprovedPlan, NotApproved, approvals_needed, approve, is_suspect, refuse_answer
from decisions.plan import ActionClass, PlanError, changes_between, make_plan
from tests.decisions.plans import COPY, DELETE, DEVELOPMENT, NOW, action, organization


def plan_of(*actions, gate="containment", verified=frozenset()):
    return make_plan("VMX-20260302-ABCD", gate, actions, organization(), verified)


def answer(plan, who="alice@example.com", **change):
    given = {
        "case_id": plan.case_id, "gate": plan.gate, "plan_hash": plan.hash, "decision": "approve", "approver": who, "method": "totp",
        "time": NOW, "reason": "", "expires": NOW + timedelta(hours=1),
    }  # fmt: skip
    return Approval(**(given | change))


def decide(plan, *approvals, now=NOW, suspects=frozenset(), **policy):
    return approve(plan, approvals, organization(**policy), suspects, now)


def test_an_approved_plan_cannot_be_made_by_hand():
    plan = plan_of(action())
    with pytest.raises(ValidationError, match=r"minted by decisions.approval.approve"):
        ApprovedPlan(plan=plan, leave_out=(), approvals=())
    minted = decide(plan, answer(plan))
    assert isinstance(minted, ApprovedPlan)
    with pytest.raises(ValidationError):
        ApprovedPlan.model_validate_json(minted.model_dump_json())


def test_one_person_is_enough_for_a_reversible_change_and_two_for_a_deletion():
    lock, delete = plan_of(action()), plan_of(DELETE, gate="destruction", verified=frozenset({COPY.id}))
    assert isinstance(decide(lock, answer(lock)), ApprovedPlan)
    assert decide(delete, answer(delete)) == NotApproved(why="1 of 2 approvals", have=1, need=2)
    assert isinstance(decide(delete, answer(delete), answer(delete, "bob@example.com")), ApprovedPlan)


def test_the_same_person_twice_counts_once():
    delete = plan_of(DELETE, gate="destruction", verified=frozenset({COPY.id}))
    assert isinstance(decide(delete, answer(delete), answer(delete)), NotApproved)
    assert "already answered" in (refuse_answer(answer(delete), delete, [answer(delete)], frozenset()) or "")


@pytest.mark.parametrize("change", [
    {"plan_hash": "f" * 64},
    {"gate": "destruction"},
    {"case_id": "VMX-20260302-ZZZZ"},
    {"expires": NOW},
    {"time": NOW + timedelta(seconds=1)},
    {"approver": "jo.contractor@example.com"},
])  # fmt: skip
def test_an_approval_that_is_old_or_of_another_plan_or_by_the_suspect_is_worth_nothing(change):
    plan = plan_of(action())
    assert isinstance(decide(plan, answer(plan, **change), suspects=frozenset({"jo.contractor"})), NotApproved)


def test_one_decline_ends_the_matter_whatever_the_others_say():
    plan = plan_of(action())
    said = decide(plan, answer(plan), answer(plan, "bob@example.com", decision="decline", reason="wrong bucket"))
    assert isinstance(said, NotApproved)
    assert "wrong bucket" in said.why


def test_an_action_left_out_by_anyone_is_left_out():
    plan = plan_of(action(), action(target="second"))
    approved = decide(plan, answer(plan, leave_out=("s3.lock-export:second",)))
    assert isinstance(approved, ApprovedPlan)
    assert [a.target for a in approved.actions] == ["example-drop"]


def test_what_a_change_needs_cannot_be_left_out_alone():
    plan = plan_of(COPY, action("s3.tag", "x", needs=(COPY.id,)))
    said = refuse_answer(answer(plan, leave_out=(COPY.id,)), plan, [], frozenset())
    assert said is not None
    assert "leave both out or neither" in said


def test_leaving_out_an_id_that_is_not_there_is_asked_again_with_the_id():
    plan = plan_of(action())
    assert "s3.lock-exprot" in (refuse_answer(answer(plan, leave_out=("s3.lock-exprot",)), plan, [], frozenset()) or "")


def test_autonomy_follows_account_and_class_and_an_account_that_is_not_ours_counts_as_production():
    plan = plan_of(action(account=DEVELOPMENT))
    stranger = plan_of(action(account="210987654321"))
    policy = {"reversible": {"development": "auto", "production": "two"}}
    assert approvals_needed(plan, (), organization(**policy)) == 0
    assert approvals_needed(stranger, (), organization(**policy)) == 2


def test_the_one_who_asked_for_a_release_does_not_grant_it():
    plan = plan_of(action(), gate="release")
    assert refuse_answer(answer(plan), plan, [], frozenset(), requested_by="Alice@example.com")
    assert isinstance(
        approve(plan, [answer(plan)], organization(), frozenset(), NOW, requested_by="alice@example.com"), NotApproved
    )


def test_the_suspect_is_known_by_name_under_any_domain():
    assert is_suspect("Jo.Contractor@partner.example.com", frozenset({"jo.contractor@example.com"}))
    assert not is_suspect("alice@example.com", frozenset({"", "jo.contractor"}))


def test_a_tag_in_the_address_makes_nobody_somebody_else():
    assert is_suspect("jo.contractor+aws@example.com", frozenset({"jo.contractor@example.com"}))
    assert is_suspect("jo.contractor@example.com", frozenset({"jo.contractor+cli"}))


def test_one_person_with_two_addresses_is_one_person():
    delete = plan_of(DELETE, gate="destruction", verified=frozenset({COPY.id}))
    again = answer(delete, "alice+phone@example.com")
    assert isinstance(decide(delete, answer(delete), again), NotApproved)
    assert "already answered" in (refuse_answer(again, delete, [answer(delete)], frozenset()) or "")


@pytest.mark.parametrize("asked", ["Alice", "alice@other.example.com", "alice+x@example.com", " alice@example.com"])
def test_whoever_asked_for_a_release_does_not_grant_it_under_another_spelling(asked):
    plan = plan_of(action())
    assert refuse_answer(answer(plan), plan, [], frozenset(), requested_by=asked)
    assert isinstance(approve(plan, [answer(plan)], organization(), frozenset(), NOW, requested_by=asked), NotApproved)


def test_evidence_is_copied_before_it_is_deleted_and_deletions_come_last():
    with pytest.raises(PlanError, match="would destroy evidence"):
        plan_of(action("s3.delete-export", "x", cls=ActionClass.DESTRUCTIVE), gate="destruction")
    with pytest.raises(PlanError, match="Deletions come last"):
        plan_of(COPY, DELETE, action(), gate="destruction")
    with pytest.raises(PlanError, match=r"needs forensics.copy-export"):
        plan_of(DELETE, COPY, gate="destruction")


@pytest.mark.parametrize(
    "arn", ["arn:aws:iam::111122223333:role/break-glass", "arn:aws:iam::111122223333:role/vmexport-respond"]
)
def test_no_plan_touches_break_glass_or_our_own_roles(arn):
    with pytest.raises(PlanError):
        plan_of(action("iam.revoke-role-sessions", arn))
    with pytest.raises(PlanError):
        plan_of(action("iam.x", "y", principals=[arn]))


def test_the_hash_changes_with_anything_that_the_approver_saw():
    one = plan_of(action())
    for changed in (action(target="other"), action().model_copy(update={"reason": "another"}), action(until="2026")):
        assert plan_of(changed).hash != one.hash
    assert plan_of(action()).hash == one.hash


def test_a_plan_made_again_says_what_changed():
    said = changes_between(
        plan_of(action(), COPY), plan_of(action().model_copy(update={"before": {"policy": "x"}}), action(target="new"))
    )
    assert said == (
        f"{COPY.id} is no longer proposed.",
        "s3.lock-export:new is new.",
        "s3.lock-export:example-drop was changed: its target or the state it starts from differs.",
    )
