"""A log bucket in the lab, and whoever may read it: the read role with the policy of deployments/iam."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from decisions.hunt import HuntResult
from settings import buckets as bucket_settings
from tasks import sts
from tasks.actions.permissions import policy as read_policy
from tasks.hunting.buckets import COMPONENT, PERMISSIONS, READABLE, bucket
from tasks.hunting.coverage import Period
from tasks.hunting.file_source import FileSource
from tasks.hunting.hunt import hunt
from tests.hunting.logs_of import ACCOUNT, compact
from tests.lab.aws import PRODUCTION, As

LIMIT = 64 * 1024 * 1024
LOGS = "example-org-trail"
MARCH = f"AWSLogs/{ACCOUNT}/CloudTrail/eu-central-1/2026/03"


@pytest.fixture
def s3(ours: dict[str, As], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """S3 as the log account's root, with an empty log bucket; the spool is a folder of this test's."""
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setenv("VMEXPORT_HUNT_SPOOL_DIR", str(spool))
    monkeypatch.setenv("VMEXPORT_HUNT_LOG_ACCOUNT", PRODUCTION)
    bucket_settings.buckets.cache_clear()
    root = ours[PRODUCTION]
    root.client("iam").put_role_policy(
        RoleName="vmexport-read",
        PolicyName="logs",
        PolicyDocument=json.dumps(read_policy(set(PERMISSIONS), READABLE)),
    )
    made = root.client("s3")
    made.create_bucket(Bucket=LOGS)
    yield made
    assert not list(spool.iterdir())
    bucket_settings.buckets.cache_clear()


def upload(s3: Any, folder: Path, prefix: str = "") -> int:
    """A whole tree; answers how many files."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in files:
        s3.put_object(Bucket=LOGS, Key=f"{prefix}{path.relative_to(folder)}", Body=path.read_bytes())
    return len(files)


def put(s3: Any, key: str, *records: dict[str, Any], **more: Any) -> None:
    s3.put_object(Bucket=LOGS, Key=key, Body=compact(list(records)), **more)


def look(prefix: str = "", period: Period | None = None, **more: Any) -> HuntResult:
    """A hunt below a prefix of the log bucket."""
    period = period or Period()
    return hunt(FileSource(bucket(f"s3://{LOGS}/{prefix}"), period, LIMIT, **more), period)


def calls() -> list[tuple[str, dict[str, Any]]]:
    """From now on every request of the read role to S3: operation and parameters, as they go out."""
    seen: list[tuple[str, dict[str, Any]]] = []
    where = (None, bucket(f"s3://{LOGS}").region)
    for client in {sts.aws(COMPONENT).client("s3", account=PRODUCTION, tier="read", region=one) for one in where}:
        client.meta.events.register(
            "provide-client-params.s3", lambda params, model, **_: seen.append((model.name, dict(params)))
        )
    return seen


def exports(result: HuntResult) -> set[str]:
    return {finding.event_id for finding in result.findings if finding.kind == "export"}
