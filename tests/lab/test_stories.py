"""Stories are played by real calls: what happened can be found, what the attacker could do can be taken away."""

import json
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from decisions.alert import decode
from decisions.export import ExportApi, Outcome
from lab.alert import post
from lab.story import Story, detonate, load, stories
from tests.lab.aws import As, policy

PRODUCTION, DEVELOPMENT, FORENSICS, FOREIGN = "111122223333", "444455556666", "777788889999", "210987654321"


@pytest.fixture
def play(lab):
    def played(name, **change):
        story = load(name).model_copy(update=change)
        return detonate(story, lab.endpoint, lab.directory)

    return played


def exports(detonation):
    return [event for alert in detonation.alerts for event in decode(json.dumps(alert).encode()).events]


def test_there_are_three_stories_each_with_a_sentence_and_an_expectation():
    assert stories() == ("approved-migration", "denied-attempt", "production-export")
    assert all(isinstance(load(name), Story) and load(name).sentence.endswith(".") for name in stories())
    with pytest.raises(ValueError, match="production-export"):
        load("nothing")


class TestProductionExport:
    def test_the_alert_tells_what_cloudtrail_recorded(self, lab, play):
        started = time.monotonic()
        detonation = play("production-export")
        assert time.monotonic() - started < 20
        (event,) = exports(detonation)
        assert (event.api, event.outcome) == (ExportApi.INSTANCE, Outcome.ACCEPTED)
        assert (event.recipient_account, event.region) == (PRODUCTION, "us-east-1")
        assert event.principal_arn == f"arn:aws:sts::{PRODUCTION}:assumed-role/platform-admin/jo.contractor@example.com"
        assert event.source_address == "198.51.100.7"
        assert event.access_key_id == detonation.credentials["platform-admin session"].access_key_id
        assert (event.bucket, event.object_key) == (detonation.facts["bucket"], detonation.facts["key"])
        assert event.task_id == detonation.facts["first_task"]
        assert timedelta(minutes=43) < datetime.now(UTC) - event.event_time < timedelta(minutes=46)
        assert datetime.now(UTC) - event.alert_created < timedelta(seconds=60)
        assert abs(lab.now() - datetime.now(UTC)) < timedelta(seconds=5)

    def test_the_image_was_taken_from_outside_and_the_logs_say_so(self, lab, play):
        detonation = play("production-export")
        reads = [e for e in lab.events() if e["eventName"] == "GetObject" and e["recipientAccountId"] == PRODUCTION]
        taken = [e for e in reads if e["requestParameters"]["key"] == detonation.facts["key"]]
        assert [(e["sourceIPAddress"], e["userIdentity"]["accountId"], e["visible"]) for e in taken] == [
            ("203.0.113.9", FOREIGN, True)
        ]
        assert taken[0]["additionalEventData"]["bytesTransferredOut"] > 200_000
        (written,) = [e for e in lab.events() if e["eventName"] == "PutObject"]
        assert written["additionalEventData"]["aclRequired"] == "Yes"

    def test_one_export_is_finished_and_one_still_runs(self, lab, play):
        facts = play("production-export").facts
        ec2 = As(lab, lab.root_key(PRODUCTION)).client("ec2")
        states = {t["ExportTaskId"]: t["State"] for t in ec2.describe_export_tasks()["ExportTasks"]}
        assert states == {facts["first_task"]: "completed", facts["second_task"]: "active"}

    def test_what_the_attacker_could_do_he_cannot_do_after_containment(self, lab, play):
        detonation = play("production-export")
        assert detonation.accepted_before == dict.fromkeys([c.name for c in detonation.canaries], True)
        assert {c.name: c.accepted() for c in detonation.canaries} == detonation.accepted_before

        contain(lab, detonation)
        assert {c.name: c.accepted() for c in detonation.canaries} == {c.name: False for c in detonation.canaries}

    def test_it_can_be_played_again_after_a_containment(self, lab, play):
        first = play("production-export")
        contain(lab, first)
        second = play("production-export")
        assert set(second.accepted_before.values()) == {True}
        assert second.facts["bucket"] != first.facts["bucket"]
        assert not any(c.accepted() for c in first.canaries if c.name == "read the object")

    def test_the_credentials_for_the_drill_are_written_for_us_alone(self, lab, play):
        detonation = play("production-export")
        path = lab.directory / "drill.json"
        listed = {c["access_key_id"]: c for c in json.loads(path.read_text())}
        assert set(listed) == {k.access_key_id for k in detonation.credentials.values()}
        assert path.stat().st_mode & 0o077 == 0

    def test_the_size_of_the_image_is_a_setting(self, lab, play):
        detonation = play("production-export", image_bytes=6_000_000, export_minutes=10)
        s3 = As(lab, lab.root_key(PRODUCTION)).client("s3")
        size = s3.head_object(Bucket=detonation.facts["bucket"], Key=detonation.facts["key"])["ContentLength"]
        assert 6_000_000 < size < 6_100_000


