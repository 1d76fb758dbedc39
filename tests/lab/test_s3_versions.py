"""What is kept of objects in the lab as S3 keeps it: Object Lock, copies, versions."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from tests.lab.aws import FOREIGN, code_of, policy
from tests.lab.exports_bucket import BOTH, BUCKET, KEY, let_in, s3, stranger

__all__ = ["s3", "stranger"]


class TestObjectLock:
    @pytest.fixture
    def evidence(self, root, s3):
        s3.create_bucket(Bucket="example-evidence", ObjectLockEnabledForBucket=True)
        return {"Bucket": "example-evidence", "Key": "copy"}

    def test_a_copy_and_an_upload_in_parts_keep_the_lock_that_was_asked_for(self, s3, evidence):
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
        lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
        s3.copy_object(**evidence, CopySource={"Bucket": BUCKET, "Key": KEY}, **lock)
        upload = s3.create_multipart_upload(Bucket="example-evidence", Key="parts", **lock)["UploadId"]
        part = {"Bucket": "example-evidence", "Key": "parts", "UploadId": upload}
        tag = s3.upload_part_copy(
            **part, PartNumber=1, CopySource={"Bucket": BUCKET, "Key": KEY}, CopySourceRange="bytes=0-9"
        )
        s3.complete_multipart_upload(
            **part, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag["CopyPartResult"]["ETag"]}]}
        )
        for key in ("copy", "parts"):
            asked = {"Bucket": "example-evidence", "Key": key}
            assert s3.get_object_retention(**asked)["Retention"] == {"Mode": "GOVERNANCE", "RetainUntilDate": until}
            version = s3.head_object(**asked)["VersionId"]
            assert code_of(s3.delete_object, **asked, VersionId=version) == "AccessDenied"
            assert code_of(s3.delete_object, **asked, VersionId=version, BypassGovernanceRetention=True) == "ok"

    def test_the_default_retention_holds_for_copies_too_and_may_be_set_on_a_bucket_in_use(self, s3, evidence):
        s3.put_object(**evidence, Body=b"before")
        s3.put_object_lock_configuration(
            Bucket="example-evidence",
            ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}},
        )  # fmt: skip
        s3.copy_object(**evidence, CopySource={"Bucket": BUCKET, "Key": KEY})
        version = s3.head_object(**evidence)
        assert version["ObjectLockMode"] == "COMPLIANCE"
        asked = {**evidence, "VersionId": version["VersionId"]}
        assert code_of(s3.delete_object, **asked, BypassGovernanceRetention=True) == "AccessDenied"
        failed = s3.delete_objects(
            Bucket="example-evidence", Delete={"Objects": [{"Key": "copy", "VersionId": version["VersionId"]}]}
        )
        assert failed["Errors"][0]["Code"] == "AccessDenied"

    def test_compliance_only_grows(self, s3, evidence):
        def retain(mode, days, **more):
            until = datetime.now(UTC) + timedelta(days=days)
            return code_of(
                s3.put_object_retention, **evidence, Retention={"Mode": mode, "RetainUntilDate": until}, **more
            )

        s3.put_object(**evidence, Body=b"x")
        assert code_of(s3.get_object_retention, **evidence) == "NoSuchObjectLockConfiguration"
        assert retain("COMPLIANCE", -1) == "InvalidArgument"
        assert retain("GOVERNANCE", 10) == "ok"
        assert retain("GOVERNANCE", 5) == "AccessDenied"
        assert retain("GOVERNANCE", 5, BypassGovernanceRetention=True) == "ok"
        assert retain("COMPLIANCE", 10) == "ok"
        assert retain("COMPLIANCE", 5, BypassGovernanceRetention=True) == "AccessDenied"
        assert retain("GOVERNANCE", 20, BypassGovernanceRetention=True) == "AccessDenied"
        assert retain("COMPLIANCE", 20) == "ok"

    def test_a_lock_needs_its_own_permission_and_a_bucket_that_knows_locks(self, root, s3, evidence):
        until = datetime.now(UTC) + timedelta(days=30)
        lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
        writer = root.user("writer", policy({"Action": "s3:PutObject"})).client("s3")
        assert code_of(writer.put_object, **evidence, Body=b"x", **lock) == "AccessDenied"
        assert code_of(writer.put_object, **evidence, Body=b"x") == "ok"
        assert code_of(s3.put_object, Bucket=BUCKET, Key="x", Body=b"x", **lock) == "InvalidRequest"


class TestCopies:
    def test_a_source_that_changed_is_not_copied(self, s3):
        asked = {"Bucket": BUCKET, "Key": "copy", "CopySource": {"Bucket": BUCKET, "Key": KEY}}
        etag = s3.head_object(Bucket=BUCKET, Key=KEY)["ETag"]
        assert code_of(s3.copy_object, **asked, CopySourceIfMatch=etag) == "ok"
        s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"another disk")
        assert code_of(s3.copy_object, **asked, CopySourceIfMatch=etag) == "PreconditionFailed"
        upload = s3.create_multipart_upload(Bucket=BUCKET, Key="copy")["UploadId"]
        part = {**asked, "UploadId": upload, "PartNumber": 1}
        assert code_of(s3.upload_part_copy, **part, CopySourceIfMatch=etag) == "PreconditionFailed"
        assert code_of(s3.upload_part_copy, **part, CopySourceRange="bytes=0-12") == "InvalidArgument"
        assert code_of(s3.upload_part_copy, **part, CopySourceRange="bytes=0-11") == "ok"
        assert code_of(s3.upload_part_copy, **{**part, "UploadId": "none"}) == "NoSuchUpload"
        assert code_of(s3.copy_object, **{**asked, "CopySource": {"Bucket": BUCKET, "Key": "none"}}) == "NoSuchKey"

    def test_reading_the_source_needs_permission(self, root, s3, stranger):
        theirs = stranger.client("s3")
        theirs.create_bucket(Bucket="example-theirs")
        asked = {"Bucket": "example-theirs", "Key": "loot", "CopySource": {"Bucket": BUCKET, "Key": KEY}}
        assert code_of(theirs.copy_object, **asked) == "AccessDenied"
        let_in(s3, FOREIGN)
        assert code_of(theirs.copy_object, **asked) == "ok"
        assert theirs.get_object(Bucket="example-theirs", Key="loot")["Body"].read() == b"disk image"

    def test_a_large_object_is_copied_in_parts_of_five_mebibytes(self, s3):
        body = bytes(range(256)) * 4096 * 6
        s3.put_object(Bucket=BUCKET, Key="large", Body=body)
        asked = {"Bucket": BUCKET, "Key": "copy"}
        upload = s3.create_multipart_upload(**asked)["UploadId"]
        size, parts = 5 * 1024 * 1024, []
        for number, start in enumerate(range(0, len(body), size), 1):
            made = s3.upload_part_copy(
                **asked, UploadId=upload, PartNumber=number, CopySource={"Bucket": BUCKET, "Key": "large"},
                CopySourceRange=f"bytes={start}-{min(start + size, len(body)) - 1}",
            )  # fmt: skip
            parts.append({"PartNumber": number, "ETag": made["CopyPartResult"]["ETag"]})
        s3.complete_multipart_upload(**asked, UploadId=upload, MultipartUpload={"Parts": parts})
        copy = s3.get_object(**asked)
        assert copy["ETag"].endswith('-2"')
        assert hashlib.sha256(copy["Body"].read()).digest() == hashlib.sha256(body).digest()

    def test_a_wrong_checksum_is_a_bad_digest(self, s3):
        wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
        right = base64.b64encode(hashlib.sha256(b"bytes").digest()).decode()
        asked = {"Bucket": BUCKET, "Key": "k", "Body": b"bytes"}
        assert code_of(s3.put_object, **asked, ChecksumSHA256=wrong) == "BadDigest"
        assert code_of(s3.put_object, **asked, ChecksumSHA256=right) == "ok"
        assert (
            code_of(s3.put_object, **asked, ContentMD5=base64.b64encode(hashlib.md5(b"other").digest()).decode())
            == "BadDigest"
        )


class TestVersions:
    def test_a_plain_delete_hides_and_a_delete_by_version_removes(self, s3):
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        second = s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"second")["VersionId"]
        marker = s3.delete_object(Bucket=BUCKET, Key=KEY)
        assert marker["DeleteMarker"] is True
        assert code_of(s3.get_object, Bucket=BUCKET, Key=KEY) == "NoSuchKey"
        assert s3.get_object(Bucket=BUCKET, Key=KEY, VersionId=second)["Body"].read() == b"second"
        listed = s3.list_object_versions(Bucket=BUCKET)
        ids = [v["VersionId"] for v in (*listed["Versions"], *listed["DeleteMarkers"])]
        assert sorted(ids) == sorted(["null", second, marker["VersionId"]])
        gone = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": KEY, "VersionId": i} for i in ids]})
        assert len(gone["Deleted"]) == 3
        assert "Versions" not in s3.list_object_versions(Bucket=BUCKET)

    def test_the_version_null_can_be_named_where_versioning_never_was(self, s3):
        asked = {"Bucket": BUCKET, "Key": KEY, "VersionId": "null"}
        assert s3.head_object(**asked)["ContentLength"] == 10
        assert s3.get_object(**asked)["Body"].read() == b"disk image"
        assert code_of(s3.copy_object, Bucket=BUCKET, Key="copy", CopySource=asked) == "ok"
        assert code_of(s3.delete_object, **asked) == "ok"
        assert code_of(s3.head_object, **asked) == "404"

    def test_suspended_versioning_keeps_what_was_there(self, s3):
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        old = s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"old")["VersionId"]
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
        s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"new")
        assert {v["VersionId"] for v in s3.list_object_versions(Bucket=BUCKET)["Versions"]} == {"null", old}
        s3.delete_object(Bucket=BUCKET, Key=KEY)
        assert s3.get_object(Bucket=BUCKET, Key=KEY, VersionId=old)["Body"].read() == b"old"

    def test_each_object_of_a_batch_is_judged_by_itself(self, root, s3):
        s3.put_object(Bucket=BUCKET, Key="free", Body=b"x")
        some = root.user("some", policy({"Action": "s3:DeleteObject", "Resource": f"{BOTH[0]}/free"})).client("s3")
        answer = some.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "free"}, {"Key": KEY}]})
        assert [d["Key"] for d in answer["Deleted"]] == ["free"]
        assert [(e["Key"], e["Code"]) for e in answer["Errors"]] == [(KEY, "AccessDenied")]
