"""Conditions of policies compare as AWS does; a key that is not known decides nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.iam_policy import evaluate, evaluate_identity
from tests.decisions.allowing import ALL, DENY, NONE, allows, with_condition
from tests.decisions.policies import (
    INSTANCE,
    bucket_policy,
    policy,
    request,
    statement,
    statements_of,
)

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
