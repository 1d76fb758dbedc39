"""The lab as our roles see it: in each account a read role that may do exactly what the reads declare."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tasks.cloudtrail
import tasks.ec2
import tasks.iam
import tasks.organizations
import tasks.s3  # noqa: F401 - every module of reads is loaded, so that their permissions are known
from settings import aws as aws_settings
from settings import logs as log_settings
from settings import organization as organization_settings
from settings.organization import EXAMPLE
from tasks import sts
from tasks.reading import reads
from tests.lab.aws import MANAGEMENT, PRODUCTION, As, policy, trust
from tests.lab.conftest import RunningLab, eventually, lab, lab_process

__all__ = ["eventually", "lab", "lab_process"]

DEVELOPMENT, FORENSICS, FOREIGN = "123456789012", "777788889999", "210987654321"
CASE = "VMX-20261124-TEST"


def forget_settings() -> None:
    """Read every setting again at its next use."""
    for cached in (
        aws_settings.aws, log_settings.logs, organization_settings.organization, sts.aws, sts._base_session,
    ):  # fmt: skip
        cached.cache_clear()


@pytest.fixture
def roots(lab: RunningLab) -> dict[str, As]:
    """Account -> its root user."""
    return {a: As(lab, lab.root_key(a)) for a in (MANAGEMENT, PRODUCTION, DEVELOPMENT, FORENSICS, FOREIGN)}


@pytest.fixture
def ours(lab: RunningLab, roots: dict[str, As], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, As]:
    """The organisation of settings/organization.example.toml with our read role in it, and this process as its hub."""
    organizations = roots[MANAGEMENT].client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    hub = roots[MANAGEMENT].user("vmexport-hub", policy({"Action": "sts:AssumeRole"}))
    declared = sorted({p for r in reads() for p in r.permissions})
    for account in (MANAGEMENT, PRODUCTION, DEVELOPMENT, FORENSICS):
        roots[account].role(
            "vmexport-read", trust({"AWS": f"arn:aws:iam::{MANAGEMENT}:root"}), policy({"Action": declared})
        )
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    environment = {
        "AWS_ENDPOINT_URL": lab.endpoint,
        "AWS_ACCESS_KEY_ID": hub.key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": hub.key.secret_access_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "VMEXPORT_ORGANIZATION": str(EXAMPLE),
        "VMEXPORT_CLOUDTRAIL_DIR": str(lab.directory),
        "VMEXPORT_S3_ACCESS_LOGS_DIR": str(lab.directory / "s3-access-logs"),
        "VMEXPORT_DRILL_CREDENTIALS": str(tmp_path / "drill.json"),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    forget_settings()
    yield roots
    forget_settings()


def drill(path: Path, *actors: As) -> None:
    """Write the credentials that a drill lets verification try."""
    path.write_text(json.dumps([
        {"access_key_id": a.key.access_key_id, "secret_access_key": a.key.secret_access_key, "session_token": a.key.session_token}
        for a in actors
    ]))  # fmt: skip
