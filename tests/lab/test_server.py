"""The lab as a process: it starts soon, keeps connections, moves its clock, and says clearly what it cannot do."""

import http.client
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import pytest

from lab.client import LabRefused
from tests.lab.aws import PRODUCTION, As, code_of, policy


def test_it_is_ready_before_anybody_minds(lab_process):
    assert lab_process.started_in_s < 10  # about one second alone on the machine


def test_connections_are_kept_open(lab):
    connection = http.client.HTTPConnection(urlsplit(lab.endpoint).netloc, timeout=10)
    connection.connect()
    socket = connection.sock
    for _ in range(3):
        connection.request("GET", "/lab/health")
        assert json.loads(connection.getresponse().read())["ok"] is True
        assert connection.sock is socket
    connection.close()


def test_large_bodies_go_through_whole(root):
    s3 = root.client("s3")
    s3.create_bucket(Bucket="exports")
    body = bytes(range(256)) * 4096 * 8
    s3.put_object(Bucket="exports", Key="k", Body=body)
    assert s3.get_object(Bucket="exports", Key="k")["Body"].read() == body
    assert s3.head_object(Bucket="exports", Key="k")["ContentLength"] == len(body)


def test_everything_is_stamped_by_a_clock_that_can_be_moved(root, lab):
    lab.set_offset(timedelta(days=-30))
    then = datetime.now(UTC) - timedelta(days=30)
    created = root.client("iam").create_user(UserName="alice")["User"]["CreateDate"]
    s3 = root.client("s3")
    s3.create_bucket(Bucket="exports")
    s3.put_object(Bucket="exports", Key="k", Body=b"x")
    modified = s3.head_object(Bucket="exports", Key="k")["LastModified"]
    run = root.client("ec2").run_instances(ImageId="ami-0abcdef1234567890", MinCount=1, MaxCount=1)
    stamps = [created, modified, run["Instances"][0]["LaunchTime"], lab.now()]
    stamps += [datetime.fromisoformat(e["eventTime"]) for e in lab.events()]
    assert [s for s in stamps if abs(s - then) > timedelta(minutes=1)] == []
    lab.shift(timedelta(days=1))
    assert abs(lab.now() - then - timedelta(days=1)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("service", "call", "asked"),
    [
        ("ec2", "get_console_screenshot", {"InstanceId": "i-0123456789abcdef0"}),
        ("iam", "get_context_keys_for_custom_policy", {"PolicyInputList": ["{}"]}),
        ("cloudtrail", "start_query", {"QueryStatement": "select"}),
        ("guardduty", "list_findings", {"DetectorId": "d"}),
        ("accessanalyzer", "list_analyzers", {}),
    ],
)
def test_what_is_not_there_says_so_in_every_protocol(root, service, call, asked):
    client = root.client(service)
    with pytest.raises(client.exceptions.ClientError) as refused:
        getattr(client, call)(**asked)
    answer = refused.value.response
    assert answer["Error"]["Code"] == "NotImplementedByMoto"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert service in answer["Error"]["Message"]


def test_a_bug_of_motos_is_a_500_that_names_the_call(root):
    ebs = root.client("ebs")
    with pytest.raises(ebs.exceptions.ClientError) as broken:
        ebs.list_snapshot_blocks(SnapshotId="snap-0123456789abcdef0")
    answer = broken.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("InternalError", 500)
    assert "ebs:ListSnapshotBlocks" in answer["Error"]["Message"]


def test_reset_forgets_keys_events_faults_and_time(root, lab):
    alice = root.user("alice", policy({}))
    lab.add_fault(service="iam", kind="throttling", times=None)
    lab.shift(timedelta(days=5))
    lab.reset()
    assert code_of(alice.client("sts").get_caller_identity) == "InvalidClientTokenId"
    assert lab.faults() == []
    assert abs(lab.now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert [e["eventName"] for e in lab.events()] == ["GetCallerIdentity"]
    assert As(lab, lab.root_key(PRODUCTION)).client("iam").list_users()["Users"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/lab/clock", b"{}", 400),
        ("POST", "/lab/clock", b"not json", 400),
        ("POST", "/lab/root-keys/12", b"", 400),
        ("POST", "/lab/data-events", b"{}", 400),
        ("GET", "/lab/nothing", b"", 404),
    ],
)
def test_controls_refuse_what_makes_no_sense_with_a_sentence(lab, method, path, body, status):
    answer = httpx.request(method, f"{lab.endpoint}{path}", content=body)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_the_client_raises_what_the_lab_refuses(lab):
    with pytest.raises(LabRefused, match="account id"):
        lab.root_key("production")


def test_install_refuses_to_hide_an_action_that_moto_gained():
    from lab.install import MotoChanged, add_action, replace

    class Response:
        def create_instance_export_task(self):
            """As if moto had it."""

    with pytest.raises(MotoChanged, match="CreateInstanceExportTask"):
        add_action(Response, "CreateInstanceExportTask", lambda self: None)
    with pytest.raises(MotoChanged, match="gone_method"):
        replace(Response, "gone_method", lambda self: None)
