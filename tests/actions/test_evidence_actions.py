"""Copying the image to the forensics account and deleting the original, in the lab over HTTP."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import BotoCoreError
from botocore.response import StreamingBody

from decisions.plan import PlannedAction
from decisions.receipt import Receipt
from tasks.actions import object_copy
from tasks.actions.base import Action, ActionRefused
from tasks.actions.copy_export import CopyExport
from tasks.actions.delete_export import DeleteExport
from tasks.actions.lock_export import LockExport
from tests.actions.bucket_scenarios import IMAGE, KEY, Opened, evidence_bucket, found, opened
from tests.actions.given import (
    BUCKET,
    EVIDENCE_BUCKET,
    FORENSICS,
    PRODUCTION,
    Roles,
    organization,
    receipt,
)
from tests.lab.aws import code_of
from tests.lab.conftest import RunningLab

pytestmark = pytest.mark.lab

PARTS = {"copy_single_max_bytes": 100, "copy_part_bytes": 5 * 1024**2}
"""S3 takes no smaller parts, but for the last."""
LARGE = IMAGE * (11 * 1024**2 // len(IMAGE))
"""Three parts."""


@pytest.fixture
def world(lab: RunningLab, roots) -> Opened:
    evidence_bucket(roots)
    return opened(lab, roots)


def carry_out(
    roots, action: Action, found_, receipts: tuple[Receipt, ...] = (), **ours
) -> list[tuple[PlannedAction, Receipt]]:
    """Plan, apply and verify, with exactly the declared permissions; as `tasks/actions/run.py` does it."""
    done = []
    with_receipts = found_.model_copy(update={"receipts": receipts})
    for planned in action.plan(with_receipts, organization(**ours), datetime.now(UTC)):
        aws = Roles(roots, action)
        before = action.read(aws, planned)
        assert action.precondition(planned, before) == planned.preconditions[0].sha256
        applied = action.apply(aws, planned, before)
        verification = action.verify(aws, planned)
        after = action.read(aws, planned)
        done.append(
            (planned, receipt(planned, before, after, verification, custody=applied.custody, notes=applied.notes))
        )
    return done


def locked_and_copied(roots, **ours) -> list[tuple[PlannedAction, Receipt]]:
    carry_out(roots, LockExport(), found(roots))
    return carry_out(roots, CopyExport(), found(roots), **ours)


@pytest.mark.parametrize("ours", [{}, PARTS], ids=["whole", "in parts"])
def test_the_copy_is_exact_locked_and_proved(roots, world, ours):
    image = LARGE if ours else IMAGE
    world.put(image)
    ((planned, done),) = locked_and_copied(roots, **ours)
    assert done.verification.verified, done.verification.probes
    custody = done.custody
    assert custody["sha256"] == hashlib.sha256(image).hexdigest()
    assert custody["source"] == f"arn:aws:s3:::{BUCKET}/{KEY}"
    assert custody["by"].endswith("assumed-role/vmexport-forensics/case")
    assert custody["method"] == ("UploadPartCopy" if ours else "CopyObject")
    key = custody["destination"].removeprefix(f"arn:aws:s3:::{EVIDENCE_BUCKET}/")
    s3 = roots[FORENSICS].client("s3")
    place = {"Bucket": EVIDENCE_BUCKET, "Key": key, "VersionId": custody["destination_version"]}
    assert s3.get_object(**place)["Body"].read() == image
    kept = s3.get_object_retention(**place)["Retention"]
    assert kept["Mode"] == "GOVERNANCE"
    assert kept["RetainUntilDate"] > datetime.now(UTC) + timedelta(days=364)
    assert code_of(s3.delete_object, **place) == "AccessDenied"
    assert planned.id == f"forensics.copy-export:{BUCKET}/{KEY}@{custody['source_version']}"


def test_a_copy_that_was_cut_off_before_its_receipt_is_found_again_and_not_made_twice(roots, world, lab):
    ((planned, done),) = locked_and_copied(roots)
    again = CopyExport().apply(Roles(roots, CopyExport()), planned, done.before)
    assert not again.changed
    assert again.custody == done.custody
    copies = {e["requestID"] for e in lab.events() if e["eventName"] == "CopyObject"}
    stored = roots[FORENSICS].client("s3").list_object_versions(Bucket=EVIDENCE_BUCKET)["Versions"]
    assert len(stored) == 1
    assert len(copies) == 1


def test_a_connection_that_breaks_while_an_image_is_hashed_is_taken_up_where_it_broke(roots, world):
    """Hours of reading never go by without a break."""
    world.put(LARGE)
    s3 = roots[PRODUCTION].client("s3")
    breaks: list[int] = []

    def break_off(parsed, **_):
        body, left = parsed["Body"], parsed["ContentLength"]
        if len(breaks) < 2:
            breaks.append(left)
            parsed["Body"] = StreamingBody(io.BytesIO(body.read(left // 2)), left)

    s3.meta.events.register("after-call.s3.GetObject", break_off)
    (version,) = s3.list_object_versions(Bucket=BUCKET, Prefix=KEY)["Versions"]
    assert object_copy.sha256_of(s3, PRODUCTION, BUCKET, KEY, version["VersionId"]) == hashlib.sha256(LARGE).hexdigest()
    assert breaks == [len(LARGE), len(LARGE) - len(LARGE) // 2]


def test_a_connection_that_brings_nothing_ends_the_hashing(roots, world):
    s3 = roots[PRODUCTION].client("s3")
    s3.meta.events.register(
        "after-call.s3.GetObject",
        lambda parsed, **_: parsed.update(Body=StreamingBody(io.BytesIO(), parsed["ContentLength"])),
    )
    with pytest.raises(BotoCoreError):
        object_copy.sha256_of(
            s3, PRODUCTION, BUCKET, KEY, s3.list_object_versions(Bucket=BUCKET, Prefix=KEY)["Versions"][0]["VersionId"]
        )


def test_parts_that_a_killed_run_left_are_removed(roots, world):
    world.put(LARGE)
    carry_out(roots, LockExport(), found(roots))
    (planned,) = CopyExport().plan(found(roots), organization(**PARTS), datetime.now(UTC))
    s3 = roots[FORENSICS].client("s3")
    key = planned.parameters["destination"]["key"]
    s3.create_multipart_upload(Bucket=EVIDENCE_BUCKET, Key=key)
    ((_, done),) = carry_out(roots, CopyExport(), found(roots), **PARTS)
    assert "1 unfinished upload(s)" in done.notes[0]
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=EVIDENCE_BUCKET)


def test_an_upload_that_fails_leaves_no_parts_behind(roots, world, lab):
    carry_out(roots, LockExport(), found(roots))
    lab.add_fault(service="s3", operation="CompleteMultipartUpload", code="InternalError", status=500, times=50)
    with pytest.raises(Exception, match="InternalError"):
        carry_out(roots, CopyExport(), found(roots), **PARTS)
    assert "Uploads" not in roots[FORENSICS].client("s3").list_multipart_uploads(Bucket=EVIDENCE_BUCKET)


def test_a_source_that_became_another_object_is_not_copied(roots, world):
    carry_out(roots, LockExport(), found(roots))
    (planned,) = CopyExport().plan(found(roots), organization(), datetime.now(UTC))
    source = planned.parameters["source"] | {"etag": "0" * 32}
    other = planned.model_copy(update={"parameters": planned.parameters | {"source": source}})
    assert code_of(CopyExport().apply, Roles(roots, CopyExport()), other, {}) in {"412", "PreconditionFailed"}
    assert "Versions" not in roots[FORENSICS].client("s3").list_object_versions(Bucket=EVIDENCE_BUCKET)


def test_a_copy_that_is_gone_or_not_locked_is_not_verified(roots, world):
    ((planned, done),) = locked_and_copied(roots)
    s3, key = roots[FORENSICS].client("s3"), planned.parameters["destination"]["key"]
    place = {"Bucket": EVIDENCE_BUCKET, "Key": key, "VersionId": done.custody["destination_version"]}
    soon = {"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(minutes=5)}
    s3.put_object_retention(**place, Retention=soon, BypassGovernanceRetention=True)
    shortened = CopyExport().verify(Roles(roots, CopyExport()), planned)
    assert not shortened.verified
    assert "as planned" in shortened.probes[1]
    s3.delete_object(**place, BypassGovernanceRetention=True)
    assert not CopyExport().verify(Roles(roots, CopyExport()), planned).verified


def test_the_copier_reads_nothing_before_the_lock_lets_it_in(roots, world):
    carry_out(roots, LockExport(), found(roots))
    roots[PRODUCTION].client("s3").delete_bucket_policy(Bucket=BUCKET)
    (planned,) = CopyExport().plan(found(roots), organization(), datetime.now(UTC))
    assert planned.needs == (f"s3.lock-export:{BUCKET}",)
    aws = Roles(roots, CopyExport())
    assert code_of(CopyExport().apply, aws, planned, CopyExport().read(aws, planned)) == "AccessDenied"


def test_every_version_and_marker_is_gone_after_the_deletion_and_the_copies_stay(roots, world):
    world.root.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=b"a second export")
    world.root.client("s3").delete_object(Bucket=BUCKET, Key=KEY)
    copies = locked_and_copied(roots)
    assert len(copies) == 2
    ((planned, done),) = carry_out(roots, DeleteExport(), found(roots), tuple(r for _, r in copies))
    assert done.verification.verified, done.verification.probes
    assert len(planned.before["versions"]) == 3
    assert "Versions" not in world.root.client("s3").list_object_versions(Bucket=BUCKET, Prefix=KEY)
    assert len(roots[FORENSICS].client("s3").list_object_versions(Bucket=EVIDENCE_BUCKET)["Versions"]) == 2
    again = DeleteExport().apply(Roles(roots, DeleteExport()), planned, done.before)
    assert not again.changed
    back = DeleteExport().revert(Roles(roots, DeleteExport()), planned, done)
    assert not back.verified
    assert "CANNOT BE UNDONE" in back.probes[0]


def delete_plan(roots) -> PlannedAction:
    copies = tuple(r for _, r in locked_and_copied(roots))
    (planned,) = DeleteExport().plan(found(roots, receipts=copies), organization(), datetime.now(UTC))
    return planned


def test_an_image_that_is_not_what_was_copied_is_not_deleted(roots, world):
    planned = delete_plan(roots)
    ((version, custody),) = planned.parameters["copies"].items()
    copies = {version: custody | {"sha256": "0" * 64}}
    forged = planned.model_copy(update={"parameters": planned.parameters | {"copies": copies}})
    with pytest.raises(ActionRefused, match="does not prove this object"):
        DeleteExport().apply(Roles(roots, DeleteExport()), forged, {})
    assert world.root.client("s3").list_object_versions(Bucket=BUCKET, Prefix=KEY)["Versions"]


def test_without_its_copy_nothing_is_deleted(roots, world):
    planned = delete_plan(roots)
    ((_, custody),) = planned.parameters["copies"].items()
    key = custody["destination"].removeprefix(f"arn:aws:s3:::{EVIDENCE_BUCKET}/")
    roots[FORENSICS].client("s3").delete_object(
        Bucket=EVIDENCE_BUCKET, Key=key, VersionId=custody["destination_version"], BypassGovernanceRetention=True
    )
    assert code_of(DeleteExport().apply, Roles(roots, DeleteExport()), planned, {}) != "ok"
    assert world.root.client("s3").list_object_versions(Bucket=BUCKET, Prefix=KEY)["Versions"]


def test_a_version_that_came_after_the_plan_stops_the_deletion(roots, world):
    planned = delete_plan(roots)
    roots[PRODUCTION].client("s3").delete_bucket_policy(Bucket=BUCKET)
    world.root.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=b"another")
    aws = Roles(roots, DeleteExport())
    assert DeleteExport().precondition(planned, DeleteExport().read(aws, planned)) != planned.preconditions[0].sha256
    with pytest.raises(ActionRefused, match="is not in the plan"):
        DeleteExport().apply(aws, planned, {})


def test_an_object_written_before_versioning_is_copied_and_deleted_too(roots, lab):
    evidence_bucket(roots)
    world = opened(lab, roots)
    s3 = world.root.client("s3")
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"the null version")
    copies = locked_and_copied(roots)
    assert {r.custody["source_version"] for _, r in copies} >= {"null"}
    assert all(r.verification.verified for _, r in copies)
    ((_, done),) = carry_out(roots, DeleteExport(), found(roots), tuple(r for _, r in copies))
    assert done.verification.verified


def test_a_large_object_is_hashed_in_chunks_with_a_line_of_progress(roots, world, monkeypatch, caplog):
    monkeypatch.setattr(object_copy, "CHUNK_BYTES", 64)
    monkeypatch.setattr(object_copy, "PROGRESS_SECONDS", 0)
    with caplog.at_level("INFO", logger="tasks.actions.object_copy"):
        locked_and_copied(roots)
    assert sum("MiB" in line for line in caplog.messages) > 10
