"""The organisation that stories happen in: four accounts and a stranger, their people, machines, buckets and logs."""

from __future__ import annotations

import json
import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

from lab import caller as callers
from lab import clock, credentials, organization_restore, s3_acl, s3_state, vm_export_checks, vm_export_tasks
from lab.organization_principals import (
    ACCOUNTS,
    DEVELOPMENT,
    FORENSICS,
    HUB,
    MANAGEMENT,
    PRODUCTION,
    Principal,
    allow,
    document,
    everybody,
)

REGION = "us-east-1"
AGE = timedelta(days=100)
"""How long everything has been there."""
ORGANIZATION = Path(__file__).with_name("organization.toml")
EVIDENCE, TRAIL_BUCKET, APPROVED = "example-forensics-evidence", "example-organization-trail", "example-vm-exports"
TRAIL = "organization-trail"
AMI = "ami-0abcdef1234567890"
MACHINES: dict[str, tuple[str, str | None, dict[str, str]]] = {
    "payments-database": (PRODUCTION, "payments-database", {
        "Purpose": "payments database", "Owner": "payments-team@example.com", "SlackChannel": "#payments",
        "DataClassification": "restricted",
    }),
    "payments-api": (PRODUCTION, None, {
        "Purpose": "payments API", "Owner": "payments-team@example.com", "SlackChannel": "#payments",
        "DataClassification": "confidential",
    }),
    "build-agent": (DEVELOPMENT, None, {
        "Purpose": "build agent without data of its own", "Owner": "developer-tools@example.com",
        "SlackChannel": "#developer-tools", "DataClassification": "public",
    }),
}  # fmt: skip
"""Name -> account, role of the instance profile, tags."""

Made = dict[str, Any]


def seed(directory: Path | None) -> Made:
    """Make the organisation, or put what a story has changed back as it was; answers accounts, machines and credentials.

    With a directory, writes DIR/credentials.json (0600) and DIR/organization.toml there.
    """
    if _organizations().org is None:
        before = clock.offset()
        clock.shift(-AGE)
        try:
            _make()
        finally:
            clock.set_offset(before)
    organization_restore.put_back(MANAGEMENT, [*ACCOUNTS, MANAGEMENT])
    made = described()
    if directory is not None:
        _write(directory, made)
    return made


def stage(directory: Path | None, *, image_bytes: int, export_minutes: float, data_events: bool) -> Made:
    """Seed or put back, then set what the next story asks for; answers what `seed` does."""
    made = seed(directory)
    for account in ACCOUNTS:
        vm_export_tasks.configure(account, REGION, image_bytes, export_minutes)
    _select_data_events(data_events)
    return made


def described() -> Made:
    """What there is: credentials of hub and story people, instance ids by name, the organisation's id."""
    keys = {p.name: _key(p) for p in everybody() if p.keyed}
    return {
        "organization": _organizations().org.id,
        "hub": keys.pop(HUB),
        "stories": keys,
        "machines": {name: _machine(name).id for name in MACHINES},
        "region": REGION,
    }


def _key(person: Principal) -> dict[str, str]:
    key = credentials.iam(person.account).users[person.name].access_keys[0]
    return {"account": person.account, "access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}


def _write(directory: Path, made: Made) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ORGANIZATION, directory / "organization.toml")
    path = directory / "credentials.json"
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(made, file, indent=1)
    part.chmod(0o600)
    part.replace(path)


# ---- making it


def _make() -> None:
    _make_organization()
    for principal in everybody():
        _make_principal(principal)
    for name, (account, role, tags) in MACHINES.items():
        _make_machine(name, account, role, tags)
    _make_evidence_bucket()
    _make_approved_bucket()
    _make_trail()


def _organizations() -> Any:
    from moto.organizations.models import organizations_backends

    return organizations_backends[MANAGEMENT][credentials.PARTITION]


def _make_organization() -> None:
    """moto draws the ids; here they are given, so that organization.toml can name them."""
    import tomllib

    from moto.organizations import utils

    from lab.install import replace

    organization_restore.forget_members_with_a_reset()
    backend = _organizations()
    wanted = tomllib.loads(ORGANIZATION.read_text(encoding="utf-8"))["id"]
    draw = replace(utils, "make_random_org_id", lambda: wanted)
    try:
        backend.create_organization(REGION, FeatureSet="ALL")
    finally:
        replace(utils, "make_random_org_id", draw)
    for account, name in ACCOUNTS.items():
        draw = replace(utils, "make_random_account_id", lambda account=account: account)
        try:
            backend.create_account(AccountName=name, Email=f"aws-{name}@example.com")
        finally:
            replace(utils, "make_random_account_id", draw)


