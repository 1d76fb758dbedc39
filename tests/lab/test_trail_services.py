"""What other modules of the lab record in this process, without a request: it makes moto the lab's for good."""

import pytest

from lab import control, credentials, install, sts, trail, trail_selectors
from lab.caller import Caller
from lab.errors import AwsError
from tests.lab.aws import PRODUCTION, trust


class TestServices:
    """What other modules of the lab record in this process, without a request."""

    @pytest.fixture
    def vmimport(self):
        install.install()
        control.reset()
        document = trust({"Service": "vmie.amazonaws.com"}, StringEquals={"sts:ExternalId": "vmimport"})
        return credentials.iam(PRODUCTION).create_role("vmimport", document, "/", None, "", [], "3600").arn

    def test_a_service_assumes_the_role_that_trusts_it_and_the_trail_says_so(self, vmimport):
        session = sts.assume_by_service("vmie.amazonaws.com", vmimport, "export", "us-east-1", external_id="vmimport")
        assert session.caller.arn == f"arn:aws:sts::{PRODUCTION}:assumed-role/vmimport/export"
        (made,) = [e.record for e in trail.entries()]
        assert made["userIdentity"] == {"type": "AWSService", "invokedBy": "vmie.amazonaws.com"}
        assert made["requestParameters"]["externalId"] == "vmimport"
        assert made["responseElements"]["credentials"]["accessKeyId"] == session.access_key_id
        assert made["recipientAccountId"] == PRODUCTION

    def test_another_service_or_id_is_refused_and_that_is_recorded(self, vmimport):
        for service, external in (("ec2.amazonaws.com", "vmimport"), ("vmie.amazonaws.com", "other")):
            with pytest.raises(AwsError, match="AccessDenied"):
                sts.assume_by_service(service, vmimport, "export", "us-east-1", external_id=external)
        assert [e.record["errorCode"] for e in trail.entries()] == ["AccessDenied", "AccessDenied"]

    def test_an_object_written_by_an_aws_owned_account_is_seen_where_it_is_logged(self, vmimport):
        owner = Caller("AWSAccount", None, principal_id="c4d8eabf" * 8, source_ip="vmie.amazonaws.com")
        trail_selectors.switch("exports", True)
        for bucket in ("exports", "other"):
            trail.record_service(
                "s3.amazonaws.com",
                "PutObject",
                owner,
                account=PRODUCTION,
                region="us-east-1",
                object_arn=f"arn:aws:s3:::{bucket}/export-i-1.ova",
                requestParameters={"bucketName": bucket, "key": "export-i-1.ova"},
            )
        assert [(e.record["requestParameters"]["bucketName"], e.visible) for e in trail.entries()] == [
            ("exports", True),
            ("other", False),
        ]
