"""A whole case for tests: a contractor's session exports a production instance, is read from outside, and is contained."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from decisions.activity import LogAnswer, LogRecord
from decisions.actor import attribute
from decisions.approval import Approval, Proposal
from decisions.evidence import Coverage, Evidence, Known, Unknown
from decisions.export import ExportApi, ExportEvent, ExportTask, Outcome
from decisions.exposure import ObjectRead
from decisions.findings import Assessment, ExportFacts, Finding, Findings, Severity, Triaged, Verdict
from decisions.ledger import GENESIS, LedgerEntry, next_entry
from decisions.organization import Account
from decisions.plan import ActionClass, PlannedAction, Precondition, make_plan
from decisions.readable import Readings
from decisions.receipt import Receipt, Verification
from decisions.resources import Acl, AclGrant, BucketState, Instance, ObjectVersion
from decisions.statements import KEYS, PERMISSIONS
from tests.decisions.plans import organization

CASE = "VMX-20260302-ABCD"
T0 = datetime(2026, 3, 2, 10, 3, 30, tzinfo=UTC)
BUCKET, KEY = "example-drop", "vm/export-i-0fedcba9876543210.ova"
PLACE = f"{BUCKET}/{KEY}"
OURS = organization()
ACTOR = "arn:aws:sts::111122223333:assumed-role/platform-admin/jo.contractor@example.com"
OWNER = "a" * 64
"""Canonical id of the bucket's owner."""


def at(minutes: float) -> datetime:
    """So many minutes after the first export."""
    return T0 + timedelta(minutes=minutes)


def known(value, minutes=8.0):
    return Known(value=value, source="test", asked_at=at(minutes))


def unknown(why="AccessDenied", minutes=8.0):
    return Unknown(why=why, source="test", asked_at=at(minutes))


def event(**change):
    given = {
        "event_id": "event-1", "api": ExportApi.INSTANCE, "outcome": Outcome.ACCEPTED, "event_time": T0,
        "recipient_account": "111122223333", "caller_account": "111122223333", "region": "us-east-1",
        "principal_type": "AssumedRole", "principal_arn": ACTOR, "principal_id": "AROAEXAMPLEEXAMPLE:jo.contractor@example.com",
        "issuer_arn": "arn:aws:iam::111122223333:role/platform-admin", "access_key_id": "ASIAEXAMPLEEXAMPLE01",
        "source_address": "198.51.100.7", "user_agent": "aws-cli/2.17.60", "instance_id": "i-0123456789abcdef0",
        "bucket": BUCKET, "prefix": "vm/", "disk_format": "VMDK", "container_format": "ova", "target_environment": "vmware",
        "task_id": "export-i-0fedcba9876543210", "alert_id": "alert-1", "alert_rule": "AWS EC2 Exported as VM",
        "alert_created": at(7), "ingested": at(4),
    }  # fmt: skip
    return ExportEvent(**(given | change))


def task(state="completed", **change):
    given = {
        "task_id": "export-i-0fedcba9876543210", "api": ExportApi.INSTANCE, "state": state, "bucket": BUCKET,
        "instance_id": "i-0123456789abcdef0", "object_key": KEY, "prefix": "vm/",
    }  # fmt: skip
    return ExportTask(**(given | change))


def bucket(policy=True, **change):
    """A bucket that an account outside the organisation may read, or a private one."""
    statement = {"Effect": "Allow", "Principal": {"AWS": "210987654321"}, "Action": "s3:GetObject", "Resource": "*"}
    given = {
        "bucket": BUCKET, "account": "111122223333", "region": "us-east-1", "ownership": "BucketOwnerPreferred",
        "policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]}) if policy else None,
        "acl": Acl(owner_id=OWNER, grants=(AclGrant(grantee_type="CanonicalUser", grantee_id=OWNER, permission="FULL_CONTROL"),)),
        "public_access_block": None, "versioning": "Enabled",
    }  # fmt: skip
    return BucketState(**(given | change))


def record(name, minutes, event_id=None, **change):
    given = {
        "event_id": event_id or f"{name}-{minutes}", "time": at(minutes), "event_name": name, "event_source": "s3.amazonaws.com",
        "principal_arn": ACTOR, "access_key_id": "ASIAEXAMPLEEXAMPLE01", "source_address": "198.51.100.7",
        "read_only": name.startswith(("Get", "List", "Describe")), "origin": "test",
    }  # fmt: skip
    return LogRecord(**(given | change))


