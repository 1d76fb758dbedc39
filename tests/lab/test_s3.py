"""S3 of the lab lets in and refuses as S3 does: bucket policies, refusals, names."""

import json

import pytest
from botocore.exceptions import ClientError

from tests.lab.aws import FOREIGN, PRODUCTION, As, code_of, policy, trust
from tests.lab.exports_bucket import BOTH, BUCKET, FORENSICS, KEY, let_in, read, s3, stranger

__all__ = ["s3", "stranger"]


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
