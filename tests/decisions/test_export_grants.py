"""The grants of the export service are taken away and denied, and nobody else loses anything."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.bucket_policy import deny_export_writes, without_export_grants
from decisions.iam_policy import evaluate_resource
from decisions.policy import AccessRequest, PolicyTooLarge
from decisions.vm_export_grantees import BY_REGION, EXPORT_SERVICE_IDS, OTHER_REGIONS, export_service_id
from tests.decisions.bucket_policies import (
    LOGGING,
    OTHERS,
    admitted,
    document,
    existing,
    text_of,
)
from tests.decisions.policies import (
    ACCOUNT,
    BUCKET,
    OBJECT,
    PLACE,
    RESPONDER,
    STRANGER,
    request,
    session_of,
    statement,
)


class TestExportGrants:
    GUIDE = statement(action=["s3:GetBucketAcl", "s3:PutObject"], resource=[PLACE, f"{PLACE}/*"], Sid="vm",
                      Principal={"CanonicalUser": OTHER_REGIONS})  # fmt: skip

    def test_the_grant_of_awss_guide_is_taken_away_and_nothing_is_left(self):
        assert without_export_grants(text_of(self.GUIDE)) is None

    def test_others_in_the_statement_keep_what_they_had(self):
        both = {**self.GUIDE, "Principal": {"CanonicalUser": [OTHER_REGIONS, "d" * 64], "AWS": STRANGER}}
        after = json.loads(without_export_grants(text_of(both)))
        assert after["Statement"] == [{**self.GUIDE, "Principal": {"AWS": STRANGER, "CanonicalUser": ["d" * 64]}}]

    def test_ids_that_a_person_named_are_taken_away_too(self):
        theirs = {**self.GUIDE, "Principal": {"CanonicalUser": "d" * 64}}
        assert without_export_grants(text_of(theirs), {"d" * 64}) is None

    def test_a_text_without_grants_comes_back_byte_for_byte(self):
        deny = statement("Deny", "s3:PutObject", Principal={"CanonicalUser": OTHER_REGIONS})
        text = text_of(deny, statement(Principal="*"), statement(Principal={"AWS": STRANGER})) + "\n"
        assert without_export_grants(text) == text

    def test_a_single_statement_without_a_list_is_read_like_one_in_a_list(self):
        assert without_export_grants(json.dumps({"Statement": self.GUIDE})) is None


class TestDenyExportWrites:
    @given(existing, st.sampled_from(["us-east-1", "eu-south-1"]))
    def test_no_export_is_written_and_everybody_else_writes_as_before(self, text, region):
        after = deny_export_writes(text, BUCKET, region)
        service = AccessRequest(
            action="s3:PutObject", resource=OBJECT, principal_canonical_id=export_service_id(region)
        )
        vmimport = [session_of(f"arn:aws:iam::{ACCOUNT}:role/vmimport", "vmimport")]
        assert not any(admitted(after, a) for a in (service, *(request("s3:PutObject", OBJECT, v) for v in vmimport)))
        for who in (*OTHERS, RESPONDER, None, LOGGING, f"arn:aws:iam::{ACCOUNT}:role/not-vmimport"):
            for action in ("s3:PutObject", "s3:GetObject"):
                asked = request(action, OBJECT, who)
                assert admitted(after, asked) == admitted(text, asked)
        assert deny_export_writes(after, BUCKET, region) == after

    def test_a_role_vmimport_under_a_path_is_meant_too(self):
        role = f"arn:aws:iam::{ACCOUNT}:role/service-role/vmimport"
        asked = request(
            "s3:PutObject", OBJECT, session_of(f"arn:aws:iam::{ACCOUNT}:role/vmimport"), aws_PrincipalArn=role
        )
        assert evaluate_resource(asked, document(deny_export_writes(None, BUCKET, "us-east-1"))).explicit_deny

    @pytest.mark.parametrize(
        ("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("eu-south-1", "aws")]
    )
    def test_each_region_has_its_own_id_and_partition(self, region, partition):
        said = json.loads(deny_export_writes(None, BUCKET, region))["Statement"]
        assert said[0]["Principal"] == {"CanonicalUser": BY_REGION[region]}
        assert all(s["Resource"] == f"arn:{partition}:s3:::{BUCKET}/*" for s in said)

    def test_a_policy_without_room_is_refused(self):
        with pytest.raises(PolicyTooLarge):
            deny_export_writes(text_of(statement(Sid="x" * 20100, Principal="*")), BUCKET, "us-east-1")


def test_every_region_has_a_canonical_id_of_64_hex_digits():
    assert all(len(i) == 64 and int(i, 16) for i in EXPORT_SERVICE_IDS)
    assert export_service_id("us-east-1") == export_service_id("a-region-that-is-new") == OTHER_REGIONS