def answer(*records, complete=True, until=600.0, gaps=()):
    coverage = Coverage(
        searched_from=at(-1440), searched_to=at(until), complete=complete and not gaps, gaps=tuple(gaps)
    )
    return known(LogAnswer(records=tuple(records), coverage=coverage))


def read(outside, minutes=15.0, **change):
    """A read of the image."""
    thief = "arn:aws:iam::210987654321:user/thief"
    given = {
        "time": at(minutes), "event_id": f"read-{minutes}", "who": f"{thief} from 203.0.113.9", "operation": "GetObject",
        "outside": outside, "why": "Account 210987654321 is not ours.", "principal_arn": thief, "source_address": "203.0.113.9",
    }  # fmt: skip
    return ObjectRead(**(given | change))


def version(minutes=2.0):
    return ObjectVersion(
        bucket=BUCKET, key=KEY, version_id="v1", size_bytes=8 << 30, etag='"e"', last_modified=at(minutes)
    )


def facts(**change):
    told = change.pop("event", event())
    tags = {"Name": "payments-db", "Owner": "payments", "DataClassification": "restricted"}
    machine = Instance(
        instance_id="i-0123456789abcdef0", account="111122223333", region="us-east-1", state="running", tags=tags
    )
    given = {
        "event": told, "task": known(task()), "instance": known(machine), "instance_id": known(machine.instance_id),
        "account": known(Account(id="111122223333", name="production", sensitivity="production")), "bucket": known(BUCKET),
        "key": known(KEY), "key_is_prefix": False, "actor": attribute(told), "evidence": ("EV-0001",),
    }  # fmt: skip
    return ExportFacts(**(given | change))


ASSESSMENT = Assessment(
    level=Severity.HIGH,
    held=("high.production",),
    reasons=(
        "The export is from a production or sensitive account.",
        "The instance's tags say that it holds sensitive data.",
    ),
    undecided=("high.concealment: The actor's activity could not be read.",),
    would_change=(),
)


def findings(**change):
    calls = (
        record("PutBucketPolicy", -5, request_parameters={"bucketName": BUCKET}),
        *(record("DescribeInstances", -9 + n / 10, event_id=f"d{n}") for n in range(7)),
        record("StopLogging", -1, error_code="AccessDenied"),
    )
    given = {
        "case_id": CASE, "exports": (facts(),), "buckets": {BUCKET: known(bucket())}, "objects": {BUCKET: known((version(),))},
        "principals": {}, "scps": {}, "activity": {KEYS: answer(*calls), PERMISSIONS: answer(calls[0])}, "reads": {},
        "statements": (Finding(statement="Outsiders can read the bucket.", confidence="high", evidence=("EV-0001",), concern=True),),
        "assessment": ASSESSMENT, "verdict": Verdict.MALICIOUS, "verdict_reasons": ("The actor opened the bucket.",),
        "missing": ("SCPs over 111122223333: AccessDenied",), "as_of": at(60),
    }  # fmt: skip
    return Findings(**(given | change))


def triaged(**change):
    given = {
        "case_id": CASE,
        "exports": (facts(),),
        "buckets": {BUCKET: known(bucket())},
        "assessment": ASSESSMENT,
        "as_of": at(8),
    }
    return Triaged(**(given | change))


def readings(*states, **change):
    """The bucket was open when triage read it, eight minutes in; the task was complete by then."""
    given = {
        "buckets": states or (known(bucket(), 8.0),),
        "tasks": (known(task(), 8.0),),
        "versions": (known((version(),), 8.0),),
    }
    return Readings(**(given | change))


def planned(kind, target, cls=ActionClass.REVERSIBLE, needs=(), before=None, after=None, **change):
    given = {
        "id": f"{kind}:{target}", "kind": kind, "target": target, "account": "111122223333", "region": "us-east-1",
        "action_class": cls, "reason": "it holds the export", "evidence": ("EV-0001",),
        "preconditions": (Precondition(fact="state", sha256="0" * 64),), "before": before or {"policy": None},
        "after": after or {"policy": "deny"}, "inverse": "Puts back what was there.", "blast_radius": "One bucket.",
        "permissions": (), "needs": needs,
    }  # fmt: skip
    return PlannedAction(**(given | change))


