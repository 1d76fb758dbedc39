"""Server access logs, in S3 and on disk: who read what, as S3 writes it."""

import re
import shlex

import httpx
import pytest

from lab.caller import canonical_id
from tests.lab.aws import PRODUCTION, policy, trust


class TestAccessLogs:
    @pytest.fixture
    def s3(self, root):
        s3 = root.client("s3")
        for name in ("exports", "access-logs"):
            s3.create_bucket(Bucket=name)
        delivery = {
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::access-logs/*",
        }
        s3.put_bucket_policy(Bucket="access-logs", Policy=policy(delivery))
        target = {"LoggingEnabled": {"TargetBucket": "access-logs", "TargetPrefix": "exports/"}}
        s3.put_bucket_logging(Bucket="exports", BucketLoggingStatus=target)
        return s3

    def _lines(self, lab, s3):
        lab.deliver()
        keys = [o["Key"] for o in s3.list_objects_v2(Bucket="access-logs", Prefix="exports/").get("Contents", [])]
        in_bucket = "".join(s3.get_object(Bucket="access-logs", Key=k)["Body"].read().decode() for k in keys)
        on_disk = "".join((lab.directory / "s3-access-logs" / "access-logs" / k).read_text() for k in keys)
        assert in_bucket == on_disk
        # The time has a space inside its brackets.
        return [shlex.split(re.sub(r"\[([^\]]*) ([^\]]*)\]", r"[\1_\2]", line)) for line in in_bucket.splitlines()]

    def test_a_line_has_twenty_seven_fields_and_the_right_requester(self, root, lab, s3):
        s3.put_object(Bucket="exports", Key="vm/a b.ova", Body=b"disk image")
        arn = root.role("build", trust({"AWS": PRODUCTION}), policy({}))
        session = root.user("alice", policy({})).assume(arn, "job").elsewhere(ip="198.51.100.7", agent="curl/8")
        answer = session.client("s3").get_object(Bucket="exports", Key="vm/a b.ova")
        answer["Body"].read()
        lines = self._lines(lab, s3)
        assert {len(line) for line in lines} == {27}
        (read,) = [line for line in lines if line[6] == "REST.GET.OBJECT"]
        assert read[0] == canonical_id(PRODUCTION)
        assert read[3:6] == [
            "198.51.100.7",
            session.client("sts").get_caller_identity()["Arn"],
            answer["ResponseMetadata"]["RequestId"],
        ]
        assert read[7] == "vm/a%20b.ova"
        assert read[9:13] == ["200", "-", "10", "10"]
        assert read[16].startswith("curl/8")
        (written,) = [line for line in lines if line[6] == "REST.PUT.OBJECT"]
        assert written[4] == canonical_id(PRODUCTION)  # a root user shows as its canonical id

    def test_denied_partial_and_presigned_reads_are_told_apart(self, root, lab, s3):
        s3.put_object(Bucket="exports", Key="k", Body=b"0123456789")
        s3.get_object(Bucket="exports", Key="k", Range="bytes=0-3")["Body"].read()
        httpx.get(s3.generate_presigned_url("get_object", Params={"Bucket": "exports", "Key": "k"}))
        assert httpx.get(f"{lab.endpoint}/exports/k").status_code == 403
        reads = [line for line in self._lines(lab, s3) if line[6] == "REST.GET.OBJECT"]
        assert {(r[9], r[10], r[11], r[12], r[21], r[4] == "-") for r in reads if r[9] != "403"} == {
            ("206", "-", "4", "10", "AuthHeader", False),
            ("200", "-", "10", "10", "QueryString", False),
        }
        (denied,) = [r for r in reads if r[9] == "403"]
        assert (denied[4], denied[10], denied[12], denied[21]) == ("-", "AccessDenied", "-", "-")

    def test_a_copy_writes_a_line_where_it_reads(self, root, lab, s3):
        s3.put_object(Bucket="exports", Key="k", Body=b"disk")
        s3.copy_object(Bucket="access-logs", Key="stolen", CopySource={"Bucket": "exports", "Key": "k"})
        (line,) = [line for line in self._lines(lab, s3) if line[6] == "REST.COPY.OBJECT_GET"]
        assert (line[7], line[12]) == ("k", "4")
