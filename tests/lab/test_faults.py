"""Failures on purpose look to a client like AWS's own, and strike only what they were asked for."""

import time

import httpx
import pytest

from lab.client import LabRefused
from tests.lab.aws import PRODUCTION, code_of, policy, trust


@pytest.mark.parametrize(
    ("service", "operation", "call", "code", "status"),
    [
        ("ec2", "DescribeInstances", "describe_instances", "RequestLimitExceeded", 503),
        ("s3", "ListBuckets", "list_buckets", "SlowDown", 503),
        ("iam", "ListUsers", "list_users", "Throttling", 400),
        ("cloudtrail", "DescribeTrails", "describe_trails", "ThrottlingException", 400),
    ],
)
def test_throttling_has_the_services_own_code_and_status(root, lab, service, operation, call, code, status):
    lab.add_fault(service=service, operation=operation, kind="throttling")
    client = root.client(service)
    with pytest.raises(client.exceptions.ClientError) as refused:
        getattr(client, call)()
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert code_of(getattr(client, call)) == "ok"


def test_a_client_that_retries_gets_through(root, lab):
    lab.add_fault(service="iam", operation="ListUsers", kind="throttling", times=2)
    assert code_of(root.elsewhere(tries=4).client("iam").list_users) == "ok"
    assert lab.faults()[0]["struck"] == 2


@pytest.mark.parametrize(
    ("kind", "service", "operation", "call", "code"),
    [
        ("access-denied", "ec2", "DescribeInstances", "describe_instances", "UnauthorizedOperation"),
        ("access-denied", "iam", "ListUsers", "list_users", "AccessDenied"),
        ("internal-error", "s3", "ListBuckets", "list_buckets", "InternalError"),
        ("internal-error", "cloudtrail", "DescribeTrails", "describe_trails", "InternalFailure"),
    ],
)
def test_refusals_and_500s_can_be_asked_for(root, lab, kind, service, operation, call, code):
    lab.add_fault(service=service, operation=operation, kind=kind, times=None)
    assert [code_of(getattr(root.client(service), call)) for _ in range(2)] == [code, code]
    lab.clear_faults()
    assert code_of(getattr(root.client(service), call)) == "ok"


def test_it_strikes_only_the_caller_that_it_names(root, lab):
    arn = root.role("vmexport-respond", trust({"AWS": PRODUCTION}), policy({}))
    alice = root.user("alice", policy({}))
    responder = alice.assume(arn)
    lab.add_fault(service="iam", kind="access-denied", caller="vmexport-respond", times=None)
    assert code_of(responder.client("iam").list_users) == "AccessDenied"
    assert code_of(alice.client("iam").list_users) == "ok"
    assert code_of(responder.client("ec2").describe_instances) == "ok"


def test_before_means_that_nothing_happened_and_after_that_the_answer_was_lost(root, lab):
    iam = root.client("iam")
    lab.add_fault(service="iam", operation="CreateUser", kind="internal-error")
    assert code_of(iam.create_user, UserName="before") == "ServiceFailure"
    assert code_of(iam.get_user, UserName="before") == "NoSuchEntity"
    lab.add_fault(service="iam", operation="CreateUser", kind="internal-error", after=True)
    assert code_of(iam.create_user, UserName="after") == "ServiceFailure"
    assert code_of(iam.get_user, UserName="after") == "ok"


def test_a_delay_makes_a_client_wait(root, lab):
    lab.add_fault(service="iam", operation="ListUsers", kind="delay", delay_s=0.4)
    began = time.monotonic()
    root.client("iam").list_users()
    assert time.monotonic() - began > 0.4


def test_an_error_of_ones_own_keeps_its_code_message_and_status(root, lab):
    lab.add_fault(
        service="ec2", operation="DescribeInstances", code="InvalidInstanceID.NotFound", message="gone", status=400
    )
    client = root.client("ec2")
    with pytest.raises(client.exceptions.ClientError) as refused:
        client.describe_instances()
    error = refused.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("InvalidInstanceID.NotFound", "gone")


def test_what_was_struck_is_in_the_trail(root, lab):
    lab.add_fault(service="ec2", operation="DescribeInstances", kind="access-denied")
    code_of(root.client("ec2").describe_instances)
    (made,) = [e for e in lab.events() if e["eventName"] == "DescribeInstances"]
    assert made["errorCode"] == "Client.UnauthorizedOperation"


@pytest.mark.parametrize("asked", [{"kind": "earthquake"}, {"service": "iam"}, {"serivce": "iam", "kind": "delay"}])
def test_a_fault_that_makes_no_sense_is_refused(lab, asked):
    with pytest.raises(LabRefused):
        lab.add_fault(**asked)
    assert httpx.get(f"{lab.endpoint}/lab/faults").json() == {"faults": []}
