"""Facts of a case as triage and investigation would have them; every test changes what it is about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from decisions.activity import LogAnswer, LogRecord
from decisions.actor import attribute
from decisions.evidence import Coverage, Known, Unknown
from decisions.export import ExportApi, ExportEvent, ExportTask, Outcome
from decisions.facts import CaseFacts
from decisions.findings import ExportFacts
from decisions.organization import Account, Organization
from decisions.resources import Acl, AclGrant, BucketState, Instance, PublicAccessBlock

PRODUCTION, DEVELOPMENT, FOREIGN = "111122223333", "123456789012", "210987654321"
NOW = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
EXPORTED = datetime(2026, 3, 2, 10, 3, 30, tzinfo=UTC)
ROLE = f"arn:aws:iam::{DEVELOPMENT}:role/vm-migration"
SESSION = f"arn:aws:sts::{DEVELOPMENT}:assumed-role/vm-migration/jo@example.com"
KEY = "ASIAEXAMPLEEXAMPLE01"
BUCKET = "example-migration-images"
CLOSED = PublicAccessBlock(
    block_public_acls=True, ignore_public_acls=True, block_public_policy=True, restrict_public_buckets=True
)


def known(value: Any) -> Known[Any]:
    return Known(value=value, source="test", asked_at=NOW)


def unknown(why: str = "AccessDenied: not allowed.") -> Unknown:
    return Unknown(why=why, source="test", asked_at=NOW)


def organization(**change: Any) -> Organization:
    given: dict[str, Any] = {
        "id": "o-exampleorgid",
        "management_account": "444455556666",
        "forensics_account": "777788889999",
        "forensics_bucket": "example-forensics-evidence",
        "accounts": (
            Account(id=PRODUCTION, name="production", sensitivity="production"),
            Account(id=DEVELOPMENT, name="development", sensitivity="development"),
        ),
        "approved_exporters": (ROLE,),
        "approved_buckets": (BUCKET,),
        "networks": ("192.0.2.0/24",),
    }
    return Organization(**(given | change))


def event(**change: Any) -> ExportEvent:
    given: dict[str, Any] = {
        "event_id": "e-1",
        "api": ExportApi.INSTANCE,
        "outcome": Outcome.ACCEPTED,
        "event_time": EXPORTED,
        "recipient_account": DEVELOPMENT,
        "caller_account": DEVELOPMENT,
        "region": "us-east-1",
        "principal_type": "AssumedRole",
        "principal_arn": SESSION,
        "issuer_arn": ROLE,
        "access_key_id": KEY,
        "source_address": "192.0.2.10",
        "instance_id": "i-0123456789abcdef0",
        "bucket": BUCKET,
        "task_id": "export-i-0123456789abcdef0",
        "description": "CHG-1234 move to the data centre",
    }
    return ExportEvent(**(given | change))


def task(**change: Any) -> ExportTask:
    given: dict[str, Any] = {
        "task_id": "export-i-0123456789abcdef0",
        "api": ExportApi.INSTANCE,
        "state": "active",
        "instance_id": "i-0123456789abcdef0",
        "bucket": BUCKET,
        "object_key": "vm/export-i-0123456789abcdef0.ova",
        "description": "CHG-1234 move to the data centre",
    }
    return ExportTask(**(given | change))


def instance(**tags: str) -> Instance:
    return Instance(
        instance_id="i-0123456789abcdef0",
        account=DEVELOPMENT,
        region="us-east-1",
        state="running",
        tags={"DataClassification": "public"} | tags,
        volumes=("vol-1",),
    )


def bucket(**change: Any) -> BucketState:
    given: dict[str, Any] = {
        "bucket": BUCKET,
        "account": DEVELOPMENT,
        "region": "us-east-1",
        "policy": None,
        "acl": Acl(owner_id="a" * 64, grants=(AclGrant(grantee_type="CanonicalUser", grantee_id="a" * 64, permission="FULL_CONTROL"),)),
        "ownership": "BucketOwnerPreferred",
        "public_access_block": CLOSED,
        "versioning": "Enabled",
    }  # fmt: skip
    return BucketState(**(given | change))


def export(**change: Any) -> ExportFacts:
    """An approved migration of a public development instance, as EC2 tells it."""
    said = change.pop("event", None) or event()
    account = organization().account(said.recipient_account or "")
    given: dict[str, Any] = {
        "event": said,
        "task": known(task()),
        "instance": known(instance()),
        "instance_id": known("i-0123456789abcdef0"),
        "account": known(account) if account else unknown("not in organization.toml"),
        "bucket": known(BUCKET),
        "key": known("vm/export-i-0123456789abcdef0.ova"),
        "key_is_prefix": False,
        "actor": attribute(said),
        "evidence": ("EV-0001",),
    }
    return ExportFacts(**(given | change))


def record(name: str = "DescribeInstances", **change: Any) -> LogRecord:
    given: dict[str, Any] = {
        "event_id": f"r-{name}",
        "time": EXPORTED,
        "event_name": name,
        "event_source": "ec2.amazonaws.com",
        "access_key_id": KEY,
        "principal_arn": SESSION,
        "issuer_arn": ROLE,
        "source_address": "192.0.2.10",
        "origin": "test",
    }
    return LogRecord(**(given | change))


def answer(*records: LogRecord, gaps: tuple[str, ...] = ()) -> LogAnswer:
    reached = Coverage(searched_from=EXPORTED, searched_to=NOW, complete=not gaps, gaps=gaps)
    return LogAnswer(records=records, coverage=reached)


def case(*exports: ExportFacts, **change: Any) -> CaseFacts:
    given: dict[str, Any] = {
        "exports": exports or (export(),),
        "buckets": {BUCKET: known(bucket())},
        "activity": known(answer()),
        "organization": organization(),
    }
    return CaseFacts(**(given | change))
