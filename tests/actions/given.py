"""Findings as the investigation would have them, and the lab's roles with exactly what an action declares."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from decisions.actor import Actor, Cut
from decisions.evidence import Known, Unknown
from decisions.export import ExportApi, ExportEvent, ExportTask, Outcome
from decisions.findings import Assessment, ExportFacts, Findings, Severity, Verdict
from decisions.organization import Account, Organization
from decisions.plan import PlannedAction
from decisions.receipt import Receipt
from decisions.resources import Acl, AclGrant, BucketState, PrincipalState
from tasks.actions.base import Action
from tasks.sts import keep_policy_text
from tests.lab.aws import As, code_of

PRODUCTION, DEVELOPMENT, MANAGEMENT = "111122223333", "123456789012", "444455556666"
FORENSICS, FOREIGN = "777788889999", "210987654321"
REGION = "us-east-1"
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
CASE = "VMX-20261124-TEST"
BUCKET = "corp-exports"
EVIDENCE_BUCKET = "example-forensics-evidence"
BREAK_GLASS = f"arn:aws:iam::{PRODUCTION}:role/break-glass"


def organization(**change: Any) -> Organization:
    """The documentation's organisation."""
    accounts = (
        Account(id=PRODUCTION, name="production", sensitivity="production"),
        Account(id=DEVELOPMENT, name="development", sensitivity="development"),
        Account(id=MANAGEMENT, name="management", sensitivity="sensitive"),
        Account(id=FORENSICS, name="forensics", sensitivity="sensitive"),
    )
    given = {
        "id": "o-exampleorg1",
        "management_account": MANAGEMENT,
        "forensics_account": FORENSICS,
        "forensics_bucket": EVIDENCE_BUCKET,
        "accounts": accounts,
        "break_glass": (BREAK_GLASS,),
    }
    return Organization(**(given | change))


def known(value: Any) -> Known[Any]:
    return Known(value=value, source="test", asked_at=NOW)


def unknown(why: str = "AccessDenied") -> Unknown:
    return Unknown(why=why, source="test", asked_at=NOW)


def event(**change: Any) -> ExportEvent:
    """A role session exported a production instance an hour ago."""
    given = {
        "event_id": "e-1",
        "api": ExportApi.INSTANCE,
        "outcome": Outcome.ACCEPTED,
        "event_time": datetime(2026, 11, 24, 2, 0, tzinfo=UTC),
        "recipient_account": PRODUCTION,
        "caller_account": PRODUCTION,
        "region": REGION,
        "instance_id": "i-0123456789abcdef0",
        "bucket": BUCKET,
        "task_id": "export-i-0123456789abcdef0",
    }
    return ExportEvent(**(given | change))


def task(**change: Any) -> ExportTask:
    given = {
        "task_id": "export-i-0123456789abcdef0",
        "api": ExportApi.INSTANCE,
        "state": "active",
        "instance_id": "i-0123456789abcdef0",
        "bucket": BUCKET,
    }
    return ExportTask(**(given | change))


def actor(principal: PrincipalState | None = None, key: str | None = None) -> Actor:
    """Whoever the principal is, with the key that made the export."""
    kind = {"user": "IAMUser", "role": "AssumedRole"}.get(principal.type if principal else "")
    return Actor(
        principal_type=kind,
        principal_arn=principal.arn if principal else None,
        issuer_arn=principal.arn if principal and principal.type == "role" else None,
        access_key_id=key,
        cut=Cut(possible=True, how="Deny, then deactivate."),
    )


def facts(**change: Any) -> ExportFacts:
    given = {
        "event": event(),
        "task": known(task()),
        "instance": unknown(),
        "instance_id": known("i-0123456789abcdef0"),
        "account": known(organization().account(PRODUCTION)),
        "bucket": known(BUCKET),
        "key": unknown(),
        "key_is_prefix": False,
        "actor": actor(),
        "evidence": ("EV-0001",),
    }
    return ExportFacts(**(given | change))