LOCK = planned("s3.lock-export", BUCKET)
KEY_OFF = planned("iam.revoke-role-sessions", "arn:aws:iam::111122223333:role/platform-admin")
COPY = planned(
    "forensics.copy-export", f"{PLACE}@v1", ActionClass.PREVENTIVE, inverse="A locked copy cannot be removed."
)
DELETE = planned(
    "s3.delete-export", f"{PLACE}@v1", ActionClass.DESTRUCTIVE, needs=(COPY.id,), inverse="CANNOT be undone."
)
PLAN = make_plan(CASE, "containment", (LOCK, KEY_OFF, COPY), OURS)


def receipt(action, applied, verified, plan=PLAN):
    probe = (
        "GetObject with the actor's session: AccessDenied." if verified is not None else "The old session still works."
    )
    return Receipt(
        action_id=action.id, kind=action.kind, plan_hash=plan.hash, changed=True, before=action.before, after=action.after,
        request_ids=("r-1",), applied_at=at(applied), verified_at=None if verified is None else at(verified),
        verification=Verification(verified=verified is not None, probes=(probe,)), inverse=action.inverse,
    )  # fmt: skip


def approval(decision="approve", plan=PLAN, who="alice@example.com", leave_out=(), minutes=20.0):
    return Approval(
        case_id=CASE, gate=plan.gate, plan_hash=plan.hash, decision=decision, approver=who, method="totp", time=at(minutes),
        reason="looks bad", expires=at(minutes + 60), leave_out=leave_out,
    )  # fmt: skip


def carried_out(*receipts, failed=(), left_out=(), plan=PLAN, minutes=30.0):
    done = [("action-done", r, r.verified_at or r.applied_at) for r in receipts]
    end = {"plan_hash": plan.hash, "gate": plan.gate, "left_out": list(left_out), "failed": list(failed)}
    return (*done, ("plan-carried-out", end, at(minutes)))


def collected(number, what, coverage=None):
    return Evidence(
        id=f"EV-{number:04d}", what=what, source="test", coverage=coverage, sha256="0" * 64, size_bytes=2,
        stored_at=f"{CASE}/EV-{number:04d}.json", collected_at=at(8),
    )  # fmt: skip


OPENED = (
    ("case-opened", {"event_id": "event-1", "inbox": 1, "sha256": "0" * 64}, at(7.1)),
    ("alert-joined", {"event": event(), "inbox": 1, "sha256": "0" * 64, "joined_by": None, "related": []}, at(7.1)),
    ("run-started", {"run": "run-1", "deployment": "vm-export/respond", "at": at(7.2)}, at(7.2)),
)
JUDGED = (
    ("evidence-collected", collected(1, "access keys"), at(8)),
    ("assessed", {"assessment": ASSESSMENT}, at(8)),
    ("verdict", {"verdict": "malicious", "reasons": ["The actor opened the bucket."], "missing": []}, at(12)),
)
ASKED = (
    ("plan-proposed", Proposal(plan=PLAN, suspects=("jo.contractor",)), at(13)),
    (
        "gate-asked",
        {
            "gate": "containment", "plan_hash": PLAN.hash, "need": 1, "have": 0, "asked": "q", "run": "run-1",
            "until": at(13 + 72 * 60), "problem": None,
        },
        at(13),
    ),
)  # fmt: skip
CONTAINED = (
    *OPENED, *JUDGED, *ASKED, ("gate-answered", approval(), at(20)),
    *carried_out(receipt(LOCK, 21, 22), receipt(KEY_OFF, 22, 23), receipt(COPY, 24, 29)),
)  # fmt: skip


def entries(*happened) -> tuple[LedgerEntry, ...]:
    """A ledger of (kind, data, time); data as models or as JSON."""
    written: list[LedgerEntry] = []
    last = (0, GENESIS)
    for kind, data, time in happened:
        written.append(next_entry(CASE, last, time, kind, "flow", _json(data)))
        last = (written[-1].seq, written[-1].hash)
    return tuple(written)


def _json(value):
    if hasattr(value, "model_dump"):
        excluded = {"seq"} if isinstance(value, Proposal) else None
        return value.model_dump(mode="json", exclude=excluded)
    if isinstance(value, dict):
        return {k: _json(v) for k, v in value.items()}
    return value.isoformat() if isinstance(value, datetime) else value
