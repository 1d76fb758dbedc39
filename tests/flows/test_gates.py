"""What a gate takes for an answer: against the real ledger and real one-time codes, without Prefect."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from decisions.approval import Proposal
from decisions.plan import make_plan
from flows import gates
from records import approvers, ledger
from tests.decisions.plans import COPY, DELETE, action, organization

CASE = "VMX-20260302-ABCD"


@pytest.fixture
def asked(database, monkeypatch, tmp_path):
    """Ask about a plan of one case, and answer as an enrolled person."""
    monkeypatch.setenv("VMEXPORT_SECRET_KEY_FILE", str(tmp_path / "secret.key"))
    monkeypatch.setattr(gates, "organization", organization)
    return Asked()


class Asked:
    def __init__(self):
        self.codes = {}
        self.number = 0
        for who in ("alice@example.com", "bob@example.com", "jo.contractor@example.com"):
            self.codes[who] = pyotp.parse_uri(approvers.add(who))

    def propose(self, *actions, gate="containment", verified=frozenset(), round=1, requested_by=None):
        plan = make_plan(CASE, gate, actions, organization(), verified, round)
        proposal = Proposal(plan=plan, suspects=("jo.contractor@example.com",), requested_by=requested_by)
        ledger.append(CASE, "plan-proposed", "flow", proposal.model_dump(mode="json", exclude={"seq"}))
        return plan

    def look(self, plan, problem=None):
        self.number += 1
        return gates._look_for_answer(plan, f"run:{plan.gate}:{self.number}", problem)

    def answer(self, plan, who="alice@example.com", asked=None, step=0, **change):
        self.number += 1
        now = datetime.now(UTC) + timedelta(seconds=30 * step)
        form = {
            "decision": "approve",
            "approver": who,
            "code": self.codes[who].at(now) if who in self.codes else "000000",
        } | change
        return gates._take_answer(plan, asked or f"run:{plan.gate}:{self.number}", gates.Answer(**form))


def test_a_right_answer_lets_exactly_this_plan_through(asked):
    plan, other = asked.propose(action()), asked.propose(action(target="other"))
    assert isinstance(asked.look(plan), gates.Waiting)
    assert asked.answer(plan) is None
    agreed = asked.look(plan)
    assert isinstance(agreed, gates.Agreed)
    assert agreed.approvers == ("alice@example.com",)
    assert isinstance(asked.look(other), gates.Waiting)


@pytest.mark.parametrize(("change", "words"), [
    ({"code": "123456"}, "code"),
    ({"who": "mallory@example.com"}, "not enrolled"),
    ({"who": "jo.contractor@example.com"}, "person behind the export"),
    ({"leave_out": ["s3.no-such"]}, "s3.no-such"),
])  # fmt: skip
def test_what_does_not_count_is_asked_again_with_the_reason(asked, change, words):
    plan = asked.propose(action())
    why = asked.answer(plan, **change)
    assert why is not None
    assert words in why
    assert isinstance(asked.look(plan, why), gates.Waiting)
    questions = ledger.entries(CASE, "gate-asked")
    assert questions[-1].data["problem"] == why
    assert [e.data["approver"] for e in ledger.entries(CASE, "gate-refused")]


def test_a_code_is_good_once_even_for_another_gate(asked):
    first, second = asked.propose(action()), asked.propose(action(target="other"))
    code = asked.codes["alice@example.com"].now()
    assert asked.answer(first, code=code) is None
    assert "used" in (asked.answer(second, code=code) or "")


def test_a_run_that_died_after_recording_an_answer_does_not_lose_it_to_its_own_used_code(asked):
    plan = asked.propose(action())
    code = asked.codes["alice@example.com"].now()
    assert asked.answer(plan, asked="run:containment:r1-1", code=code) is None
    assert asked.answer(plan, asked="run:containment:r1-1", code=code) is None
    assert len(ledger.entries(CASE, "gate-answered")) == 1


def test_a_deletion_needs_a_second_different_person(asked):
    plan = asked.propose(DELETE, gate="destruction", verified=frozenset({COPY.id}))
    assert asked.answer(plan) is None
    waiting = asked.look(plan)
    assert isinstance(waiting, gates.Waiting)
    assert "second" in waiting.page
    assert "already answered" in (asked.answer(plan, step=1) or "")
    assert asked.answer(plan, "bob@example.com") is None
    assert isinstance(asked.look(plan), gates.Agreed)


def test_a_decline_is_final_for_its_plan(asked):
    plan = asked.propose(action())
    assert asked.answer(plan, decision="decline", reason="an approved migration") is None
    assert asked.look(plan) == gates.Declined(
        plan_hash=plan.hash, by="alice@example.com", reason="an approved migration"
    )


def test_a_plan_that_was_carried_out_has_used_its_approvals(asked):
    plan = asked.propose(action())
    assert asked.answer(plan) is None
    ledger.append(
        CASE, "plan-carried-out", "flow", {"plan_hash": plan.hash, "gate": plan.gate, "left_out": [], "failed": []}
    )
    assert isinstance(asked.look(plan), gates.Waiting)


def test_the_same_actions_asked_about_again_are_another_plan(asked):
    first, again = asked.propose(action()), asked.propose(action(), round=2)
    assert asked.answer(first) is None
    assert isinstance(asked.look(again), gates.Waiting)


def test_the_form_has_no_default_that_would_approve():
    schema = gates.Answer.model_json_schema()
    assert set(schema["required"]) == {"decision", "approver", "code"}
    assert "default" not in schema["properties"]["decision"]


def test_one_time_codes_stay_out_of_the_ledger(asked):
    plan = asked.propose(action())
    code = asked.codes["alice@example.com"].now()
    asked.answer(plan, code=code)
    asked.answer(plan, "bob@example.com", code="999999")
    written = " ".join(e.model_dump_json(include={"data"}) for e in ledger.entries(CASE))
    assert code not in written
    assert "999999" not in written
