"""After an edit nobody exports through that document, and everything else is as it was."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.iam_policy import evaluate_identity, smallest_edit
from decisions.policy import EXPORT_ACTIONS, CannotEdit, Policy, PolicyEdit, PolicyError
from decisions.policy_document import quota, read_policy, size
from tests.decisions.policies import INSTANCE, OBJECT, policy, request, statement, statements_of

IMAGE = "arn:aws:ec2:us-east-1:111122223333:image/ami-0123456789abcdef0"
OTHERS = ("ec2:RunInstances", "ec2:CancelExportTask", "ec2:CreateInstance", "ec2:ExportTransitGatewayRoutes", "s3:GetObject",
          "s3:PutObject", "iam:CreateUser", "sts:AssumeRole", "ebs:GetSnapshotBlock")  # fmt: skip
WRITTEN = (*EXPORT_ACTIONS, "EC2:exportimage", "*", "ec2:*", "ec2:Export*", "ec2:Create*Task", "ec2:?xportImage", "s3:*",
           "s3:GetObject", "ec2:RunInstances", "iam:*")  # fmt: skip
RESOURCES = ("*", INSTANCE, "arn:aws:ec2:*:*:image/*", "arn:aws:s3:::*")
DENY = {"Sid": "VMExportResponseNoExport", "Effect": "Deny", "Action": list(EXPORT_ACTIONS), "Resource": "*"}


def edited(*statements, **more) -> PolicyEdit:
    edit = smallest_edit(policy(*statements, **more))
    assert isinstance(edit, PolicyEdit), edit
    return edit


def test_an_entry_that_names_an_export_goes_and_the_others_stay():
    edit = edited(statement(action=["ec2:RunInstances", "EC2:exportimage", "ec2:CreateInstanceExportTask"], Sid="Ops"))
    assert edit.after["Statement"] == [statement(action=["ec2:RunInstances"], Sid="Ops")]
    assert edit.sentences == ("Statement 1 ('Ops') no longer allows EC2:exportimage, ec2:CreateInstanceExportTask.",)


def test_a_statement_left_without_actions_disappears():
    edit = edited(statement(action="ec2:ExportImage"), statement(action="s3:*"))
    assert edit.after["Statement"] == [statement(action="s3:*")]
    assert edit.sentences == ("Statement 1 is removed: it allowed ec2:ExportImage and nothing else.",)


def test_a_policy_left_without_statements_is_to_be_deleted():
    assert edited(statement(action=list(EXPORT_ACTIONS))).after is None


@pytest.mark.parametrize("kind", ["scp", "boundary", "session"])
def test_a_filter_is_never_emptied_as_it_would_then_filter_nothing(kind):
    only = statement(action=list(EXPORT_ACTIONS))
    assert edited(only, type=kind).after["Statement"] == [only, DENY]


@pytest.mark.parametrize(
    "broad", [{"Action": "*"}, {"Action": ["ec2:*", "s3:*"]}, {"Action": "ec2:Export*"}, {"NotAction": "iam:*"}]
)
def test_a_wildcard_is_not_expanded_but_denied_beside(broad):
    given = {"Effect": "Allow", "Resource": "*", **broad}
    edit = edited(given)
    assert edit.after["Statement"] == [given, DENY]
    assert edit.sentences == ("Statement 1 covers the export APIs and stays; a Deny for them is added.",)


def test_a_document_that_does_not_allow_an_export_is_left_alone():
    for harmless in (
        statement(action="s3:*"),
        statement("Deny"),
        {"Effect": "Allow", "NotAction": "ec2:*", "Resource": "*"},
    ):
        edit = edited(harmless)
        assert edit.after == edit.before
        assert edit.sentences == ()


def test_an_edit_of_an_edited_document_changes_nothing():
    once = edited(statement(action=["*", "ec2:ExportImage"]))
    again = smallest_edit(Policy(id="x", type="inline", document=once.after))
    assert isinstance(again, PolicyEdit)
    assert again.after == once.after
    assert again.sentences == ()


def test_somebody_elses_statement_under_our_sid_does_not_pass_for_ours():
    edit = edited(statement(Sid=DENY["Sid"]), statement("Deny", "ec2:*", Condition={"Bool": {"aws:Mfa": "false"}}))
    assert edit.after["Statement"][-1] == {**DENY, "Sid": f"{DENY['Sid']}1"}


def test_what_was_there_is_kept_as_it_was():
    edit = edited(statement(action=["ec2:ExportImage", "*"], Sid="S"), statement("Deny", "iam:*"))
    assert (
        edit.before == policy(statement(action=["ec2:ExportImage", "*"], Sid="S"), statement("Deny", "iam:*")).document
    )
    assert edit.after["Version"] == "2012-10-17"
    assert edit.after["Statement"][1] == statement("Deny", "iam:*")


@pytest.mark.parametrize(("kind", "why"), [("aws-managed", "belongs to AWS"), ("resource", "EC2"), ("trust", "EC2")])
def test_policies_that_cannot_be_edited_say_so(kind, why):
    refused = smallest_edit(policy(statement(), type=kind, id="arn:aws:iam::aws:policy/AdministratorAccess"))
    assert isinstance(refused, CannotEdit)
    assert why in refused.why


@pytest.mark.parametrize(
    ("kind", "id", "allowed"),
    [
        ("inline", "user/alice/x", 2048), ("inline", "role/admin/x", 10240), ("group-inline", "group/ops/x", 5120),
        ("managed", "arn:aws:iam::111122223333:policy/x", 6144), ("scp", "p-12345678", 5120), ("resource", "example-drop", 20480),
    ],
)  # fmt: skip
def test_quotas_are_those_of_the_place(kind, id, allowed):
    assert quota(policy(type=kind, id=id)) == allowed


def test_the_holder_decides_the_quota_whatever_the_policy_is_called():
    assert (
        quota(Policy(id="x", type="inline", document={}, attached_to="arn:aws:iam::111122223333:role/team/admin"))
        == 10240
    )


def padded(left: int):
    """A user's inline policy with so many characters left of its quota."""
    full = policy(statement(), statement(action="s3:*", Resource=["arn:aws:s3:::"]))
    full.document["Statement"][1]["Resource"][0] += "x" * (2048 - left - size(full.document))
    return full


