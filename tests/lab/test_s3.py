"""S3 of the lab lets in and refuses as S3 does: policies, ACLs, ownership, public access block, Object Lock, copies."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from botocore.exceptions import ClientError

from lab.caller import canonical_id
from tests.lab.aws import FOREIGN, PRODUCTION, As, code_of, policy, trust

FORENSICS = "777788889999"
US_EXPORTER = "c4d8eabf8db69dbe46bfe0e517100c554f01200b104d59cd408e777ba442a322"
BUCKET, KEY = "example-exports", "vm/export-i-0123456789abcdef0.ova"
BOTH = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]


@pytest.fixture
def s3(root):
    client = root.client("s3")
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key=KEY, Body=b"disk image")
    return client


@pytest.fixture
def stranger(lab):
    return As(lab, lab.root_key(FOREIGN)).user("thief", policy({"Action": "s3:*"}))


def read(who, bucket=BUCKET, key=KEY, **more):
    return code_of(who.client("s3").get_object, Bucket=bucket, Key=key, **more)


def let_in(s3, account, action="s3:GetObject"):
    s3.put_bucket_policy(
        Bucket=BUCKET, Policy=policy({"Principal": {"AWS": account}, "Action": action, "Resource": BOTH})
    )


def enable_acls(s3, ownership="ObjectWriter"):
    s3.put_bucket_ownership_controls(Bucket=BUCKET, OwnershipControls={"Rules": [{"ObjectOwnership": ownership}]})


class TestPolicies:
    def test_a_user_without_any_allow_may_do_nothing(self, root, s3):
        nobody = root.user("nobody").client("s3")
        assert code_of(nobody.get_object, Bucket=BUCKET, Key=KEY) == "AccessDenied"
        assert code_of(nobody.list_objects_v2, Bucket=BUCKET) == "AccessDenied"
        assert code_of(nobody.list_buckets) == "AccessDenied"
        assert code_of(nobody.get_bucket_policy, Bucket=BUCKET) == "AccessDenied"
        assert code_of(nobody.put_object, Bucket=BUCKET, Key="x", Body=b"x") == "AccessDenied"

    def test_another_account_needs_both_sides(self, root, lab, s3, stranger):
        assert read(stranger) == "AccessDenied"
        let_in(s3, FOREIGN)
        assert read(stranger) == "ok"
        assert read(As(lab, lab.root_key(FOREIGN)).user("bare")) == "AccessDenied"
        s3.delete_bucket_policy(Bucket=BUCKET)
        assert read(stranger) == "AccessDenied"

    def test_the_bucket_policy_lets_in_a_user_of_the_own_account_whom_it_names(self, root, s3):
        alice = root.user("alice")
        let_in(s3, f"arn:aws:iam::{PRODUCTION}:root")
        assert read(alice) == "AccessDenied"
        let_in(s3, f"arn:aws:iam::{PRODUCTION}:user/alice")
        assert read(alice) == "ok"

    def test_a_lock_by_arn_not_like_keeps_the_attacker_out_and_the_responder_and_the_copier_in(
        self, root, lab, s3, stranger
    ):
        everything = policy({"Action": "*"})
        attacker = root.user("mallory", everything)
        responder = root.user("alice", everything).assume(
            root.role("vmexport-respond", trust({"AWS": PRODUCTION}), everything)
        )
        forensics = As(lab, lab.root_key(FORENSICS))
        copier = forensics.user("eve", everything).assume(
            forensics.role("vmexport-forensics", trust({"AWS": FORENSICS}), everything)
        )
        let_in(s3, FOREIGN)
        assert (read(stranger), read(attacker), read(responder), read(copier)) == ("ok", "ok", "ok", "AccessDenied")
        exempt = [
            f"arn:aws:iam::{PRODUCTION}:role/vmexport-respond",
            f"arn:aws:iam::{FORENSICS}:role/vmexport-forensics",
        ]
        lock = {
            "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": BOTH,
            "Condition": {"ArnNotLike": {"aws:PrincipalArn": exempt},
                          "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}},
        }  # fmt: skip
        allow = {"Principal": {"AWS": exempt[1]}, "Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": BOTH}
        assert code_of(responder.client("s3").put_bucket_policy, Bucket=BUCKET, Policy=policy(lock, allow)) == "ok"
        assert (read(stranger), read(attacker), read(responder), read(copier)) == (
            "AccessDenied",
            "AccessDenied",
            "ok",
            "ok",
        )
        assert code_of(attacker.client("s3").put_bucket_policy, Bucket=BUCKET, Policy=policy(allow)) == "AccessDenied"
        assert code_of(attacker.client("s3").delete_bucket_policy, Bucket=BUCKET) == "AccessDenied"
        assert code_of(attacker.client("s3").list_objects_v2, Bucket=BUCKET) == "AccessDenied"

    def test_a_lock_by_not_principal_spares_whom_it_names(self, root, s3):
        everything = policy({"Action": "*"})
        attacker, responder = root.user("mallory", everything), root.user("alice", everything)
        root_and_alice = [f"arn:aws:iam::{PRODUCTION}:root", f"arn:aws:iam::{PRODUCTION}:user/alice"]
        lock = {"Effect": "Deny", "NotPrincipal": {"AWS": root_and_alice}, "Action": "s3:GetObject", "Resource": BOTH}
        document = json.loads(policy(lock))
        s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(document))
        assert read(responder) == "ok"

        document["Statement"][0]["NotPrincipal"] = {"AWS": f"arn:aws:iam::{PRODUCTION}:user/alice"}
        s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(document))
        assert (read(responder), read(attacker), read(root)) == ("ok", "AccessDenied", "AccessDenied")

    def test_conditions_of_a_bucket_policy_are_evaluated(self, root, s3):
        alice = root.user("alice", policy({"Action": "s3:*"}))
        only_office = {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
        s3.put_bucket_policy(
            Bucket=BUCKET,
            Policy=policy({"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": BOTH, "Condition": only_office}),
        )  # fmt: skip
        assert read(alice.elsewhere(ip="192.0.2.10")) == "ok"
        assert read(alice.elsewhere(ip="203.0.113.9")) == "AccessDenied"

    def test_the_root_user_is_never_kept_from_the_policy_of_its_own_bucket(self, root, s3):
        lock = policy({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": BOTH})
        s3.put_bucket_policy(Bucket=BUCKET, Policy=lock, ConfirmRemoveSelfBucketAccess=True)
        assert read(root) == "AccessDenied"
        assert s3.get_bucket_policy(Bucket=BUCKET)["Policy"] == lock
        assert code_of(s3.delete_bucket_policy, Bucket=BUCKET) == "ok"

    def test_nobody_locks_himself_out_without_saying_so(self, root, s3):
        mallory = root.user("mallory", policy({"Action": "s3:*"})).client("s3")
        lock = policy({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": BOTH})
        assert code_of(mallory.put_bucket_policy, Bucket=BUCKET, Policy=lock) == "MalformedPolicy"
        assert code_of(mallory.get_bucket_policy, Bucket=BUCKET) == "NoSuchBucketPolicy"
        assert (
            code_of(mallory.put_bucket_policy, Bucket=BUCKET, Policy=lock, ConfirmRemoveSelfBucketAccess=True) == "ok"
        )

    def test_a_stranger_who_is_allowed_to_change_the_policy_may_not(self, s3, stranger):
        let_in(s3, FOREIGN, "s3:PutBucketPolicy")
        assert code_of(stranger.client("s3").put_bucket_policy, Bucket=BUCKET, Policy=policy({"Principal": "*", "Resource": BOTH})) == "MethodNotAllowed"  # fmt: skip

    def test_the_text_comes_back_byte_for_byte(self, s3):
        statement = f'{{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"{BOTH[1]}"}}'
        text = ' { "Version" : "2012-10-17",\n\t"Statement":[' + statement + "] }"
        s3.put_bucket_policy(Bucket=BUCKET, Policy=text)
        assert s3.get_bucket_policy(Bucket=BUCKET)["Policy"] == text

    @pytest.mark.parametrize(
        "document",
        [
            "not json",
            "[]",
            '{"Version":"2012-10-17"}',
            policy({"Resource": BOTH}),
            policy({"Principal": "*", "Resource": "arn:aws:s3:::another/*"}),
            policy({"Principal": {"AWS": f"arn:aws:iam::{PRODUCTION}:user/gone"}, "Resource": BOTH}),
            policy({"Principal": {"AWS": "arn:aws:iam::*:role/any"}, "Resource": BOTH}),
            policy({"Principal": "*", "Action": "ec2:*", "Resource": BOTH}),
            policy({"Principal": "*", "Resource": BOTH, "Effect": "allow"}),
            policy({"Effect": "Deny", "Principal": "*", "Resource": [*BOTH, *(f"{BOTH[0]}/{n:0900}" for n in range(30))]}),
        ],
    )  # fmt: skip
    def test_what_is_no_policy_of_this_bucket_is_refused(self, s3, document):
        assert code_of(s3.put_bucket_policy, Bucket=BUCKET, Policy=document) == "MalformedPolicy"

    def test_who_may_not_list_does_not_learn_that_there_is_no_object(self, root, s3):
        only_get = root.user("alice", policy({"Action": "s3:GetObject"}))
        assert read(only_get, key="none") == "AccessDenied"
        assert read(root, key="none") == "NoSuchKey"
        assert read(root, bucket="example-none") == "NoSuchBucket"

    def test_versions_have_an_action_of_their_own(self, root, s3):
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        made = s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"2")["VersionId"]
        newest_only = root.user("alice", policy({"Action": ["s3:GetObject", "s3:ListBucket", "s3:DeleteObject"]}))
        assert read(newest_only) == "ok"
        assert read(newest_only, VersionId=made) == "AccessDenied"
        assert code_of(newest_only.client("s3").delete_object, Bucket=BUCKET, Key=KEY, VersionId=made) == "AccessDenied"

    def test_an_expected_owner_that_is_not_the_owner_is_refused(self, s3):
        s3.put_bucket_versioning(
            Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"}, ExpectedBucketOwner=PRODUCTION
        )
        for call, more in ((s3.get_bucket_policy, {}), (s3.get_object, {"Key": KEY}), (s3.list_objects_v2, {})):
            assert code_of(call, Bucket=BUCKET, ExpectedBucketOwner=FOREIGN, **more) == "AccessDenied"
        asked = {"Bucket": BUCKET, "Key": "copy", "CopySource": {"Bucket": BUCKET, "Key": KEY}}
        assert code_of(s3.copy_object, **asked, ExpectedSourceBucketOwner=FOREIGN) == "AccessDenied"
        assert code_of(s3.copy_object, **asked, ExpectedSourceBucketOwner=PRODUCTION) == "ok"


class TestAclsAndOwnership:
    def test_a_new_bucket_has_no_acls_no_public_access_and_an_owner_of_its_own(self, root, lab, s3):
        said = s3.get_bucket_ownership_controls(Bucket=BUCKET)["OwnershipControls"]["Rules"]
        assert said == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        block = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
        assert set(block.values()) == {True}
        assert s3.get_bucket_acl(Bucket=BUCKET)["Owner"]["ID"] == canonical_id(PRODUCTION)
        assert s3.list_buckets()["Owner"]["ID"] == canonical_id(PRODUCTION) != canonical_id(FOREIGN)
        assert s3.list_object_versions(Bucket=BUCKET)["Versions"][0]["Owner"]["ID"] == canonical_id(PRODUCTION)
        assert s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"][0][
            "ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}  # fmt: skip

    def test_acls_and_bucket_owner_enforced_exclude_each_other_in_both_orders(self, s3):
        grant = {"GrantWrite": f'id="{US_EXPORTER}"', "GrantReadACP": f'id="{US_EXPORTER}"'}
        assert code_of(s3.put_bucket_acl, Bucket=BUCKET, **grant) == "AccessControlListNotSupported"
        enable_acls(s3)
        s3.put_bucket_acl(Bucket=BUCKET, **grant)
        granted = {(g["Grantee"]["ID"], g["Permission"]) for g in s3.get_bucket_acl(Bucket=BUCKET)["Grants"]}
        assert granted == {(US_EXPORTER, "WRITE"), (US_EXPORTER, "READ_ACP")}
        enforce = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        asked = {"Bucket": BUCKET, "OwnershipControls": enforce}
        assert code_of(s3.put_bucket_ownership_controls, **asked) == "InvalidBucketAclWithObjectOwnership"
        s3.put_bucket_acl(Bucket=BUCKET, ACL="private")
        assert code_of(s3.put_bucket_ownership_controls, **asked) == "ok"

    def test_an_acl_lets_another_account_in_only_with_its_own_policies_and_while_acls_count(
        self, lab, root, s3, stranger
    ):
        enable_acls(s3)
        s3.put_object_acl(Bucket=BUCKET, Key=KEY, GrantRead=f'id="{canonical_id(FOREIGN)}"')
        assert read(stranger) == "ok"
        assert read(As(lab, lab.root_key(FOREIGN)).user("bare")) == "AccessDenied"
        enable_acls(s3, "BucketOwnerEnforced")
        assert read(stranger) == "AccessDenied"

    def test_an_acl_gives_users_of_the_own_account_nothing(self, root, s3):
        enable_acls(s3)
        assert read(root.user("nobody")) == "AccessDenied"

    def test_what_another_account_writes_its_bucket_owner_can_delete_and_deny_and_not_read_until_enforced(
        self, root, s3, stranger
    ):
        enable_acls(s3)
        let_in(s3, [FOREIGN, PRODUCTION], ["s3:PutObject", "s3:GetObject"])  # an Allow is no use for what others own
        theirs = stranger.client("s3")
        for key in ("one", "two"):
            theirs.put_object(Bucket=BUCKET, Key=key, Body=b"theirs")
        assert s3.list_objects_v2(Bucket=BUCKET, Prefix="one")["KeyCount"] == 1
        assert read(root, key="one") == "AccessDenied"
        assert read(stranger, key="one") == "ok"
        s3.put_bucket_policy(
            Bucket=BUCKET,
            Policy=policy({"Effect": "Deny", "Principal": {"AWS": FOREIGN}, "Action": "s3:*", "Resource": BOTH}),
        )
        assert read(stranger, key="one") == "AccessDenied"
        assert code_of(s3.delete_object, Bucket=BUCKET, Key="two") == "ok"
        enable_acls(s3, "BucketOwnerEnforced")
        assert read(root, key="one") == "ok"

    def test_preferred_ownership_takes_what_comes_with_full_control(self, root, s3, stranger):
        enable_acls(s3, "BucketOwnerPreferred")
        let_in(s3, FOREIGN, ["s3:PutObject", "s3:PutObjectAcl"])
        theirs = stranger.client("s3")
        theirs.put_object(Bucket=BUCKET, Key="kept", Body=b"x")
        theirs.put_object(Bucket=BUCKET, Key="given", Body=b"x", ACL="bucket-owner-full-control")
        assert (read(root, key="kept"), read(root, key="given")) == ("AccessDenied", "ok")
        assert s3.get_object_acl(Bucket=BUCKET, Key="given")["Owner"]["ID"] == canonical_id(PRODUCTION)

    def test_objects_do_not_take_over_the_buckets_acl(self, root, s3, stranger):
        enable_acls(s3)
        s3.put_bucket_acl(Bucket=BUCKET, GrantFullControl=f'id="{canonical_id(FOREIGN)}"')
        s3.put_object(Bucket=BUCKET, Key="mine", Body=b"x")
        assert read(stranger, key="mine") == "AccessDenied"
        assert code_of(stranger.client("s3").list_objects_v2, Bucket=BUCKET) == "ok"


class TestPublicAccess:
    PUBLIC = policy({"Principal": "*", "Action": "s3:GetObject", "Resource": BOTH[1]})

    def test_a_public_policy_is_refused_until_the_block_is_off_and_then_everybody_reads(self, root, lab, s3):
        assert code_of(s3.put_bucket_policy, Bucket=BUCKET, Policy=self.PUBLIC) == "AccessDenied"
        s3.delete_public_access_block(Bucket=BUCKET)
        s3.put_bucket_policy(Bucket=BUCKET, Policy=self.PUBLIC)
        assert httpx.get(f"{lab.endpoint}/{BUCKET}/{KEY}").content == b"disk image"
        assert s3.get_bucket_policy_status(Bucket=BUCKET)["PolicyStatus"]["IsPublic"] is True

    def test_restricting_public_buckets_shuts_strangers_out_and_not_the_own_account(self, root, lab, s3, stranger):
        s3.delete_public_access_block(Bucket=BUCKET)
        s3.put_bucket_policy(Bucket=BUCKET, Policy=self.PUBLIC)
        assert read(stranger) == "ok"
        s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
        assert httpx.get(f"{lab.endpoint}/{BUCKET}/{KEY}").status_code == 403
        assert (read(stranger), read(root.user("alice"))) == ("AccessDenied", "ok")

    def test_a_policy_for_one_account_or_one_organisation_is_not_public(self, s3):
        let_in(s3, FOREIGN)
        narrow = {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorgid"}}
        s3.put_bucket_policy(
            Bucket=BUCKET,
            Policy=policy({"Principal": "*", "Action": "s3:GetObject", "Resource": BOTH, "Condition": narrow}),
        )
        assert s3.get_bucket_policy_status(Bucket=BUCKET)["PolicyStatus"]["IsPublic"] is False
        wide = {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}
        document = policy({"Principal": "*", "Action": "s3:GetObject", "Resource": BOTH, "Condition": wide})
        assert code_of(s3.put_bucket_policy, Bucket=BUCKET, Policy=document) == "AccessDenied"

    def test_public_acls_are_refused_while_blocked_and_ignored_when_asked(self, lab, s3):
        enable_acls(s3)
        assert code_of(s3.put_object_acl, Bucket=BUCKET, Key=KEY, ACL="public-read") == "AccessDenied"
        s3.delete_public_access_block(Bucket=BUCKET)
        s3.put_object_acl(Bucket=BUCKET, Key=KEY, ACL="public-read")
        assert httpx.get(f"{lab.endpoint}/{BUCKET}/{KEY}").status_code == 200
        s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration={"IgnorePublicAcls": True})
        assert httpx.get(f"{lab.endpoint}/{BUCKET}/{KEY}").status_code == 403


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


def test_an_empty_set_of_tags_takes_them_off(s3):
    for put, get, asked in (
        (s3.put_object_tagging, s3.get_object_tagging, {"Bucket": BUCKET, "Key": KEY}),
        (s3.put_bucket_tagging, s3.get_bucket_tagging, {"Bucket": BUCKET}),
    ):
        put(**asked, Tagging={"TagSet": [{"Key": "case", "Value": "1"}]})
        assert get(**asked)["TagSet"] == [{"Key": "case", "Value": "1"}]
        put(**asked, Tagging={"TagSet": []})
        assert code_of(get, **asked) in ("ok", "NoSuchTagSet")
    assert s3.get_object_tagging(Bucket=BUCKET, Key=KEY)["TagSet"] == []


def test_a_refusal_says_who_may_not_do_what(root, s3):
    alice = root.user("alice")
    with pytest.raises(ClientError) as refused:
        alice.client("s3").get_object(Bucket=BUCKET, Key=KEY)
    error = refused.value.response["Error"]
    assert error["Code"] == "AccessDenied"
    assert f"user/alice is not authorized to perform: s3:GetObject on resource: \"{BOTH[0]}/{KEY}\"".replace('"', "") in error["Message"].replace('"', "")  # fmt: skip


@pytest.mark.parametrize("key", ["a b+c/d&e=f", "ü%25/€ ?x#y", "tab\tand'quote", "vm//double"])
def test_keys_may_hold_any_character(s3, key):
    asked = {"Bucket": BUCKET, "Key": key}
    s3.put_object(**asked, Body=b"x")
    s3.copy_object(Bucket=BUCKET, Key=f"{key}-2", CopySource=asked)
    assert s3.get_object(Bucket=BUCKET, Key=f"{key}-2")["Body"].read() == b"x"
    assert {o["Key"] for o in s3.list_objects_v2(Bucket=BUCKET)["Contents"]} == {KEY, key, f"{key}-2"}
    s3.delete_object(**asked)
    assert code_of(s3.get_object, **asked) == "NoSuchKey"


def test_the_accounts_public_access_block_stands_over_every_bucket(root, lab, s3):
    control = root.client("s3control")
    control.meta.events.register(
        "before-sign.s3-control",
        lambda request, **_: setattr(request, "url", request.url.replace(f"//{PRODUCTION}.", "//")),
    )
    s3.delete_public_access_block(Bucket=BUCKET)
    control.put_public_access_block(AccountId=PRODUCTION, PublicAccessBlockConfiguration={"BlockPublicPolicy": True})
    assert code_of(s3.put_bucket_policy, Bucket=BUCKET, Policy=TestPublicAccess.PUBLIC) == "AccessDenied"
    control.delete_public_access_block(AccountId=PRODUCTION)
    assert code_of(s3.put_bucket_policy, Bucket=BUCKET, Policy=TestPublicAccess.PUBLIC) == "ok"