def findings(**change: Any) -> Findings:
    """One malicious export; nothing else is known unless given."""
    given = {
        "case_id": CASE,
        "exports": (facts(),),
        "buckets": {},
        "objects": {},
        "principals": {},
        "scps": {},
        "activity": {},
        "reads": {},
        "statements": (),
        "assessment": Assessment(level=Severity.HIGH, held=(), reasons=(), undecided=(), would_change=()),
        "verdict": Verdict.MALICIOUS,
        "verdict_reasons": (),
        "missing": (),
        "as_of": NOW,
    }
    return Findings(**(given | change))


def user(name: str = "mallory", **change: Any) -> PrincipalState:
    arn = f"arn:aws:iam::{PRODUCTION}:user/{name}"
    return PrincipalState(**({"arn": arn, "name": name, "type": "user", "account": PRODUCTION} | change))


def role(name: str = "contractor", **change: Any) -> PrincipalState:
    arn = f"arn:aws:iam::{PRODUCTION}:role/{name}"
    return PrincipalState(**({"arn": arn, "name": name, "type": "role", "account": PRODUCTION} | change))


OWNER = "a" * 64
"""Canonical id of the production account."""


def bucket(**change: Any) -> BucketState:
    """A private bucket of the production account."""
    given = {
        "bucket": BUCKET,
        "account": PRODUCTION,
        "region": REGION,
        "policy": None,
        "acl": Acl(
            owner_id=OWNER,
            grants=(AclGrant(grantee_type="CanonicalUser", grantee_id=OWNER, permission="FULL_CONTROL"),),
        ),
        "ownership": "BucketOwnerPreferred",
        "public_access_block": None,
        "versioning": "Enabled",
    }
    return BucketState(**(given | change))


def ours(someone: As, service: str) -> Any:
    """A client as `tasks/sts.py` makes it."""
    made = someone.client(service)
    if service == "iam":
        keep_policy_text(made)
    return made


@dataclass
class AsRoot:
    """Implements `Clients` for the reads that findings are made of."""

    roots: dict[str, As]

    def client(self, service: str, *, account: str, tier: str, region: str | None = None) -> Any:
        return ours(self.roots[account].elsewhere(region=region or REGION), service)


@dataclass
class Roles:
    """Implements `Clients`: in each account a role per tier that may do exactly what one action declares."""

    roots: dict[str, As]
    action: Action
    sessions: dict[tuple[str, str], As] = field(default_factory=dict)

    def client(self, service: str, *, account: str, tier: str, region: str | None = None) -> Any:
        if (account, tier) not in self.sessions:
            self.sessions[account, tier] = self._session(account, tier)
        return ours(self.sessions[account, tier].elsewhere(region=region or REGION), service)

    def _session(self, account: str, tier: str) -> As:
        declared = self.action.permissions if tier == self.action.tier else self.action.other_tiers.get(tier, ())
        allowed = {"Effect": "Allow", "Action": list(declared), "Resource": "*"} if declared else None
        role = responder(self.roots[account], account, tier)
        if allowed:
            iam = self.roots[account].client("iam")
            iam.put_role_policy(RoleName=f"vmexport-{tier}", PolicyName="declared", PolicyDocument=document(allowed))
        return operator(self.roots[account]).assume(role, session="case")


def responder(root: As, account: str, tier: str) -> str:
    """Our role of a tier, without any permission; its ARN."""
    arn, iam = f"arn:aws:iam::{account}:role/vmexport-{tier}", root.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    if code_of(iam.get_role, RoleName=f"vmexport-{tier}") != "ok":
        root.role(f"vmexport-{tier}", document(trust))
    return arn


def operator(root: As) -> As:
    """Somebody who may assume our roles: root users may not."""
    return root.user(
        f"operator-{uuid4().hex[:8]}", document({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"})
    )


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def receipt(action: PlannedAction, before: Any, after: Any, verification: Any, **more: Any) -> Receipt:
    """As `tasks/actions/run.py` would write it."""
    return Receipt(
        action_id=action.id,
        kind=action.kind,
        plan_hash="0" * 64,
        changed=before != after,
        before=before,
        after=after,
        request_ids=(),
        applied_at=datetime.now(UTC),
        verified_at=datetime.now(UTC) if verification.verified else None,
        verification=verification,
        inverse=action.inverse,
        **more,
    )
