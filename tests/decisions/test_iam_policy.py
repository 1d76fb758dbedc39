"""What AWS would answer: who is let in, by which statement, and what could not be decided."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from decisions.iam_policy import evaluate, evaluate_identity, evaluate_resource, glob_matches, statements_allowing
from decisions.policy import AccessRequest
from tests.decisions.allowing import ALL, DENY, NONE, allows, with_condition
from tests.decisions.policies import (
    ACCOUNT,
    INSTANCE,
    OBJECT,
    ROLE,
    SESSION,
    STRANGER,
    USER,
    bucket_policy,
    policy,
    request,
    statement,
)


@pytest.mark.parametrize(
    ("given", "action", "covered"),
    [
        ({"Action": "ec2:ExportImage"}, "ec2:ExportImage", True),
        ({"Action": "EC2:exportimage"}, "ec2:ExportImage", True),
        ({"Action": ["s3:*", "ec2:Export*"]}, "ec2:ExportImage", True),
        ({"Action": "ec2:ExportImag?"}, "ec2:ExportImage", True),
        ({"Action": "ec2:ExportImag"}, "ec2:ExportImage", False),
        ({"Action": "ec2:Export[I]mage"}, "ec2:ExportImage", False),
        ({"NotAction": "iam:*"}, "ec2:ExportImage", True),
        ({"NotAction": ["iam:*", "EC2:*"]}, "ec2:ExportImage", False),
    ],
)
def test_actions_match_in_any_letter_case_with_wildcards(given, action, covered):
    assert allows(policy({"Effect": "Allow", "Resource": "*", **given}), request(action)) is covered


@pytest.mark.parametrize(
    ("given", "covered"),
    [
        ({"Resource": INSTANCE}, True),
        ({"Resource": INSTANCE.upper()}, False),
        ({"Resource": "arn:aws:ec2:*:*:instance/*"}, True),
        ({"Resource": "arn:aws:ec2:us-east-?:*:instance/*"}, True),
        ({"NotResource": "arn:aws:ec2:*:*:image/*"}, True),
        ({"NotResource": "arn:aws:ec2:*"}, False),
    ],
)
def test_resources_match_letter_by_letter(given, covered):
    assert allows(policy({"Effect": "Allow", "Action": "*", **given})) is covered


@pytest.mark.parametrize(
    ("resource", "version", "covered"),
    [
        ("arn:aws:s3:::home/${aws:username}/*", "2012-10-17", True),
        ("arn:aws:s3:::home/${AWS:UserName}/*", "2012-10-17", True),
        ("arn:aws:s3:::home/${aws:username}/*", "2008-10-17", False),
        ("arn:aws:s3:::home/${aws:PrincipalTag/team, 'a*'}/*", "2012-10-17", False),
        ("arn:aws:s3:::home/${aws:PrincipalTag/team}/*", "2012-10-17", False),
        ("arn:aws:s3:::home/${*}/*", "2012-10-17", False),
        ("arn:aws:s3:::home/a${?}b/*", "2012-10-17", False),
    ],
)
def test_policy_variables_stand_for_text_and_only_in_the_version_that_has_them(resource, version, covered):
    asked = request("s3:GetObject", "arn:aws:s3:::home/a*b/file", aws_username="a*b")
    document = policy(statement(action="s3:*", resource=resource), version=version)
    assert allows(document, asked) is covered
    assert not allows(document, asked.model_copy(update={"resource": "arn:aws:s3:::home/axxb/file"}))


def test_a_star_that_means_itself_matches_a_star():
    document = policy(statement(resource="arn:aws:s3:::home/${*}/*"))
    assert allows(document, request("s3:GetObject", "arn:aws:s3:::home/*/file"))


@pytest.mark.parametrize(
    ("principal", "asked", "named"),
    [
        ("*", request(), True), ("*", request(arn=None), True), ({"AWS": "*"}, request(arn=None), True),
        ({"AWS": USER}, request(), True), ({"AWS": [ROLE, USER]}, request(), True), ({"AWS": ROLE}, request(), False),
        ({"AWS": ACCOUNT}, request(), True), ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, request(), True),
        ({"AWS": STRANGER}, request(), False), ({"AWS": f"arn:aws:iam::{ACCOUNT}:user/*"}, request(), False),
        ({"AWS": ROLE}, request(arn=SESSION), True), ({"AWS": SESSION}, request(arn=SESSION), True),
        ({"AWS": SESSION}, request(arn=SESSION.replace("jo@", "al@")), False),
        ({"AWS": ROLE}, request(arn=SESSION.replace("admin", "admin2")), False),
        ({"AWS": ROLE}, request(arn=SESSION.replace(ACCOUNT, STRANGER)), False),
        ({"Service": "vmie.amazonaws.com"}, request(arn="vmie.amazonaws.com"), True),
        ({"Service": "vmie.amazonaws.com"}, request(arn="ec2.amazonaws.com"), False),
        ({"Service": "vmie.amazonaws.com"}, request(), False), ({"AWS": ACCOUNT}, request(arn=None), False),
        ({"CanonicalUser": "c" * 64}, AccessRequest(action="s3:PutObject", resource=OBJECT, principal_canonical_id="c" * 64), True),
        ({"CanonicalUser": "c" * 64}, AccessRequest(action="s3:PutObject", resource=OBJECT), False),
        ({"Federated": "accounts.google.com"},
         AccessRequest(action="sts:AssumeRoleWithWebIdentity", resource=ROLE, principal_federated="accounts.google.com"), True),
    ],
)  # fmt: skip
def test_principals_name_users_roles_accounts_services_and_everybody(principal, asked, named):
    allowed = bucket_policy({"Effect": "Allow", "Principal": principal, "Action": "*", "Resource": "*"})
    denied = bucket_policy({"Effect": "Deny", "Principal": principal, "Action": "*", "Resource": "*"})
    assert evaluate_resource(asked, allowed).allowed is named
    assert evaluate_resource(asked, denied).explicit_deny is named


def test_a_role_with_a_path_is_named_by_its_own_arn():
    role = f"arn:aws:iam::{ACCOUNT}:role/team/admin"
    asked = request(arn=SESSION, **{"aws_PrincipalArn": role})
    assert evaluate_resource(asked, bucket_policy(statement(Principal={"AWS": role}))).allowed


@pytest.mark.parametrize(
    ("spared", "asked", "denied"),
    [
        ({"AWS": [USER, f"arn:aws:iam::{ACCOUNT}:root"]}, request(), False),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, request(), True),
        ({"AWS": [ROLE, SESSION]}, request(arn=SESSION), False),
        ({"AWS": USER}, request(arn=SESSION), True),
        ({"AWS": USER}, request(arn=None), True),
        ({"AWS": USER}, request(arn="logging.s3.amazonaws.com"), True),
        ({"Service": "logging.s3.amazonaws.com"}, request(arn="logging.s3.amazonaws.com"), False),
    ],
)
def test_notprincipal_spares_only_who_is_named_itself(spared, asked, denied):
    document = bucket_policy({"Effect": "Deny", "NotPrincipal": spared, "Action": "*", "Resource": "*"})
    assert evaluate_resource(asked, document).explicit_deny is denied


@pytest.mark.parametrize(
    ("kinds", "allowed"),
    [
        ({}, True), ({"identity": [NONE]}, False), ({"identity": [ALL, DENY]}, False),
        ({"boundary": ALL}, True), ({"boundary": NONE}, False), ({"boundary": DENY}, False),
        ({"session": [ALL]}, True), ({"session": [NONE]}, False), ({"session": [NONE, ALL]}, True),
        ({"scps": [[ALL], [NONE, ALL]]}, True), ({"scps": [[ALL], [NONE]]}, False), ({"scps": [[NONE], [ALL]]}, False),
        ({"scps": [[ALL, DENY], [ALL]]}, False), ({"scps": [[]]}, False),
    ],
)  # fmt: skip
def test_every_kind_of_policy_must_let_a_request_through(kinds, allowed):
    assert evaluate(request(), **({"identity": [ALL]} | kinds)).allowed is allowed


def to(principal, effect="Allow"):
    return bucket_policy(statement(effect, Principal=principal))


OF_ACCOUNT = request().model_copy(update={"principal_canonical_id": "c" * 64})
"""A user of the account that this canonical id names."""
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}


@pytest.mark.parametrize(
    ("given", "asked", "allowed"),
    [
        ({"resource": to({"AWS": USER})}, request(), True),
        ({"resource": to("*")}, request(), True),
        ({"resource": to(ROOT)}, request(), False),
        ({"resource": to(ROOT), "identity": [ALL]}, request(), True),
        ({"resource": to({"CanonicalUser": "c" * 64})}, OF_ACCOUNT, False),
        ({"resource": to({"CanonicalUser": "c" * 64}), "identity": [ALL]}, OF_ACCOUNT, True),
        ({"resource": to({"AWS": STRANGER}), "identity": [ALL]}, request(), True),
        ({"resource": to("*", "Deny"), "identity": [ALL]}, request(), False),
        ({"resource": to({"AWS": USER}), "boundary": NONE}, request(), True),
        ({"resource": to({"AWS": USER}), "boundary": DENY}, request(), False),
        ({"resource": to({"AWS": USER}), "scps": [[NONE]]}, request(), False),
        ({"resource": to({"AWS": ROLE}), "boundary": NONE}, request(arn=SESSION), False),
        ({"resource": to({"AWS": ROLE}), "session": [NONE]}, request(arn=SESSION), False),
        ({"resource": to({"AWS": ROLE}), "session": [ALL]}, request(arn=SESSION), True),
        ({"resource": to({"AWS": SESSION}), "session": [NONE], "boundary": NONE}, request(arn=SESSION), True),
        ({"resource": to({"AWS": USER}), "same_account": False}, request(), False),
        ({"resource": to({"AWS": ACCOUNT}), "same_account": False, "identity": [ALL]}, request(), True),
        ({"resource": to({"AWS": STRANGER}), "same_account": False, "identity": [ALL]}, request(), False),
        ({"same_account": False, "identity": [ALL]}, request(), False),
        ({"resource": to("*"), "same_account": False, "identity": [ALL], "boundary": NONE}, request(), False),
    ],
)  # fmt: skip
def test_a_bucket_policy_suffices_within_its_account_and_never_across_accounts(given, asked, allowed):
    assert evaluate(asked, **({"identity": []} | given)).allowed is allowed


def test_a_decision_names_the_statements_that_made_it():
    document = policy(statement(action="s3:*"), statement(Sid="Broad"), statement("Deny", Sid="No"), id="user/alice/x")
    decision = evaluate_identity(request(), [document])
    assert [(m.policy_id, m.index, m.sid, m.effect) for m in decision.matched] == [
        ("user/alice/x", 1, "Broad", "Allow"),
        ("user/alice/x", 2, "No", "Deny"),
    ]
    assert decision.explicit_deny
    assert not decision.allowed


class TestStatementsAllowing:
    def test_all_statements_that_cover_the_export_are_found_in_whatever_policy(self):
        direct = policy(statement(action="s3:*"), statement(action="ec2:ExportImage"), id="user/alice/direct")
        group = policy(statement(action="ec2:Export*"), type="group-managed", id="arn:aws:iam::111122223333:policy/ops")
        found = statements_allowing(request(), [direct, group, NONE])
        assert [(m.policy_id, m.index, m.undecided) for m in found] == [
            ("user/alice/direct", 1, ()),
            ("arn:aws:iam::111122223333:policy/ops", 0, ()),
        ]

    def test_a_deny_of_ours_or_of_a_helper_does_not_hide_what_allowed_it(self):
        ours = policy(statement("Deny", Sid="VMExportResponseDeny"), id="user/alice/VMExportResponseDeny")
        assert len(statements_allowing(request(), [ours, DENY, ALL])) == 1

    def test_a_statement_that_perhaps_covers_it_is_named_with_its_doubt(self):
        document = with_condition({"StringEquals": {"ec2:ResourceTag/Env": "dev"}})
        found = statements_allowing(request(), [document], frozenset({"ec2:ResourceTag/*"}))
        assert found[0].undecided == ("ec2:ResourceTag/Env",)
        assert statements_allowing(request(ec2_ResourceTag="x"), [document]) == ()


@given(st.text("ab*?", max_size=8), st.text("ab*\n", max_size=10))
@example("ab*ba", "aba")
@example("*ab*ab*", "abxab")
def test_patterns_match_as_a_plain_reading_of_them_does(pattern, value):
    plain = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    assert glob_matches(pattern, value) is (re.fullmatch(plain, value, re.DOTALL) is not None)


def test_a_pattern_made_to_take_for_ever_does_not():
    started = time.perf_counter()
    assert not glob_matches("*a" * 400 + "b", "a" * 4000)
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    "document", [{}, {"Statement": "x"}, {"Statement": [None, 1, {}]}, {"Statement": {"Effect": "Allow"}}]
)
def test_a_document_that_is_no_policy_allows_nothing(document):
    broken = ALL.model_copy(update={"document": document})
    assert not evaluate(request(), [broken], resource=broken).allowed