def test_the_approved_migration_is_what_it_looks_like(lab, play):
    detonation = play("approved-migration")
    (event,) = exports(detonation)
    assert event.outcome is Outcome.ACCEPTED
    assert event.issuer_arn == f"arn:aws:iam::{DEVELOPMENT}:role/vm-migration"
    assert event.bucket == "example-vm-exports"
    assert "CHG-20417" in event.description
    assert event.source_address == "192.0.2.25"
    assert detonation.canaries == ()
    s3 = As(lab, lab.root_key(DEVELOPMENT)).client("s3")
    assert s3.head_object(Bucket="example-vm-exports", Key=detonation.facts["key"])["ContentLength"] > 0


def test_the_denied_attempt_is_denied_at_every_door(lab, play):
    detonation = play("denied-attempt")
    events = exports(detonation)
    assert [e.api for e in events] == [ExportApi.INSTANCE, ExportApi.IMAGE, ExportApi.STORE]
    assert {e.outcome for e in events} == {Outcome.DENIED}
    assert {e.error_code for e in events} == {"Client.UnauthorizedOperation"}
    s3 = As(lab, lab.root_key(DEVELOPMENT)).client("s3")
    assert s3.list_objects_v2(Bucket="example-vm-exports")["KeyCount"] == 0


def test_data_events_are_only_recorded_when_the_story_says_so(lab, play):
    detonation = play("production-export", data_events=False)
    reads = [e for e in lab.events() if e["eventName"] == "GetObject"]
    assert reads
    assert not any(e["visible"] for e in reads if e["requestParameters"]["bucketName"] == detonation.facts["bucket"])


def test_an_alert_is_posted_with_the_secret_header(play):
    heard = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append((self.path, self.headers["X-VMExport-Secret"], json.loads(body)))
            self.send_response(202)
            self.end_headers()
            self.wfile.write(b'{"case": "VMX-1"}')

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    Thread(target=server.handle_request, daemon=True).start()
    alert = {"_id": "1", "_source": {}}
    assert post(alert, f"http://127.0.0.1:{server.server_port}", "s3cret") == "VMX-1"
    assert heard == [("/alerts/elastic", "s3cret", alert)]
    server.server_close()


def contain(lab, detonation):
    """By hand, what a responder does: lock the bucket, cut the user, revoke the sessions, take the grant off."""
    hub = As(lab, json_key(lab))
    respond = hub.assume(f"arn:aws:iam::{PRODUCTION}:role/vmexport-respond")
    bucket = detonation.facts["bucket"]
    s3, iam, ec2 = respond.client("s3"), respond.client("iam"), respond.client("ec2")
    exempt = [f"arn:aws:iam::{PRODUCTION}:role/vmexport-*", f"arn:aws:iam::{FORENSICS}:role/vmexport-forensics"]
    lock = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"ArnNotLike": {"aws:PrincipalArn": exempt}},
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(lock))
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    enforced = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=enforced)
    ec2.cancel_export_task(ExportTaskId=detonation.facts["second_task"])
    key = detonation.credentials["jo.contractor"].access_key_id
    deny = policy({"Effect": "Deny"})
    iam.put_user_policy(UserName="jo.contractor", PolicyName="deny", PolicyDocument=deny)
    iam.update_access_key(UserName="jo.contractor", AccessKeyId=key, Status="Inactive")
    cut = lab.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    older = policy({"Effect": "Deny", "Condition": {"DateLessThan": {"aws:TokenIssueTime": cut}}})
    iam.put_role_policy(RoleName="platform-admin", PolicyName="AWSRevokeOlderSessions", PolicyDocument=older)


def json_key(lab):
    from lab.client import Key

    hub = json.loads((lab.directory / "credentials.json").read_text())["hub"]
    return Key(hub["access_key_id"], hub["secret_access_key"])
