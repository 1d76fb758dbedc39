"""The ledger with a plan that people agreed to, and the lab with our roles in it: what `carry_out` needs, and nothing of its own."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from decisions.approval import Approval, Proposal
from decisions.plan import Plan, PlannedAction, make_plan
from flows.release import record_release
from records import ledger
from settings.organization import organization
from tasks.actions.base import State
from tasks.actions.permissions import by_tier, policy
from tasks.actions.registry import actions
from tasks.actions.run import CarriedOut, Stale, carry_out, receipts_in_force
from tests.actions.given import CASE, FORENSICS, MANAGEMENT, PRODUCTION, AsRoot
from tests.lab.aws import As, trust
from tests.lab.aws import policy as allowing
from tests.lab.conftest import RunningLab
from tests.tasks.conftest import forget_settings


@dataclass
class World:
    """The lab with our roles in it as deployments/iam makes them, and an empty ledger."""

    lab: RunningLab
    roots: dict[str, As]
    written: int = 0
    """How many events there were before the plan that is tested."""

    def agreed(self, *planned: PlannedAction) -> Plan:
        """A plan of these actions that two people agreed to."""
        verified = frozenset(r.action_id for r in receipts_in_force(ledger.entries(CASE)))
        plan = make_plan(CASE, actions()[planned[-1].kind].gate, planned, organization(), verified)
        proposal = Proposal(plan=plan, suspects=())
        ledger.append(CASE, "plan-proposed", "flow", proposal.model_dump(mode="json", exclude={"seq"}))
        return self.agree(plan)

    def agree(self, plan: Plan) -> Plan:
        now = datetime.now(UTC)
        for who in ("alice@example.com", "bob@example.com"):
            answer = Approval(
                case_id=CASE, gate=plan.gate, plan_hash=plan.hash, decision="approve", approver=who, method="totp",
                time=now, reason="", expires=now + timedelta(hours=1),
            )  # fmt: skip
            ledger.append(CASE, "gate-answered", f"person:{who}", answer.model_dump(mode="json"))
        self.written = len(self.lab.events())
        return plan

    async def release(self) -> CarriedOut | Stale:
        """Everything of the case that can be undone, asked for and agreed to."""
        return await carry_out(CASE, self.agree(record_release(CASE, "carol@example.com", "a false alarm")).hash)

    def state(self, planned: PlannedAction) -> State:
        return actions()[planned.kind].read(AsRoot(self.roots), planned)

    def writes(self) -> list[tuple[str, str]]:
        """What our roles have written since the plan, in order: one call is one, in however many accounts it is logged."""
        calls = {
            e["requestID"]: (e["eventName"], json.dumps(e["requestParameters"], sort_keys=True))
            for e in self.lab.events()[self.written :]
            if "assumed-role/vmexport-" in e["userIdentity"].get("arn", "")
            and not e["readOnly"]
            and "errorCode" not in e
        }
        return list(calls.values())


@pytest.fixture
def world(database, lab, roots, monkeypatch) -> World:
    hub = roots[MANAGEMENT].user("vmexport-hub", allowing({"Action": "sts:AssumeRole"}))
    for account in (MANAGEMENT, PRODUCTION, FORENSICS):
        for tier, permissions in by_tier().items():
            trusting = trust({"AWS": f"arn:aws:iam::{MANAGEMENT}:root"})
            roots[account].role(f"vmexport-{tier}", trusting, json.dumps(policy(permissions)))
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "VMEXPORT_DRILL_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    environment = {
        "AWS_ENDPOINT_URL": lab.endpoint,
        "AWS_ACCESS_KEY_ID": hub.key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": hub.key.secret_access_key,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    forget_settings()
    yield World(lab, roots)
    forget_settings()
