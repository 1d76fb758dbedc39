"""How a table of rules becomes a level: the highest wins, low has to be shown, an unknown never lowers."""

from __future__ import annotations

import pytest

from decisions.findings import Severity
from decisions.severity import Rule, assess
from tests.flows.given import unknown

HIGH, MEDIUM, LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW


def rules(high, medium, low):
    answers = {HIGH: high, MEDIUM: medium, LOW: low}
    return [
        Rule(f"{level}.rule", level, f"It is {level}.", lambda _, a=answer: a, lambda _: (unknown("Nobody said."),))
        for level, answer in answers.items()
    ]


@pytest.mark.parametrize(("high", "medium", "low", "level"), [
    (True, True, True, HIGH), (True, None, None, HIGH), (False, True, True, MEDIUM), (False, False, True, LOW),
    (None, False, True, MEDIUM), (False, None, True, MEDIUM), (None, None, None, MEDIUM), (False, False, False, MEDIUM),
    (False, False, None, MEDIUM), (None, True, True, MEDIUM),
])  # fmt: skip
def test_the_level_of_every_kind_of_answer(high, medium, low, level):
    assert assess(None, rules(high, medium, low)).level is level


def test_what_held_is_listed_highest_first_with_its_sentence():
    found = assess(None, list(reversed(rules(True, True, True))))
    assert found.held == ("high.rule", "medium.rule", "low.rule")
    assert found.reasons == ("It is high.", "It is medium.", "It is low.")


def test_an_undecided_rule_is_named_with_why_and_what_it_would_change():
    found = assess(None, rules(None, False, True))
    assert found.undecided == ("high.rule: Nobody said.",)
    assert any("It is high" in s and "Nobody said." in s for s in found.would_change)
    assert any("It is low if none of these holds: high.rule" in s for s in found.would_change)


def test_a_level_that_nothing_can_change_says_nothing():
    assert assess(None, rules(True, True, True)).would_change == ()