def _make_principal(person: Principal) -> None:
    backend = credentials.iam(person.account)
    tags = [{"Key": key, "Value": value} for key, value in person.tags.items()]
    if person.trust is None:
        backend.create_user(REGION, person.name, tags=tags)
        for name, text in person.policies.items():
            backend.put_user_policy(person.name, name, text)
        if person.keyed:
            backend.create_access_key(person.name)
        return
    backend.create_role(person.name, person.trust, "/", None, "", tags, "43200")
    for name, text in person.policies.items():
        backend.put_role_policy(person.name, name, text)


def _make_machine(name: str, account: str, role: str | None, tags: dict[str, str]) -> None:
    from moto.ec2.models import ec2_backends

    backend = ec2_backends[account][REGION]
    made = backend.run_instances(
        AMI, 1, None, [], instance_type="t3.medium", is_instance_type_default=False, placement=None,
        region_name=REGION, tags={"instance": {"Name": name, **tags}}, nics=[],
        block_device_mappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 30, "VolumeType": "gp3"}}],
    )  # fmt: skip
    if role is not None:
        profiles = credentials.iam(account)
        profiles.create_instance_profile(role, "/", [])
        profiles.add_role_to_instance_profile(role, role)
        backend.associate_iam_instance_profile(made.instances[0].id, iam_instance_profile_name=role)


def _machine(name: str) -> Any:
    from moto.ec2.models import ec2_backends

    instances = ec2_backends[MACHINES[name][0]][REGION].all_instances()
    return next(i for i in instances if any(t["key"] == "Name" and t["value"] == name for t in i.get_tags()))


def _make_bucket(account: str, name: str, policy: str | None = None) -> Any:
    from moto.s3.models import s3_backends

    bucket = s3_backends[account][credentials.PARTITION].create_bucket(name, REGION)
    s3_state.harden(bucket)
    bucket.policy = None if policy is None else policy.encode()
    return bucket


def _make_evidence_bucket() -> None:
    bucket = _make_bucket(FORENSICS, EVIDENCE)
    bucket.versioning_status, bucket.object_lock_enabled = "Enabled", True


def _make_approved_bucket() -> None:
    """Where migrations go: the export service of the Region may write, and nobody outside may read."""
    bucket = _make_bucket(DEVELOPMENT, APPROVED)
    bucket.ownership_rule, bucket.versioning_status = s3_state.PREFERRED, "Enabled"
    service = str(vm_export_checks.service_account(REGION).canonical_id)
    owner = callers.canonical_id(DEVELOPMENT)
    grants = (*s3_acl.private(owner), s3_acl.Grant(service, "WRITE"), s3_acl.Grant(service, "READ_ACP"))
    bucket.set_acl(s3_acl.kept(grants))


def _make_trail() -> None:
    """The organisation's trail, in every Region, with the reads and writes of all objects but its own."""
    from moto.cloudtrail.models import cloudtrail_backends

    service = {"Principal": {"Service": "cloudtrail.amazonaws.com"}}
    bucket = f"arn:aws:s3:::{TRAIL_BUCKET}"
    check = {**allow("s3:GetBucketAcl", resource=bucket, sid="AclCheck"), **service}
    write = {**allow("s3:PutObject", resource=f"{bucket}/AWSLogs/*", sid="Write"), **service}
    _make_bucket(MANAGEMENT, TRAIL_BUCKET, document(check, write))
    backend = cloudtrail_backends[MANAGEMENT][REGION]
    backend.create_trail(
        TRAIL, TRAIL_BUCKET, "", "", is_global=True, is_multi_region=True, log_validation=True, is_org_trail=True,
        cw_log_group_arn="", cw_role_arn="", kms_key_id="", tags_list=[],
    )  # fmt: skip
    backend.start_logging(TRAIL)
    _select_data_events(True)


def _select_data_events(on: bool) -> None:
    from moto.cloudtrail.models import cloudtrail_backends

    objects = [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}] if on else []
    selector = {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": objects}
    cloudtrail_backends[MANAGEMENT][REGION].put_event_selectors(TRAIL, [selector], [])
