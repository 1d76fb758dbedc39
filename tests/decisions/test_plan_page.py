"""What an approver sees: everything that will be written, to what, who is hit, what is for good, and how to answer."""

from __future__ import annotations

import json

import pytest
import rfc8785

from decisions.changes import Change, changes
from decisions.document import parts
from decisions.plan import make_plan
from decisions.plan_page import change_line
from decisions.report import case_in_brief, gate_description, plan_for_terminal, plan_table
from tests.decisions.story import CASE, COPY, DELETE, JUDGED, LOCK, OPENED, OURS, PLAN, entries, planned

DENY = {"Sid": "vmexport", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::x/*"}
OTHER = {
    "Sid": "theirs|x",
    "Effect": "Allow",
    "Principal": "*",
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::x/*",
}


def policy(*statements, **json_style):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, **json_style)


def test_members_that_are_added_to_one_field_share_its_name():
    line = change_line((Change("a", None, "x"), Change("a", None, "y"), Change("a", "z", None), Change("b", None, "y")))
    assert "".join(p if isinstance(p, str) else p.text for p in parts(line)) == "a: – → x, y; a: z → –; b: – → y"


def test_a_policy_is_compared_by_statement():
    found = changes({"policy": policy(OTHER)}, {"policy": policy(OTHER, DENY)})
    assert [(c.what, c.was) for c in found] == [("policy.Statement", None)]
    assert json.loads(found[0].now or "") == DENY


@pytest.mark.parametrize(("before", "after", "said"), [
    ({"a": 1}, {"a": 1}, []),
    ({"a": 1}, {"a": 2}, [("a", "1", "2")]),
    ({"a": None}, {"a": "x"}, [("a", "null", "x")]),
    ({}, {"a": False}, [("a", None, "false")]),
    ({"a": [1, 2]}, {"a": [2, 3]}, [("a", "1", None), ("a", None, "3")]),
    ({"a": {"b": {"c": 1}}}, {"a": {"b": {}}}, [("a.b.c", "1", None)]),
    ({"a": "{not json"}, {"a": "{}"}, [("a", "{not json", "{}")]),
])  # fmt: skip
def test_what_differs_is_told_field_by_field(before, after, said):
    assert list(map(tuple, changes(before, after))) == said


def test_the_same_document_written_otherwise_is_said_to_be_the_same():
    found = changes({"policy": policy(DENY)}, {"policy": policy(DENY, indent=2)})
    assert "the same document" in (found[0].was or "")


def test_a_repeated_member_is_not_passed_over():
    assert changes({"a": [1, 1]}, {"a": [1]})


LONG = planned(
    "s3.lock-export", "example-drop", before={"policy": None}, after={"policy": policy(DENY | {"Sid": "s" * 5000})}
)


def test_the_form_shows_action_change_target_reach_and_undo():
    text = gate_description(PLAN, needed=1)
    for action in PLAN.actions:
        assert f"`{action.id}`" in text
        assert action.blast_radius in text
    assert "`null` → `deny`" in text
    assert PLAN.hash in text
    assert "A locked copy cannot be removed." in text
    assert "**one person agrees**" in text


def test_nothing_that_will_be_written_is_cut():
    assert "s" * 5000 in gate_description(make_plan(CASE, "containment", (LONG,), OURS))


def test_a_policy_stands_in_lines_that_fit_the_form():
    text = gate_description(
        make_plan(CASE, "containment", (planned("s3.lock-export", "x", after={"policy": policy(DENY)}),), OURS)
    )
    assert '\n  "Resource": "arn:aws:s3:::x/*",\n' in text
    assert "(below" not in text
    assert f"({len(rfc8785.dumps(DENY))} characters, below)" in text


def test_a_deletion_stands_out_and_needs_as_many_people_as_the_policy_says():
    text = gate_description(make_plan(CASE, "destruction", (DELETE,), OURS, frozenset({COPY.id})), needed=2)
    assert "**DESTRUCTIVE** `s3.delete-export:" in text
    assert "CANNOT be undone" in text
    assert "**2 different people agree**" in text


def test_the_reason_for_asking_again_and_what_changed_come_before_the_plan():
    text = gate_description(PLAN, problem="The code is wrong.", changed=("The policy | changed.",))
    assert text.index("The code is wrong") < text.index("The policy \\| changed") < text.index(LOCK.id)


def test_the_first_question_says_nothing_of_an_earlier_one():
    text = gate_description(PLAN)
    assert "Asked again" not in text
    assert "made again" not in text


def test_the_case_is_told_in_brief_where_it_is_given():
    text = gate_description(PLAN, about=case_in_brief(entries(*OPENED, *JUDGED)))
    assert text.index("`i-0123456789abcdef0`") < text.index("**HIGH, verdict malicious**") < text.index(LOCK.id)


def test_ids_for_leave_out_can_be_copied_from_the_form():
    text = gate_description(PLAN)
    assert ", ".join(f"`{a.id}`" for a in PLAN.actions) in text


def test_a_plan_whose_state_is_already_there_says_so():
    same = planned("s3.lock-export", "x", before={"policy": "deny"}, after={"policy": "deny"})
    assert "in force already" in plan_table(make_plan(CASE, "containment", (same,), OURS))


def test_an_empty_plan_says_so():
    assert "nothing to do" in plan_table(make_plan(CASE, "containment", (), OURS))


def test_the_terminal_shows_the_same_plan():
    text = " ".join(plan_for_terminal(PLAN, 200).split())
    for action in PLAN.actions:
        assert action.id in text
    assert "null → deny" in text
