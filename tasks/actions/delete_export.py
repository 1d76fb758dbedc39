"""`s3.delete-export`: remove every version of the exported image from where it was put.

Destructive, behind its own gate, and impossible without a verified copy: each version is hashed once more just before it
goes, and must be what the custody entry of its copy says; the copy must still lie there, locked. A plain delete only
adds a marker and keeps serving the versions, so everything goes by VersionId.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from decisions.evidence import Unknown
from decisions.export import ExportApi
from decisions.findings import Findings
from decisions.organization import Organization
from decisions.plan import ActionClass, PlannedAction
from decisions.receipt import Receipt, Verification
from decisions.resources import BucketState, ObjectVersion
from tasks.actions.base import Action, ActionRefused, Applied, Clients, State
from tasks.actions.evidence_copy import copied
from tasks.actions.object_copy import sha256_of
from tasks.actions.object_versions import etag_of, versions_of
from tasks.actions.settled import verification
from tasks.actions.suspects import exports_evidence

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

EXPORT_ID = re.compile(r"(export-i|export-ami|ami)-[0-9a-z]{8,17}")


class DeleteExport(Action):
    """Delete all versions and delete markers of one exported object."""

    kind = "s3.delete-export"
    action_class = ActionClass.DESTRUCTIVE
    gate = "destruction"
    order = 10
    step = "containment.1c"
    tier = "destructive"
    permissions = (
        "s3:ListBucketVersions",
        "s3:GetBucketVersioning",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
    )
    other_tiers = {"forensics": ("s3:GetObjectVersion", "s3:GetObjectRetention")}

    def plan(self, findings: Findings, organization: Organization, now: datetime) -> tuple[PlannedAction, ...]:
        planned: list[PlannedAction | None] = []
        for bucket, answer in findings.objects.items():
            state = findings.buckets.get(bucket)
            if isinstance(answer, Unknown) or state is None or isinstance(state, Unknown):
                continue
            if not organization.owns(state.value.account):
                continue
            by_key = sorted((v for v in answer.value if _of_an_export(v.key, bucket, findings)), key=lambda v: v.key)
            for _, versions in groupby(by_key, key=lambda v: v.key):
                planned.append(self._for_object(list(versions), state.value, findings))
        return tuple(a for a in planned if a is not None)

    def _for_object(
        self, versions: list[ObjectVersion], bucket: BucketState, findings: Findings
    ) -> PlannedAction | None:
        place, key = versions[0].bucket, versions[0].key
        copies = {v.version_id or "null": copied(findings, place, key, v.version_id) for v in _images(versions)}
        proofs = {version: receipt.custody for version, receipt in copies.items() if receipt and _proves(receipt)}
        if not copies or len(proofs) < len(copies):
            return None
        kept = ", ".join(f"{c['destination']}?versionId={c['destination_version']}" for c in proofs.values())
        spread = "Replication was on: replicas in other buckets stay. " if bucket.replication else ""
        return self.propose(
            target=f"{place}/{key}",
            account=bucket.account,
            region=bucket.region,
            reason=f"{len(versions)} version(s) of the image stay within reach of everybody who may read {place}",
            evidence=exports_evidence(findings),
            fact=f"the versions of s3://{place}/{key}",
            state={"versions": sorted((_seen(v) for v in versions), key=lambda v: v["version_id"])},
            after={"versions": []},
            inverse="CANNOT BE UNDONE: the versions and their dates are gone. The bytes are kept at "
            f"{kept}, and can be copied back by hand as a new object.",
            blast_radius=f"Nobody can read the image from {place} any more, its owners included. {spread}"
            "Other objects are not touched.",
            parameters={"bucket": place, "key": key, "copies": proofs},
            needs=tuple(receipt.action_id for receipt in copies.values() if receipt),
        )

    def read(self, aws: Clients, action: PlannedAction) -> State:
        found = versions_of(
            self._s3(aws, action), action.account, action.parameters["bucket"], action.parameters["key"]
        )
        seen = ({name: v[name] for name in ("version_id", "etag", "delete_marker")} for v in found)
        return {"versions": sorted(seen, key=lambda v: v["version_id"])}

    def reached(self, action: PlannedAction, state: State) -> bool:
        return not state["versions"]

    def apply(self, aws: Clients, action: PlannedAction, before: State) -> Applied:
        state = self.read(aws, action)
        unknown = [v["version_id"] for v in state["versions"] if v not in action.before["versions"]]
        if unknown:
            raise ActionRefused(
                f"{action.id}: version {', '.join(unknown)} is not in the plan, so no copy of it is proved. "
                "Nothing was deleted. Copy it first: propose containment again."
            )
        self._refuse_mfa_delete(aws, action)
        images = [v for v in state["versions"] if not v["delete_marker"]]
        for version in images:
            self._check_copy(aws, action, version)
        # Images first: without its marker an older version would be served again for a moment.
        markers = [v for v in state["versions"] if v["delete_marker"]]
        requests = tuple(self._delete(aws, action, v["version_id"]) for v in [*images, *markers])
        return Applied(changed=bool(requests), request_ids=requests)

    def verify(self, aws: Clients, action: PlannedAction) -> Verification:
        return verification([lambda: self._gone(aws, action)])

    def revert(self, aws: Clients, action: PlannedAction, receipt: Receipt) -> Verification:
        return Verification(verified=False, probes=(f"{action.id}: {action.inverse}",))

    def _check_copy(self, aws: Clients, action: PlannedAction, version: dict[str, Any]) -> None:
        """Raises ActionRefused unless source, custody entry and copy agree now."""
        bucket, key, name = action.parameters["bucket"], action.parameters["key"], version["version_id"]
        custody = action.parameters["copies"][name]
        now = sha256_of(self._s3(aws, action), action.account, bucket, key, name, version["etag"])
        if now != custody["sha256"]:
            raise ActionRefused(
                f"{action.id}: version {name} has SHA-256 {now}, its copy was made of {custody['sha256']}. Nothing was "
                "deleted: the copy does not prove this object. Copy it again, and find out who changed it."
            )
        store, _, path = custody["destination"].removeprefix("arn:aws:s3:::").partition("/")
        place = {"Bucket": store, "Key": path, "VersionId": custody["destination_version"]}
        owner = custody["destination_account"]
        forensics: S3Client = aws.client("s3", account=owner, tier="forensics")
        held: Any = forensics.get_object_retention(**place, ExpectedBucketOwner=owner)["Retention"]
        head: Any = forensics.head_object(**place, ExpectedBucketOwner=owner)
        if head["ContentLength"] != custody["size_bytes"] or held["RetainUntilDate"] <= datetime.now(UTC):
            raise ActionRefused(
                f"{action.id}: the copy {custody['destination']} is no longer whole and locked. Copy again."
            )

    def _refuse_mfa_delete(self, aws: Clients, action: PlannedAction) -> None:
        answer = self._s3(aws, action).get_bucket_versioning(
            Bucket=action.parameters["bucket"], ExpectedBucketOwner=action.account
        )
        if answer.get("MFADelete") == "Enabled":
            raise ActionRefused(
                f"{action.id}: the bucket has MFA Delete on, so only the root user of {action.account} with its MFA "
                "device can delete versions. Ask its owner, or leave the object locked."
            )

    def _delete(self, aws: Clients, action: PlannedAction, version_id: str) -> str:
        try:
            answer = self._s3(aws, action).delete_object(
                Bucket=action.parameters["bucket"],
                Key=action.parameters["key"],
                VersionId=version_id,
                ExpectedBucketOwner=action.account,
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "AccessDenied":
                raise
            raise ActionRefused(
                f"{action.id}: S3 refuses to delete version {version_id}: {error}. If Object Lock holds it, it stays "
                "until its retention ends; leave it locked."
            ) from error
        return answer["ResponseMetadata"]["RequestId"]

    def _gone(self, aws: Clients, action: PlannedAction) -> tuple[bool, str]:
        left = self.read(aws, action)["versions"]
        return not left, f"Listed again: {len(left)} version(s) of s3://{action.target} are left."

    def _s3(self, aws: Clients, action: PlannedAction) -> S3Client:
        return aws.client("s3", account=action.account, tier=self.tier, region=action.region)


def _of_an_export(key: str, bucket: str, findings: Findings) -> bool:
    """Whether the key is one that AWS gives to an export of the case: it ends with the id of the task, or of the stored image.

    What else an alert says of the key is the sender's word, and must not name somebody's database for deletion.
    """
    exports = [e for e in findings.exports if not isinstance(e.bucket, Unknown) and e.bucket.value == bucket]
    ids = {i for e in exports for i in (e.event.task_id, e.event.image_id if e.event.api is ExportApi.STORE else None)}
    ids |= {e.task.value.task_id for e in exports if not isinstance(e.task, Unknown)}
    return any(i and EXPORT_ID.fullmatch(i) and re.search(rf"{re.escape(i)}(\.\w+)?$", key) for i in ids)


def _images(versions: Iterable[ObjectVersion]) -> list[ObjectVersion]:
    return [v for v in versions if not v.delete_marker]


def _seen(version: ObjectVersion) -> dict[str, Any]:
    etag = "" if version.delete_marker else etag_of(version.etag)
    return {"version_id": version.version_id or "null", "etag": etag, "delete_marker": version.delete_marker}


def _proves(receipt: Receipt) -> bool:
    return bool(receipt.custody.get("sha256") and receipt.custody.get("destination_version"))


ACTION = DeleteExport()
