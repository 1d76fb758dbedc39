"""The lab as a process: it starts soon, keeps connections, moves its clock, and says clearly what it cannot do."""

import http.client
import json
import socket
from concurrent.futures import ThreadPoolExecutor
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
    first = connection.sock
    for _ in range(3):
        connection.request("GET", "/lab/health")
        assert json.loads(connection.getresponse().read())["ok"] is True
        assert connection.sock is first
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


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /b/k?X-Amz-Credential=a/b/c/s3/aws4_request&X-Amz-Signature=x&X-Amz-Date=never HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /b/k?AWSAccessKeyId=a&Signature=x&Expires=99999999999999999999 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: AWS4-HMAC-SHA256 Credential=/////\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/ec2/aws4_request\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 4\r\n\r\n\xff\xfe\x00&",
        b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: No.Such\r\nContent-Length: 2\r\n\r\n{]",
    ],
)
def test_a_broken_request_gets_an_error_and_the_lab_lives_on(lab, request_):
    with socket.create_connection((urlsplit(lab.endpoint).hostname, urlsplit(lab.endpoint).port), timeout=10) as raw:
        raw.sendall(request_)
        raw.shutdown(socket.SHUT_WR)
        status = raw.makefile("rb").readline().split()[1]
    assert 400 <= int(status) < 500
    assert httpx.get(f"{lab.endpoint}/lab/health").json()["ok"] is True


def test_motos_own_controls_are_shut(root, lab):
    assert httpx.post(f"{lab.endpoint}/moto-api/reset").status_code == 404
    assert code_of(root.client("sts").get_caller_identity) == "ok"


def test_many_callers_at_once_lose_nothing(root, lab):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: root.client("iam").create_user(UserName=f"u{n}"), range(40)))
    assert len(root.client("iam").list_users()["Users"]) == 40
    made = [e for e in lab.events() if e["eventName"] == "CreateUser"]
    assert len({e["requestID"] for e in made}) == 40


def test_history_can_be_put_into_a_trail(root, lab):
    lab.inject(
        PRODUCTION,
        "us-east-1",
        eventSource="signin.amazonaws.com",
        eventName="ConsoleLogin",
        eventType="AwsConsoleSignIn",
        eventTime=(lab.now() - timedelta(hours=3)).isoformat(),
        userIdentity={"type": "IAMUser", "userName": "alice", "accountId": PRODUCTION},
        responseElements={"ConsoleLogin": "Success"},
    )
    asked = [{"AttributeKey": "EventName", "AttributeValue": "ConsoleLogin"}]
    (event,) = root.client("cloudtrail").lookup_events(LookupAttributes=asked)["Events"]
    assert event["Username"] == "alice"
    assert json.loads(event["CloudTrailEvent"])["responseElements"] == {"ConsoleLogin": "Success"}


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
