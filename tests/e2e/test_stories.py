"""The whole way, for real: attack, alert, triage, gates, containment, report; and what the attacker can do before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cli.orchestration import start_release, state_of
from cli.processes import wait_until
from lab.story import Detonation
from records import ledger
from tests.e2e import outages
from tests.e2e.in_force import in_force


class Contained(NamedTuple):
    summary: dict[str, Any]
    detonation: Detonation
    before: dict[str, str]


@pytest.fixture(scope="module")
def contained(incident):
    """The production export, played to its end with every gate approved; and what was in force before we did anything."""
    detonation = incident.detonate("production-export")
    before = in_force(incident.endpoint, detonation.facts["bucket"])
    case = incident.post(detonation)
    run = incident.wait_for_run(case)
    incident.follow(case, run, "approve")
    return Contained(incident.summary(case, "production-export", run), detonation, before)


def test_the_production_export_is_high_and_malicious_with_reasons(contained):
    summary = contained.summary
    assert summary["severity"] == "high"
    assert summary["verdict"] == "malicious"
    assert any("production" in reason for reason in summary["reasons"])


def test_every_action_of_the_playbook_was_done_and_verified_by_effect(contained):
    summary = contained.summary
    assert {a["kind"] for a in summary["actions"]} >= {
        "ec2.cancel-export", "s3.lock-export", "forensics.copy-export", "s3.delete-export", "iam.deactivate-access-key",
        "iam.deny-user", "iam.revoke-role-sessions", "s3.remove-export-grant", "iam.remove-export-permission",
        "organizations.attach-export-guardrail", "events.watch-exports",
    }  # fmt: skip
    assert [a["id"] for a in summary["actions"] if not a["verified"]] == []


def test_a_deletion_took_two_different_people(contained):
    summary = contained.summary
    deletion = {g["approver"] for g in summary["gates"] if g["name"] == "destruction"}
    assert len(deletion) == 2
    assert {g["name"] for g in summary["gates"]} == {"containment", "destruction", "eradication", "recovery"}


def test_before_containment_the_attackers_credentials_were_accepted_and_after_it_they_are_refused(contained):
    detonation = contained.detonation
    assert detonation.accepted_before == {canary.name: True for canary in detonation.canaries}
    assert {canary.name: canary.accepted() for canary in detonation.canaries} == {
        canary.name: False for canary in detonation.canaries
    }


def test_the_metrics_are_measured_and_the_download_from_outside_is_found(contained):
    summary = contained.summary
    metrics = summary["metrics"]
    assert metrics["accessed_outside"] == "yes"
    assert 0 < metrics["time_to_detection_s"] < 7200
    assert 0 < metrics["time_to_containment_s"] < 600
    assert metrics["exposure_s"] > 0


def test_the_report_stands_alone_and_the_case_can_be_proved(contained, tmp_path):
    from records import cases

    summary = contained.summary
    page = Path(summary["report"]).read_text()
    assert page.count("<svg") >= 2
    assert 'src="http' not in page
    assert cases.verify_case(summary["case"]) == ()
    cases.export(summary["case"], tmp_path / "case")
    assert cases.verify_directory(tmp_path / "case") == ()


def test_each_write_of_an_action_happened_exactly_once(contained, incident):
    summary = contained.summary
    writes = outages.writes_by_responder(incident, summary["case"])
    doubled = {w: n for w, n in writes.items() if n > 1}
    assert writes
    assert doubled == {}


def test_a_release_puts_policies_acls_and_keys_back_byte_for_byte(contained, incident):
    case, bucket = contained.summary["case"], contained.detonation.facts["bucket"]
    assert in_force(incident.endpoint, bucket) != contained.before
    run = start_release(case, "erin@example.com", "an approved migration after all")
    wait_until(lambda: state_of(run) == "Suspended", 120, "the release does not wait at its gate")
    assert in_force(incident.endpoint, bucket) != contained.before, "nothing may change before somebody agreed"
    incident.follow(case, run, "approve")

    after = in_force(incident.endpoint, bucket)
    assert {name for name in contained.before | after if contained.before.get(name) != after.get(name)} == set()
    (released,) = [e for e in ledger.entries(case, "plan-carried-out") if e.data["gate"] == "release"]
    assert released.data["failed"] == []


def test_the_approved_migration_ends_without_a_gate(incident):
    summary = incident.play("approved-migration")
    assert (summary["severity"], summary["verdict"]) == ("low", "expected")
    assert summary["gates"] == []
    assert summary["actions"] == []
    assert summary["report"]


def test_the_denied_attempt_is_reported_as_an_attempt(incident):
    summary = incident.play("denied-attempt")
    assert summary["verdict"] in {"suspicious", "malicious"}
    assert summary["metrics"]["accessed_outside"] in {"no", "unknown"}
    assert [a for a in summary["actions"] if a["kind"].startswith(("forensics.", "s3.delete"))] == []
    assert any("denied" in e.model_dump_json() for e in ledger.entries(summary["case"], "alert-joined"))
