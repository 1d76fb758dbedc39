"""ACLs, ownership and the public access block of the lab let in and refuse as S3 does."""

import httpx

from lab.caller import canonical_id
from tests.lab.aws import FOREIGN, PRODUCTION, As, code_of, policy
from tests.lab.exports_bucket import BOTH, BUCKET, KEY, US_EXPORTER, enable_acls, let_in, read, s3, stranger

__all__ = ["s3", "stranger"]


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
