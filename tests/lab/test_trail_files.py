"""What was done can be found in files in AWS's layout, data events and access logs where switched on."""

import gzip
import json
from pathlib import Path

import httpx
import pytest

from tests.lab.aws import FOREIGN, MANAGEMENT, PRODUCTION, As
from tests.lab.trail_records import NAME, lookup, on_disk


class TestFiles:
    def test_a_call_is_on_disk_within_seconds_in_awss_own_layout(self, root, lab, eventually):
        answer = root.client("iam").create_user(UserName="bob")
        wanted = answer["ResponseMetadata"]["RequestId"]
        day = lab.now().strftime("%Y/%m/%d")
        folder = lab.directory / "cloudtrail" / "AWSLogs" / PRODUCTION / "CloudTrail" / "us-east-1" / day

        def found():
            texts = [json.loads(gzip.decompress(p.read_bytes())) for p in folder.glob("*.json.gz")]
            return [r for t in texts for r in t["Records"] if r["requestID"] == wanted]

        assert len(eventually(found, seconds=5)) == 1

    def test_each_record_is_written_once(self, root, lab):
        for n in range(5):
            root.client("iam").create_user(UserName=f"u{n}")
            lab.deliver()
        made = [r for r in on_disk(lab) if r["eventName"] == "CreateUser"]
        assert sorted(r["requestParameters"]["userName"] for r in made) == [f"u{n}" for n in range(5)]

    def test_the_organisations_folder_holds_its_accounts_and_not_a_strangers(self, lab):
        management = As(lab, lab.root_key(MANAGEMENT))
        own = management.client("organizations").create_organization(FeatureSet="ALL")["Organization"]["Id"]
        management.client("iam").create_user(UserName="ours")
        As(lab, lab.root_key(FOREIGN)).client("iam").create_user(UserName="theirs")
        users = [r["requestParameters"]["userName"] for r in on_disk(lab) if r["eventName"] == "CreateUser"]
        assert users == ["ours"]
        assert (lab.directory / "cloudtrail" / "AWSLogs" / own / MANAGEMENT).is_dir()

    def test_a_trail_writes_into_its_bucket_and_stops_when_stopped(self, root, lab):
        s3, trail = root.client("s3"), root.client("cloudtrail")
        s3.create_bucket(Bucket="trail-bucket")
        trail.create_trail(Name="main", S3BucketName="trail-bucket", S3KeyPrefix="ct", IsMultiRegionTrail=True)
        trail.start_logging(Name="main")
        root.client("iam").create_user(UserName="seen")
        lab.deliver()
        trail.stop_logging(Name="main")
        lab.deliver()
        root.client("iam").create_user(UserName="unseen")
        lab.deliver()
        keys = [o["Key"] for o in s3.list_objects_v2(Bucket="trail-bucket")["Contents"]]
        assert all(
            k.startswith(f"ct/AWSLogs/{PRODUCTION}/CloudTrail/us-east-1/") and NAME.fullmatch(Path(k).name)
            for k in keys
        )
        bodies = [s3.get_object(Bucket="trail-bucket", Key=k)["Body"].read() for k in keys]
        names = {
            (r.get("requestParameters") or {}).get("userName")
            for b in bodies
            for r in json.loads(gzip.decompress(b))["Records"]
        }
        assert "seen" in names
        assert "unseen" not in names
        assert "unseen" not in {(r["requestParameters"] or {}).get("userName") for r in on_disk(lab)}


class TestDataEvents:
    @pytest.fixture
    def s3(self, root):
        s3 = root.client("s3")
        for name in ("exports", "logs"):
            s3.create_bucket(Bucket=name)
        return s3

    def _select(self, root, selectors):
        trail = root.client("cloudtrail")
        trail.create_trail(Name="main", S3BucketName="logs")
        trail.start_logging(Name="main")
        trail.put_event_selectors(TrailName="main", **selectors)

    def test_without_being_asked_for_they_are_in_no_log(self, root, lab, s3):
        s3.put_object(Bucket="exports", Key="k", Body=b"disk")
        assert "PutObject" not in {r["eventName"] for r in on_disk(lab)}
        assert lookup(root, EventName="PutObject") == []

    @pytest.mark.parametrize(
        "selectors",
        [
            {
                "EventSelectors": [
                    {
                        "ReadWriteType": "All",
                        "IncludeManagementEvents": True,
                        "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::exports/vm/"]}],
                    }
                ]
            },
            {
                "AdvancedEventSelectors": [
                    {
                        "Name": "exports",
                        "FieldSelectors": [
                            {"Field": "eventCategory", "Equals": ["Data"]},
                            {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
                            {"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::exports/vm/"]},
                        ],
                    }
                ]
            },
        ],
        ids=["basic", "advanced"],
    )
    def test_a_trail_gets_those_of_the_objects_that_its_selectors_name(self, root, lab, s3, selectors):
        self._select(root, selectors)
        s3.put_object(Bucket="exports", Key="vm/a.ova", Body=b"disk image")
        s3.put_object(Bucket="exports", Key="other", Body=b"x")
        body = (
            root.elsewhere(ip="198.51.100.7").client("s3").get_object(Bucket="exports", Key="vm/a.ova")["Body"].read()
        )
        made = [r for r in on_disk(lab) if r["eventCategory"] == "Data"]
        assert [(r["eventName"], r["requestParameters"]["key"]) for r in made] == [
            ("PutObject", "vm/a.ova"),
            ("GetObject", "vm/a.ova"),
        ]
        read = made[1]
        assert read["additionalEventData"]["bytesTransferredOut"] == len(body)
        assert read["additionalEventData"]["AuthenticationMethod"] == "AuthHeader"
        assert read["managementEvent"] is False
        assert read["sourceIPAddress"] == "198.51.100.7"
        assert {"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::exports/vm/a.ova"} in read["resources"]
        assert {"type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::exports", "accountId": PRODUCTION} in read["resources"]
        assert lookup(root, EventName="GetObject") == []

    def test_the_labs_switch_logs_a_bucket_and_tells_presigned_reads(self, root, lab, s3):
        lab.log_data_events("exports")
        s3.put_object(Bucket="exports", Key="k", Body=b"disk")
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "exports", "Key": "k"}, ExpiresIn=600)
        assert httpx.get(url).status_code == 200
        (read,) = [r for r in on_disk(lab) if r["eventName"] == "GetObject"]
        assert read["additionalEventData"]["AuthenticationMethod"] == "QueryString"
        assert read["userIdentity"]["arn"] == f"arn:aws:iam::{PRODUCTION}:root"
