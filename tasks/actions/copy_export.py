"""`forensics.copy-export`: an exact, locked copy of the exported image in the forensics account.

Runs as the forensics role, which may read the locked bucket and write the evidence bucket and nothing else. What proves
the copy travels with it as object metadata, so that a run that was cut off finds its own work again. The source is
looked up by the read role of its account: before the lock lets it in, the forensics role sees nothing there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from decisions.evidence import Unknown, utc
from decisions.findings import Findings
from decisions.organization import Organization
from decisions.plan import COPY_KIND, ActionClass, PlannedAction
from decisions.receipt import Receipt, Verification
from decisions.resources import BucketState, ObjectVersion
from tasks.actions.base import Action, ActionRefused, Applied, Clients, State
from tasks.actions.evidence_copy import copied, custody, destination_key, find_copy, proof, source_name
from tasks.actions.lock_export import LockExport
from tasks.actions.object_copy import Destination, Source, abort_left_over, copy_in_parts, copy_whole, sha256_of
from tasks.actions.object_versions import etag_of, versions_of
from tasks.actions.suspects import exports_evidence

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


class CopyExport(Action):
    """Copy one version of an exported image, hash both ends, lock the copy, and say so in a custody entry."""

    kind = COPY_KIND
    action_class = ActionClass.PREVENTIVE
    gate = "containment"
    order = 40
    step = "containment.1b"
    tier = "forensics"
    permissions = (
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:ListBucketVersions",
        "s3:PutObject",
        "s3:PutObjectRetention",
        "s3:GetObjectRetention",
        "s3:ListBucketMultipartUploads",
        "s3:AbortMultipartUpload",
    )
    other_tiers = {"read": ("s3:ListBucketVersions",)}

    def plan(self, findings: Findings, organization: Organization, now: datetime) -> tuple[PlannedAction, ...]:
        planned: list[PlannedAction] = []
        locks = LockExport().plan(findings, organization, now)
        for bucket, answer in findings.objects.items():
            state = findings.buckets.get(bucket)
            if isinstance(answer, Unknown) or state is None or isinstance(state, Unknown):
                continue
            if not organization.owns(state.value.account):
                continue
            versions = (v for v in answer.value if not v.delete_marker)
            new = [v for v in versions if copied(findings, bucket, v.key, v.version_id) is None]
            planned += [self._for_version(v, state.value, locks, findings, organization, now) for v in new]
        return tuple(planned)

    def _for_version(
        self,
        version: ObjectVersion,
        bucket: BucketState,
        locks: Sequence[PlannedAction],
        findings: Findings,
        organization: Organization,
        now: datetime,
    ) -> PlannedAction:
        source = Source(
            account=bucket.account,
            bucket=version.bucket,
            key=version.key,
            version_id=version.version_id or "null",
            etag=etag_of(version.etag),
            size_bytes=version.size_bytes,
        )
        to = Destination(
            account=organization.forensics_account,
            bucket=organization.forensics_bucket,
            key=destination_key(findings.case_id, source),
            lock_mode=organization.copy_lock_mode,
            retain_until=(now + organization.copy_retention).replace(microsecond=0),
        )
        forensics = organization.account(organization.forensics_account)
        seen = {"etag": source.etag, "size_bytes": source.size_bytes}
        until = utc(to.retain_until)
        return self.propose(
            target=source_name(version.bucket, version.key, version.version_id),
            account=organization.forensics_account,
            region=forensics.region if forensics else organization.home_region,
            reason=f"the image of {version.size_bytes} bytes is the evidence, and proves what was taken",
            evidence=exports_evidence(findings),
            fact=f"version {version.version_id or 'null'} of s3://{version.bucket}/{version.key}",
            state={"source": seen, "copy": None},
            after={
                "source": seen,
                "copy": {"bucket": to.bucket, "key": to.key, "lock": f"{to.lock_mode} until {until}"},
            },
            inverse=f"A locked copy cannot be removed before {until}; the original is not touched.",
            blast_radius="Nobody is affected: the original stays. The copy is stored, and paid for, for "
            f"{organization.copy_retention.days} days.",
            parameters={
                "source": source.model_dump(mode="json"),
                "source_region": bucket.region,
                "destination": to.model_dump(mode="json"),
                "case": findings.case_id,
                "part_bytes": organization.copy_part_bytes,
                "single_max_bytes": organization.copy_single_max_bytes,
            },
            needs=tuple(lock.id for lock in locks if lock.target == bucket.bucket),  # it lets us read across accounts
        )

    def relevant(self, action: PlannedAction, state: State) -> Any:
        return state["source"]

    def read(self, aws: Clients, action: PlannedAction) -> State:
        source = Source.model_validate(action.parameters["source"])
        region = action.parameters["source_region"]
        look: S3Client = aws.client("s3", account=source.account, tier="read", region=region)
        versions = versions_of(look, source.account, source.bucket, source.key)
        seen = next((v for v in versions if v["version_id"] == source.version_id), None)
        return {
            "source": {"etag": seen["etag"], "size_bytes": seen["size_bytes"]} if seen else None,
            "copy": self._copy(aws, action),
        }

    def reached(self, action: PlannedAction, state: State) -> bool:
        return state["copy"] is not None

    def apply(self, aws: Clients, action: PlannedAction, before: State) -> Applied:
        source = Source.model_validate(action.parameters["source"])
        to = Destination.model_validate(action.parameters["destination"])
        if found := self._copy(aws, action):
            return Applied(changed=False, notes=("It was copied already.",), custody=custody(source, to, found))
        s3 = self._s3(aws, action)
        stale = abort_left_over(s3, to)
        near: S3Client = aws.client("s3", account=to.account, tier=self.tier, region=action.parameters["source_region"])
        sha256 = sha256_of(near, source.account, source.bucket, source.key, source.version_id, source.etag)
        whole = source.size_bytes <= action.parameters["single_max_bytes"]
        by = aws.client("sts", account=action.account, tier=self.tier).get_caller_identity()["Arn"]
        metadata = proof(action.parameters["case"], source, sha256, by, "CopyObject" if whole else "UploadPartCopy")
        if whole:
            request = copy_whole(s3, source, to, metadata)
        else:
            request = copy_in_parts(s3, source, to, metadata, action.parameters["part_bytes"])
        found = self._copy(aws, action)
        if found is None:
            raise ActionRefused(f"{action.id}: S3 took the copy, but does not list it. Apply again.")
        notes = (f"{stale} unfinished upload(s) of an earlier run were removed.",) if stale else ()
        return Applied(changed=True, request_ids=(request,), notes=notes, custody=custody(source, to, found))

    def verify(self, aws: Clients, action: PlannedAction) -> Verification:
        to = Destination.model_validate(action.parameters["destination"])
        found = self._copy(aws, action)
        if found is None:
            return Verification(verified=False, probes=(f"No copy of {action.target} lies in {to.bucket}/{to.key}.",))
        sha256 = sha256_of(self._s3(aws, action), to.account, to.bucket, to.key, found["version_id"])
        equal = sha256 == found["sha256"]
        until = datetime.fromisoformat(found["retain_until"]) if found["retain_until"] else None
        locked = found["lock_mode"] == to.lock_mode and until is not None and until >= to.retain_until
        return Verification(
            verified=equal and locked,
            probes=(
                f"Copy read back: SHA-256 {sha256} {'equals' if equal else 'is NOT'} the source's {found['sha256']}.",
                f"GetObjectRetention of the copy: {found['lock_mode']} until {found['retain_until']}"
                f"{'' if locked else f', NOT {to.lock_mode} until {utc(to.retain_until)} as planned'}.",
            ),
        )

    def revert(self, aws: Clients, action: PlannedAction, receipt: Receipt) -> Verification:
        return Verification(verified=False, probes=(f"{action.id} is not taken back: {action.inverse}",))

    def _copy(self, aws: Clients, action: PlannedAction) -> State | None:
        source = Source.model_validate(action.parameters["source"])
        to = Destination.model_validate(action.parameters["destination"])
        return find_copy(self._s3(aws, action), action.parameters["case"], source, to)

    def _s3(self, aws: Clients, action: PlannedAction) -> S3Client:
        return aws.client("s3", account=action.account, tier=self.tier, region=action.region)


ACTION = CopyExport()
