"""A bucket in the lab that was opened for an export, with the image in it, and what people did to it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.error import HTTPError

from decisions.findings import Findings
from decisions.vm_export_grantees import export_service_id
from tasks import s3 as reads
from tasks.actions.bucket_settings import write_settings
from tasks.actions.deny_export_writes import DenyExportWrites
from tasks.actions.lock_export import LockExport
from tasks.actions.remove_export_grant import RemoveExportGrant
from tests.actions.given import (
    BUCKET,
    EVIDENCE_BUCKET,
    FORENSICS,
    PRODUCTION,
    REGION,
    AsRoot,
    Roles,
    event,
    facts,
    findings,
    known,
    organization,
    responder,
)
from tests.actions.scenario import Scenario
from tests.lab.aws import ADMIN, As, code_of

DEAD = {
    "Sid": "Left",
    "Effect": "Allow",
    "Principal": {"AWS": "AIDAEXAMPLEUSERID1234"},
    "Action": "s3:GetObject",
    "Resource": f"arn:aws:s3:::{BUCKET}/*",
}
"""What S3 shows of a statement for a user who was deleted since; it takes no policy that names one."""
KEY = "vms/export-i-0123456789abcdef0.ova"
IMAGE = b"a virtual machine's disk, " * 40
SERVICE = export_service_id(REGION)
OPEN = {
    "Sid": "World",
    "Effect": "Allow",
    "Principal": "*",
    "Action": "s3:GetObject",
    "Resource": f"arn:aws:s3:::{BUCKET}/*",
}
GRANT = {
    "Sid": "VmImport",
    "Effect": "Allow",
    "Principal": {"CanonicalUser": SERVICE},
    "Action": ["s3:GetBucketAcl", "s3:PutObject"],
    "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
}


@dataclass
class Opened:
    """The bucket's account, an attacker who is an administrator there, and an endpoint for anonymous requests."""

    root: As
    mallory: As
    endpoint: str

    def put(self, image: bytes) -> None:
        """Replace the image, so that there is one version of it."""
        s3 = self.root.client("s3")
        for version in s3.list_object_versions(Bucket=BUCKET, Prefix=KEY)["Versions"]:
            s3.delete_object(Bucket=BUCKET, Key=KEY, VersionId=version["VersionId"])
        s3.put_object(Bucket=BUCKET, Key=KEY, Body=image)

    def anonymous(self, key: str = KEY) -> str:
        try:
            with urllib.request.urlopen(f"{self.endpoint}/{BUCKET}/{key}", timeout=10) as answer:
                return "ok" if answer.status == 200 else str(answer.status)
        except HTTPError as error:
            return str(error.code)

    def presigned(self) -> Callable[[], str]:
        """A URL signed before anything was done."""
        place = {"Bucket": BUCKET, "Key": KEY}
        url = self.mallory.client("s3").generate_presigned_url("get_object", Params=place, ExpiresIn=3600)

        def use() -> str:
            try:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    return "ok" if answer.status == 200 else str(answer.status)
            except HTTPError as error:
                return str(error.code)

        return use

    def writes_as_service(self) -> str:
        """What S3 answers to whoever the grant is for: asked of the policy, as nobody can sign for AWS."""
        s3 = self.root.client("s3")
        text = (
            s3.get_bucket_policy(Bucket=BUCKET)["Policy"]
            if code_of(s3.get_bucket_policy, Bucket=BUCKET) == "ok"
            else ""
        )
        acl = json.dumps(s3.get_bucket_acl(Bucket=BUCKET)["Grants"])
        return "ok" if SERVICE in text + acl else "AccessDenied"


def opened(lab, roots) -> Opened:
    """World-readable, writable for the export service by policy and ACL, with the image and another object in it."""
    root = roots[PRODUCTION]
    s3 = root.client("s3")
    s3.create_bucket(Bucket=BUCKET, ObjectOwnership="BucketOwnerPreferred")
    s3.delete_public_access_block(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    owner = s3.get_bucket_acl(Bucket=BUCKET)["Owner"]["ID"]
    grants = [(owner, "FULL_CONTROL"), (SERVICE, "WRITE"), (SERVICE, "READ_ACP")]
    s3.put_bucket_acl(
        Bucket=BUCKET,
        AccessControlPolicy={
            "Owner": {"ID": owner},
            "Grants": [{"Grantee": {"Type": "CanonicalUser", "ID": i}, "Permission": p} for i, p in grants],
        },
    )
    text = json.dumps({"Version": "2012-10-17", "Statement": [OPEN, GRANT]}, indent=1)
    s3.put_bucket_policy(Bucket=BUCKET, Policy=text)
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=IMAGE)
    s3.put_object(Bucket=BUCKET, Key="reports/2026.csv", Body=b"1,2")
    for account in (PRODUCTION, FORENSICS):
        for tier in ("read", "respond", "destructive", "forensics"):
            responder(roots[account], account, tier)
    return Opened(root, root.user("mallory", json.dumps(ADMIN)), lab.endpoint)


def evidence_bucket(roots) -> None:
    """The forensics account's store: versioned, with Object Lock."""
    s3 = roots[FORENSICS].client("s3")
    s3.create_bucket(Bucket=EVIDENCE_BUCKET, ObjectLockEnabledForBucket=True)


def found(roots, **change) -> Findings:
    """As the investigation reads it."""
    as_root = AsRoot(roots)
    state = reads.bucket.plain(as_root, PRODUCTION, REGION, BUCKET)
    versions = reads.object_versions.plain(as_root, PRODUCTION, REGION, BUCKET, KEY, False)
    export = facts(event=event(object_key=KEY), key=known(KEY))
    given = {"exports": (export,), "buckets": {BUCKET: known(state)}, "objects": {BUCKET: known(versions)}}
    return findings(**(given | change))


def restore(roots, wanted) -> None:
    """Somebody puts the bucket back as it was, behind our back: the root user, whom no deny keeps from the policy."""
    s3 = roots[PRODUCTION].client("s3")
    s3.delete_bucket_policy(Bucket=BUCKET)
    current = dict.fromkeys(wanted, "something else")
    order = ("public_access_block", "ownership", "acl", "policy")
    write_settings(s3, BUCKET, PRODUCTION, current, wanted, tuple(part for part in order if part in wanted))


def scenario_of(action, lab, roots, world: Opened, *attempts) -> Scenario:
    (planned,) = action.plan(found(roots), organization(), datetime.now(UTC))
    before = planned.before
    return Scenario(lab, Roles(roots, action), action, planned, attempts=attempts, undo=lambda: restore(roots, before))


def lock(lab, roots) -> Scenario:
    world = opened(lab, roots)
    return scenario_of(
        LockExport(),
        lab,
        roots,
        world,
        lambda: code_of(world.mallory.client("s3").get_object, Bucket=BUCKET, Key=KEY),
        world.anonymous,
        world.presigned(),
        lambda: code_of(
            world.mallory.client("s3").put_bucket_versioning,
            Bucket=BUCKET,
            VersioningConfiguration={"Status": "Enabled"},
        ),
    )


def remove_grant(lab, roots) -> Scenario:
    world = opened(lab, roots)
    return scenario_of(RemoveExportGrant(), lab, roots, world, world.writes_as_service)


def deny_writes(lab, roots) -> Scenario:
    world = opened(lab, roots)
    return scenario_of(DenyExportWrites(), lab, roots, world)


ALL = (lock, remove_grant, deny_writes)
