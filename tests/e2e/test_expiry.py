"""Nobody answers: the gate expires, nothing was done, and whoever retries the run is asked again."""

from __future__ import annotations

from pathlib import Path

from cli.orchestration import state_of
from cli.processes import wait_until
from records import ledger
from tests.e2e import outages


def test_a_gate_that_expires_does_nothing_and_a_retry_asks_again(incident):
    detonation = incident.detonate("production-export")
    file = Path(incident.services.env["VMEXPORT_ORGANIZATION"])  # each run reads it, in a process of its own
    patient = file.read_text()
    file.write_text(f'{patient}\n[approvals]\ngate_timeout = "PT3S"\n')
    case = incident.post(detonation)
    run = incident.wait_for_run(case)
    wait_until(lambda: state_of(run) == "Failed", 120, "the gate did not expire")
    asked = len(ledger.entries(case, "gate-asked"))
    assert asked == 1
    assert ledger.entries(case, "action-started") == ()
    assert outages.writes_by_responder(incident, case) == {}

    file.write_text(patient)
    outages.retry(run)
    wait_until(
        lambda: len(ledger.entries(case, "gate-asked")) > asked and state_of(run) == "Suspended",
        120,
        "the retry did not ask again",
    )
    assert ":r2-1" in ledger.entries(case, "gate-asked")[-1].data["asked"]
    assert outages.writes_by_responder(incident, case) == {}
    incident.follow(case, run, "approve")
    assert ledger.entries(case, "case-closed")
