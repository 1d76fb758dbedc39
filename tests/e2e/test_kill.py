"""Anything may die at any point: SIGKILL, start again, and every action was applied exactly once with no gate skipped."""

from __future__ import annotations

import pytest

from cli.orchestration import state_of
from cli.processes import wait_until
from records import ledger
from tests.e2e import outages


@pytest.fixture
def waiting(incident):
    """A fresh case that waits at its containment gate, its process gone: one that is still leaving may report a crash later."""
    case, run = incident.open_case("production-export")
    wait_until(lambda: bool(ledger.entries(case, "gate-asked")) and state_of(run) == "Suspended", 180, "no gate")
    wait_until(lambda: not outages.flow_processes(incident), 30, "the suspended run still executes")
    return case, run


def test_worker_server_and_database_killed_at_the_gate_lose_nothing(incident, waiting):
    case, run = waiting
    asked = len(ledger.entries(case, "gate-asked"))
    outages.kill_everything(incident)
    outages.start_again(incident)
    assert state_of(run) == "Suspended"
    assert len(ledger.entries(case, "gate-asked")) == asked
    incident.follow(case, run, "approve")
    assert [e for e, n in outages.writes_by_responder(incident, case).items() if n > 1] == []


def test_killed_between_the_write_and_its_check_every_action_is_finished_by_the_retry_and_applied_once(
    incident, waiting
):
    case, run = waiting
    incident.answer_gate(case, ledger.entries(case, "gate-asked")[-1].data, "approve")
    wait_until(lambda: bool(ledger.entries(case, "action-started")), 120, "containment did not begin")
    outages.kill(incident.services.part("worker"))
    outages.kill_flow_processes(incident)
    outages.start_again(incident)
    answered = len(ledger.entries(case, "gate-answered"))
    outages.retry(run)
    wait_until(
        lambda: any(e.data["gate"] == "containment" for e in ledger.entries(case, "plan-carried-out")),
        180,
        "not finished",
    )
    assert len([e for e in ledger.entries(case, "gate-answered") if e.data["gate"] == "containment"]) == answered
    incident.follow(case, run, "approve")
    assert [e for e, n in outages.writes_by_responder(incident, case).items() if n > 1] == []


def test_a_finished_run_that_is_retried_asks_again(incident):
    case, run = incident.open_case("production-export")
    incident.follow(case, run, "approve")
    asked = len(ledger.entries(case, "gate-asked"))
    outages.retry(run)
    wait_until(
        lambda: len(ledger.entries(case, "gate-asked")) > asked and state_of(run) == "Suspended",
        120,
        "the retry did not ask again",
    )
    newest = ledger.entries(case, "gate-asked")[-1].data
    assert newest["gate"] == "containment"
    assert "r2-1" in newest["asked"]
