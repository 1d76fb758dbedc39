"""What AWS would answer: who is let in, by which statement, and what could not be decided."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from decisions.iam_policy import evaluate, evaluate_identity, evaluate_resource, glob_matches, statements_allowing
from decisions.policy import AccessRequest
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
    statements_of,
)


def allows(document, asked=None, **more):
    return evaluate_identity(asked or request(), [document], **more).allowed


def with_condition(condition, effect="Allow"):
    return policy(statement(effect, Condition=condition))


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


HOLDS = [
    ("StringEquals", "a", "a", True), ("StringEquals", "A", "a", False), ("StringEquals", "a*", "ab", False),
    ("StringNotEquals", "a", "b", True), ("StringNotEquals", ["a", "b"], "b", False),
    ("StringEqualsIgnoreCase", "A", "a", True), ("StringNotEqualsIgnoreCase", "A", "a", False),
    ("StringLike", "a*c?", "abcd", True), ("StringNotLike", "a*", "abc", False), ("stringlike", "A*", "abc", False),
    ("NumericEquals", "10", "10.0", True), ("NumericNotEquals", 10, "11", True), ("NumericLessThan", 10, "9", True),
    ("NumericLessThan", "10", "10", False), ("NumericLessThanEquals", "10", "10", True),
    ("NumericGreaterThan", "10", "10", False), ("NumericGreaterThanEquals", "10", "10", True),
    ("NumericEquals", "ten", "10", False),
    ("DateLessThan", "2026-03-02T10:00:00Z", "2026-03-02T09:59:59Z", True),
    ("DateLessThan", "2026-03-02T10:00:00Z", "2026-03-02T10:00:00Z", False),
    ("DateLessThan", "2026-03-02T10:00:00+02:00", "2026-03-02T09:00:00Z", False),
    ("DateLessThanEquals", "2026-03-02T10:00:00Z", "2026-03-02T10:00:00Z", True),
    ("DateGreaterThan", "1700000000", "2026-03-02T10:00:00Z", True), ("DateNotEquals", "2026-03-02", "2026-03-03", True),
    ("DateGreaterThanEquals", "2026-03-02", "2026-03-02T00:00:00Z", True), ("DateEquals", "never", "2026-03-02", False),
    ("Bool", "true", "true", True), ("Bool", True, "true", True), ("Bool", "true", "false", False),
    ("IpAddress", "192.0.2.0/24", "192.0.2.9", True), ("IpAddress", "192.0.2.0/24", "198.51.100.1", False),
    ("NotIpAddress", "192.0.2.0/24", "198.51.100.1", True), ("IpAddress", "2001:db8::/32", "2001:db8::1", True),
    ("IpAddress", "192.0.2.0/24", "2001:db8::1", False),
    ("BinaryEquals", "QmFzZTY0", "QmFzZTY0", True), ("BinaryEquals", "QmFzZTY0", "qmFzZTY0", False),
    ("ArnLike", "arn:aws:iam::*:role/a*", "arn:aws:iam::111122223333:role/ab", True),
    ("ArnEquals", "arn:aws:iam::*:role/a*", "arn:aws:iam::111122223333:role/ab", True),
    ("ArnLike", "arn:*:role/a*", "arn:aws:iam::111122223333:role/ab", True),
    ("ArnLike", "arn:aws:s*:us-east-1:111122223333:a", "arn:aws:sns:x:us-east-1:111122223333:a", False),
    ("ArnNotLike", "arn:aws:iam::*:role/a*", "arn:aws:iam::111122223333:role/b", True),
    ("ArnNotEquals", "arn:aws:iam::*:role/a*", "arn:aws:iam::111122223333:role/ab", False),
    ("Null", "false", "x", True), ("Null", "true", "x", False),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "wanted", "value", "holds"), HOLDS)
def test_every_operator_compares_as_aws_does(operator, wanted, value, holds):
    assert allows(with_condition({operator: {"a:Key": wanted}}), request(A_key=value)) is holds
    optional = operator.lower() != "null"
    assert (
        not optional
        or allows(with_condition({f"{operator}IfExists": {"A:KEY": wanted}}), request(a_key=value)) is holds
    )


@pytest.mark.parametrize(
    ("operator", "wanted", "holds"),
    [
        ("StringEquals", "x", False), ("StringNotEquals", "x", True), ("StringLike", "*", False), ("StringNotLike", "*", True),
        ("NumericLessThan", "1", False), ("NumericNotEquals", "1", True), ("DateLessThan", "2026-03-02", False),
        ("DateNotEquals", "2026-03-02", True), ("Bool", "false", False), ("IpAddress", "0.0.0.0/0", False),
        ("NotIpAddress", "0.0.0.0/0", True), ("ArnLike", "*", False), ("ArnNotLike", "arn:aws:iam::*:*", True),
        ("StringEqualsIfExists", "x", True), ("BoolIfExists", "false", True), ("StringNotEqualsIfExists", "x", True),
        ("Null", "true", True), ("Null", "false", False), ("ForAllValues:StringEquals", "x", True),
        ("ForAnyValue:StringEquals", "x", False), ("ForAnyValue:StringNotEquals", "x", False),
        ("ForAllValues:StringNotEquals", "x", True), ("ForAnyValue:StringEqualsIfExists", "x", True),
    ],
)  # fmt: skip
def test_a_missing_key_fails_what_asks_for_it_and_passes_what_excludes_it(operator, wanted, holds):
    assert allows(with_condition({operator: {"aws:Missing": wanted}})) is holds


@pytest.mark.parametrize(
    ("operator", "values", "holds"),
    [
        ("ForAllValues:StringEquals", ("a", "b"), True), ("ForAllValues:StringEquals", ("a", "z"), False),
        ("ForAnyValue:StringEquals", ("z", "b"), True), ("ForAnyValue:StringEquals", ("z",), False),
        ("ForAllValues:StringNotEquals", ("y", "z"), True), ("ForAllValues:StringNotEquals", ("a", "z"), False),
        ("ForAnyValue:StringNotEquals", ("a", "z"), True), ("ForAnyValue:StringNotEquals", ("a", "b"), False),
    ],
)  # fmt: skip
def test_set_operators_look_at_every_or_any_value(operator, values, holds):
    assert allows(with_condition({operator: {"aws:TagKeys": ["a", "b"]}}), request(aws_TagKeys=values)) is holds


def test_a_negated_operator_on_many_values_holds_when_none_of_them_matches():
    assert not allows(with_condition({"StringNotEquals": {"aws:TagKeys": "a"}}), request(aws_TagKeys=("a", "b")))
    assert allows(with_condition({"StringNotEquals": {"aws:TagKeys": "c"}}), request(aws_TagKeys=("a", "b")))


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "holds"),
    [
        ("StringEquals", "${aws:username}", "al*ce", True), ("StringEquals", "${aws:username}", "alice", False),
        ("StringLike", "team/${aws:username}/*", "team/al*ce/x", True), ("StringLike", "${aws:username}", "alice", False),
        ("StringEquals", "a${*}", "a*", True), ("StringLike", "a${*}", "ab", False),
        ("StringEquals", "${aws:missing}", "", False), ("StringNotEquals", "${aws:missing}", "x", True),
        ("StringEquals", "${aws:missing, 'dev'}", "dev", True),
    ],
)  # fmt: skip
def test_policy_variables_in_conditions_are_filled_in(operator, wanted, value, holds):
    asked = request(aws_username="al*ce", aws_A=value)
    assert allows(with_condition({operator: {"aws:A": wanted}}), asked) is holds


def test_all_conditions_of_a_statement_must_hold():
    both = with_condition({"Bool": {"aws:Mfa": "true"}, "StringEquals": {"aws:A": "1", "aws:B": "2"}})
    assert allows(both, request(aws_Mfa="true", aws_A="1", aws_B="2"))
    assert not allows(both, request(aws_Mfa="true", aws_A="1", aws_B="3"))
    assert not allows(both, request(aws_Mfa="false", aws_A="1", aws_B="2"))


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


ALL = policy(statement())
NONE = policy(statement(action="iam:List*"))
DENY = policy(statement("Deny"))


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


class TestUnknownKeys:
    TAG = frozenset({"aws:ResourceTag/*"})
    TAGGED = with_condition({"StringEquals": {"aws:ResourceTag/Env": "dev"}})

    def test_what_only_an_unknown_key_decides_is_undecided(self):
        decision = evaluate_identity(request(), [self.TAGGED], self.TAG)
        assert not decision.allowed
        assert decision.undecided == ("aws:ResourceTag/Env",)

    def test_a_key_that_is_absent_is_not_unknown(self):
        assert evaluate_identity(request(), [self.TAGGED]).undecided == ()

    def test_a_deny_that_may_hold_makes_an_allow_undecided(self):
        deny = with_condition({"StringNotEquals": {"aws:ResourceTag/Env": "dev"}}, "Deny")
        assert evaluate(request(), [ALL, deny], unknown_keys=self.TAG).undecided == ("aws:ResourceTag/Env",)
        assert evaluate(request(), [ALL, deny, DENY], unknown_keys=self.TAG).undecided == ()
        assert evaluate(request(), [NONE, deny], unknown_keys=self.TAG).undecided == ()

    def test_an_allow_that_may_hold_beside_one_that_does_decides_nothing(self):
        assert evaluate(request(), [ALL, self.TAGGED], unknown_keys=self.TAG).undecided == ()

    def test_a_known_condition_that_fails_settles_the_statement(self):
        document = with_condition({"StringEquals": {"aws:ResourceTag/Env": "dev", "aws:A": "1"}})
        assert evaluate_identity(request(aws_A="2"), [document], self.TAG).undecided == ()

    def test_a_variable_of_an_unknown_key_is_undecided(self):
        document = policy(statement(resource="arn:aws:ec2:*:*:instance/${aws:ResourceTag/Id}"))
        assert evaluate_identity(request(), [document], self.TAG).undecided == ("aws:ResourceTag/Id",)

    def test_operators_and_conditions_that_we_do_not_know_decide_nothing(self):
        for condition in (
            {"StringResembles": {"aws:A": "1"}},
            {"StringEquals": "x"},
            "x",
            {"ForNone:Bool": {"aws:A": "1"}},
        ):
            assert evaluate(request(aws_A="1"), [ALL, with_condition(condition, "Deny")]).undecided, condition

    @given(
        st.lists(statements_of(("*", "ec2:*"), ("*", INSTANCE)), min_size=1, max_size=4),
        st.lists(statements_of(("*", "ec2:*"), ("*", INSTANCE), st.just("*")), max_size=2),
        st.sampled_from([None, ("true",), ("false",)]),
        st.booleans(),
    )
    def test_an_answer_without_doubts_is_the_same_for_every_value_of_the_unknown_key(self, own, bucket, value, same):
        key = "aws:MultiFactorAuthPresent"
        kinds = {"identity": [policy(*own)], "resource": bucket_policy(*bucket), "same_account": same}
        decision = evaluate(request(), **kinds, unknown_keys=frozenset({key}))
        context = dict(request().context) | ({key: value} if value else {})
        real = evaluate(request().model_copy(update={"context": context}), **kinds)
        assert decision.undecided or decision.allowed == real.allowed


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
