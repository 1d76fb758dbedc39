"""What every action that can be undone promises, in the lab over HTTP with exactly the permissions it declares."""

from __future__ import annotations

import pytest

from decisions.ledger import canonical_sha256
from tests.actions import bucket_scenarios, eradication_scenarios, identity_scenarios, recovery_scenarios
from tests.actions.given import receipt
from tests.actions.scenario import Scenario

pytestmark = pytest.mark.lab

SCENARIOS = [*identity_scenarios.ALL, *bucket_scenarios.ALL, *eradication_scenarios.ALL, *recovery_scenarios.ALL]


@pytest.fixture(params=SCENARIOS, ids=lambda build: build.__name__)
def scenario(request, lab, roots) -> Scenario:
    return request.param(lab, roots)


def test_the_attacker_is_let_in_before_and_refused_after(scenario):
    assert set(scenario.tried()) <= {"ok"}
    before = scenario.read()
    assert not scenario.action.reached(scenario.planned, before)
    assert scenario.action.apply(scenario.aws, scenario.planned, before).changed
    assert "ok" not in scenario.tried()
    verification = scenario.action.verify(scenario.aws, scenario.planned)
    assert verification.verified, verification.probes


def test_cut_off_between_apply_and_verify_it_is_applied_once(scenario):
    before = scenario.read()
    applied = scenario.action.apply(scenario.aws, scenario.planned, before)
    again = scenario.action.apply(scenario.aws, scenario.planned, before)
    assert (applied.changed, again.changed) == (True, False)
    assert len(scenario.writes()) == len(applied.request_ids) > 0


def test_the_plan_still_fits_before_and_after(scenario):
    agreed = scenario.planned.preconditions[0].sha256
    assert scenario.action.precondition(scenario.planned, scenario.read()) == agreed
    scenario.action.apply(scenario.aws, scenario.planned, scenario.read())
    assert scenario.action.precondition(scenario.planned, scenario.read()) == agreed


def test_what_was_undone_behind_our_back_is_not_verified(scenario, impatient):
    scenario.action.apply(scenario.aws, scenario.planned, scenario.read())
    scenario.undo()
    verification = scenario.action.verify(scenario.aws, scenario.planned)
    assert not verification.verified
    assert any("NOT" in probe for probe in verification.probes)


def test_taken_back_it_is_as_it_was_and_taking_back_twice_writes_nothing(scenario):
    before = scenario.read()
    scenario.action.apply(scenario.aws, scenario.planned, before)
    done = receipt(scenario.planned, before, scenario.read(), scenario.action.verify(scenario.aws, scenario.planned))
    assert scenario.action.revert(scenario.aws, scenario.planned, done).verified
    assert scenario.read() == before
    assert set(scenario.tried()) <= {"ok"}
    writes = len(scenario.writes())
    assert scenario.action.revert(scenario.aws, scenario.planned, done).verified
    assert len(scenario.writes()) == writes


def test_a_release_planned_from_the_receipt_fits_the_world(scenario):
    scenario.action.apply(scenario.aws, scenario.planned, scenario.read())
    after = scenario.read()
    backwards = scenario.planned.model_copy(update={"before": scenario.planned.after, "after": scenario.planned.before})
    from_receipt = canonical_sha256(scenario.action.relevant(scenario.planned, after))
    assert scenario.action.precondition(backwards, scenario.read()) == from_receipt