def test_an_edit_that_fits_exactly_is_made_and_one_that_does_not_is_refused_with_the_figures():
    added = len(json.dumps(DENY, separators=(",", ":"))) + 1
    assert isinstance(smallest_edit(padded(added)), PolicyEdit)
    refused = smallest_edit(padded(added - 1))
    assert isinstance(refused, CannotEdit)
    assert "2049 characters, 2048 are allowed" in refused.why
    assert isinstance(smallest_edit(padded(added), beside=1), CannotEdit)


def test_spaces_do_not_count_towards_the_quota():
    assert size({"Sid": "a b"}) == len('{"Sid":"ab"}')


def test_an_edit_that_makes_it_shorter_is_made_even_above_the_quota():
    full = padded(0)
    full.document["Statement"][0] = statement(action=["ec2:ExportImage", "s3:Get*"])
    assert isinstance(smallest_edit(full, beside=9000), PolicyEdit)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"Statement": [], "Statement": [{}]}', "[" * 9000, "null"])
def test_text_that_is_no_policy_is_refused(text):
    with pytest.raises(PolicyError):
        read_policy(text)


@given(
    st.lists(statements_of(WRITTEN, RESOURCES), min_size=1, max_size=5),
    st.sampled_from(["inline", "managed", "scp", "boundary"]),
    st.sampled_from([{}, {"aws_MultiFactorAuthPresent": "true"}, {"aws_SourceIp": "192.0.2.7", "aws_userid": "AIDAX"}]),
)
def test_no_export_is_allowed_any_more_and_every_other_answer_is_the_same(statements, kind, context):
    edit = edited(*statements, type=kind, id="role/admin/own")
    before = Policy(id="x", type=kind, document=edit.before)
    after = [Policy(id="x", type=kind, document=edit.after)] if edit.after else []
    for resource in (INSTANCE, IMAGE, OBJECT):
        assert not any(evaluate_identity(request(a, resource, **context), after).allowed for a in EXPORT_ACTIONS)
        for action in OTHERS:
            asked = request(action, resource, **context)
            was, now = evaluate_identity(asked, [before]), evaluate_identity(asked, after)
            assert (now.allowed, now.explicit_deny) == (was.allowed, was.explicit_deny), action
