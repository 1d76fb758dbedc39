"""No plan breaks an invariant, whatever is proposed; and the hash of a plan is of all that the approver is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from decisions.plan import ActionClass, Plan, PlanError, PlannedAction, Precondition, changes_between, make_plan
from tests.decisions.plans import COPY, DELETE, PRODUCTION, action, organization

CASE = "VMX-20260302-ABCD"
OURS = organization().model_copy(
    update={"break_glass": ("arn:aws:iam::111122223333:role/break-glass", "arn:aws:iam::*:role/emergency/*")}
)
GATES = ("containment", "destruction", "eradication", "recovery", "release")
OBJECTS = ("b/a", "b/a@2", "b/c")
KINDS = ("s3.lock-export", "iam.deny-user", "forensics.copy-export", "s3.delete-export")
IDS = tuple(f"{kind}:{target}" for kind in KINDS for target in (*OBJECTS, "b/a@v1", "b/c@v1"))
PROTECTED = (
    "arn:aws:iam::111122223333:role/break-glass",
    "arn:aws:iam::444455556666:role/emergency/root",
    "arn:aws:iam::111122223333:role/vmexport-respond",
    "arn:aws:iam::111122223333:role/ir/vmexport-read",
    "arn:aws:iam::777788889999:role/vmexport-forensics",
)
HARMLESS = ("arn:aws:iam::111122223333:role/contractor", "arn:aws:iam::111122223333:user/vmexport-respondent")

proposals = st.builds(
    lambda kind, target, needs, cls, who: action(kind, target, tuple(needs), cls, principals=[who]),
    st.sampled_from(KINDS),
    st.sampled_from((*OBJECTS, "b/a@v1", "b/c@v1", *PROTECTED)),
    st.lists(st.sampled_from(IDS), max_size=2),
    st.sampled_from(ActionClass),
    st.sampled_from((*PROTECTED, *HARMLESS)),
)
harmless = st.builds(
    lambda kind, target, needs, cls: action(kind, target, tuple(needs), cls),
    st.sampled_from(KINDS),
    st.sampled_from((*OBJECTS, "b/a@v1")),
    st.lists(st.sampled_from(IDS), max_size=1),
    st.sampled_from(ActionClass),
)


def planned(actions, gate="containment", verified=frozenset(), round=1) -> Plan | None:
    try:
        return make_plan(CASE, gate, actions, OURS, verified, round)
    except PlanError:
        return None


anything = st.tuples(
    st.lists(proposals | harmless, max_size=4), st.sampled_from(GATES), st.frozensets(st.sampled_from(IDS), max_size=4)
)


@given(anything)
def test_whatever_is_proposed_a_plan_keeps_its_order_and_names_each_change_once(drawn):
    actions, gate, verified = drawn
    plan = planned(actions, gate, verified)
    if plan:
        assert plan.actions == tuple(actions)
        assert len({a.id for a in plan.actions}) == len(plan.actions)


@given(anything)
def test_what_an_action_needs_was_verified_or_stands_before_it(drawn):
    actions, gate, verified = drawn
    if plan := planned(actions, gate, verified):
        for place, one in enumerate(plan.actions):
            assert set(one.needs) <= verified | {a.id for a in plan.actions[:place]}


@given(anything)
def test_a_deletion_comes_last_behind_its_own_gate_and_after_a_copy_of_that_very_object(drawn):
    actions, gate, verified = drawn
    if plan := planned(actions, gate, verified):
        classes = [a.action_class is ActionClass.DESTRUCTIVE for a in plan.actions]
        assert classes == sorted(classes)
        assert not any(classes) or gate == "destruction"
        for one in plan.actions:
            if one.action_class is ActionClass.DESTRUCTIVE:
                whole = {f"forensics.copy-export:{one.target}"}
                versions = {n for n in one.needs if n.rpartition("@")[0] in whole}
                assert (whole & set(one.needs)) | versions


@given(anything)
def test_no_plan_touches_break_glass_responder_or_copier(drawn):
    actions, gate, verified = drawn
    if plan := planned(actions, gate, verified):
        for one in plan.actions:
            assert not {one.target, *one.parameters.get("principals", ())} & set(PROTECTED)


@given(st.lists(harmless, max_size=3), st.integers(1, 3))
def test_a_plan_read_back_from_the_ledger_is_the_same_plan(actions, round):
    if plan := planned(actions, "destruction", frozenset(IDS), round):
        assert Plan.model_validate(json.loads(plan.model_dump_json())) == plan


CHANGES: dict[str, Any] = {
    "target": "another-bucket", "account": "444455556666", "region": "eu-west-1", "action_class": ActionClass.PREVENTIVE,
    "reason": "because", "evidence": ("EV-9",), "preconditions": (Precondition(fact="policy", sha256="1" * 64),),
    "parameters": {"keys": ["*"]}, "before": {"policy": "x"}, "after": {"policy": None}, "inverse": "cannot be undone",
    "blast_radius": "everybody", "permissions": ("s3:*",), "needs": ("x",), "id": "another", "kind": "iam.deny-user",
}  # fmt: skip


@pytest.mark.parametrize("field", PlannedAction.model_fields)
def test_no_part_of_an_action_can_change_under_a_hash_that_was_agreed_to(field):
    plan = make_plan(CASE, "containment", [action()], OURS)
    other = plan.actions[0].model_copy(update={field: CHANGES[field]})
    with pytest.raises(ValidationError, match="it was changed"):
        Plan.model_validate(plan.model_dump() | {"actions": (other,)})


@pytest.mark.parametrize("change", [{"case_id": "VMX-20260302-ZZZZ"}, {"gate": "recovery"}, {"round": 2}])
def test_a_hash_is_of_one_case_one_gate_and_one_round(change):
    plan = make_plan(CASE, "containment", [action()], OURS)
    with pytest.raises(ValidationError, match="it was changed"):
        Plan.model_validate(plan.model_dump() | change)


@given(st.permutations([action(target=t) for t in OBJECTS]))
def test_another_order_is_another_plan(actions):
    agreed = make_plan(CASE, "containment", [action(target=t) for t in OBJECTS], OURS)
    assert (make_plan(CASE, "containment", actions, OURS).hash == agreed.hash) == (tuple(actions) == agreed.actions)


def test_the_very_same_action_twice_is_refused():
    with pytest.raises(PlanError, match="stands twice"):
        make_plan(CASE, "containment", [action(), action()], OURS)


def test_another_order_of_the_same_actions_is_said():
    one, two = action(target="a"), action(target="b")
    before, after = (make_plan(CASE, "containment", order, OURS) for order in ([one, two], [two, one]))
    assert changes_between(before, after) == ("The actions stand in another order.",)


def test_a_copy_of_another_object_lets_nothing_be_deleted():
    other = action("forensics.copy-export", "example-drop/b.ova@v1")
    wrong = DELETE.model_copy(update={"needs": (other.id,)})
    with pytest.raises(PlanError, match="no forensics copy of it"):
        make_plan(CASE, "destruction", [wrong], OURS, frozenset({other.id}))
    right = DELETE.model_copy(update={"needs": (f"{COPY.id}@v1", f"{COPY.id}@v2")})
    assert make_plan(CASE, "destruction", [right], OURS, frozenset(right.needs)).actions == (right,)


@pytest.mark.parametrize("gate", [g for g in GATES if g != "destruction"])
def test_a_deletion_cannot_hide_in_another_gate(gate):
    with pytest.raises(PlanError, match="gate of its own"):
        make_plan(CASE, gate, [DELETE], OURS, frozenset({COPY.id}))


@pytest.mark.parametrize("change", [{"preconditions": ()}, {"before": {}}])
def test_an_action_that_does_not_say_what_it_starts_from_is_refused(change):
    with pytest.raises(PlanError, match="what it starts from"):
        make_plan(CASE, "containment", [action().model_copy(update=change)], OURS)


def test_an_id_that_names_another_action_is_refused():
    false = action("iam.deny-user").model_copy(update={"id": COPY.id})
    with pytest.raises(PlanError, match="its id must say so"):
        make_plan(CASE, "containment", [false], OURS)


def test_log_delivery_is_never_cut():
    with pytest.raises(PlanError, match="cut log delivery"):
        make_plan(CASE, "containment", [action(log_delivery_bucket="central-logs")], OURS)


def test_a_copier_of_another_name_is_ours_too():
    named = OURS.model_copy(update={"forensics_role": "evidence-copier"})
    with pytest.raises(PlanError, match="our own role"):
        make_plan(CASE, "containment", [action(target=f"arn:aws:iam::{PRODUCTION}:role/evidence-copier")], named)


several = st.lists(harmless, max_size=3, unique_by=lambda a: a.id)


@given(several, several)
def test_whatever_differs_between_two_plans_is_said(old, new):
    before, after = (planned(a, "destruction", frozenset(IDS)) for a in (old, new))
    if before and after:
        was, now = ({a.id: a.model_dump_json() for a in plan.actions} for plan in (before, after))
        said = " ".join(changes_between(before, after))
        assert all(i in said for i in was.keys() | now.keys() if was.get(i) != now.get(i))
        assert bool(said) == (before.hash != after.hash)
