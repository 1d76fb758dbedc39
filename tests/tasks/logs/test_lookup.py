"""The event history, files and access logs of the lab, asked as the investigation asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from decisions.evidence import Known
from tasks import sts
from tasks.logs import questions
from tasks.logs.combined import Combined, store
from tasks.logs.interface import ObjectPlace, Scope
from tasks.logs.lookup import EventHistory
from tests.lab.aws import PRODUCTION, policy, trust
from tests.tasks.conftest import CASE, DEVELOPMENT, drill, forget_settings, ours, roots

__all__ = ["ours", "roots"]


@pytest.fixture
def scope():
    now = datetime.now(UTC)
    return Scope(
        accounts=(PRODUCTION,), regions=("us-east-1",), since=now - timedelta(hours=1), until=now + timedelta(minutes=5)
    )


@pytest.fixture
def actor(ours):
    """A session of a contractor's role, taken on by a user."""
    ours[PRODUCTION].role("ops", trust({"AWS": f"arn:aws:iam::{PRODUCTION}:root"}), policy({}))
    user = ours[PRODUCTION].user("mallory", policy({}))
    return user, user.assume(f"arn:aws:iam::{PRODUCTION}:role/ops", session="jo@example.com")


def history():
    return EventHistory(sts.aws(CASE), max_pages=40, max_records=1000)


def test_activity_of_a_key_is_paged_through(actor, scope):
    _, session = actor
    ec2 = session.client("ec2")
    for _ in range(60):
        ec2.describe_instances()
    found = history().activity([session.key.access_key_id], scope)
    assert len(found.records) == 60
    assert found.coverage.complete


def test_a_question_with_more_pages_than_allowed_says_so(actor, scope):
    _, session = actor
    for _ in range(60):
        session.client("sts").get_caller_identity()
    found = EventHistory(sts.aws(CASE), max_pages=1, max_records=1000).activity([session.key.access_key_id], scope)
    assert "more than 1 pages" in found.coverage.gaps[0]


def test_the_origin_of_a_temporary_key_is_found(actor, scope):
    user, session = actor
    found = history().credential_origin(session.key.access_key_id, scope)
    assert [(r.event_name, r.access_key_id) for r in found.records] == [("AssumeRole", user.key.access_key_id)]


def test_the_origin_of_an_image_names_the_instance(ours, scope):
    ec2 = ours[PRODUCTION].client("ec2")
    base = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    instance = ec2.run_instances(ImageId=base, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    image = ec2.create_image(InstanceId=instance, Name="copy")["ImageId"]
    found = history().image_origin(image, scope)
    assert [r.request_parameters["instanceId"] for r in found.records] == [instance]


def test_permission_changes_are_found(ours, scope):
    ours[PRODUCTION].user("eve", policy({}))
    names = {r.event_name for r in history().permission_changes(scope).records}
    assert {"CreateUser", "PutUserPolicy", "CreateAccessKey"} <= names


def test_an_account_that_cannot_be_asked_is_a_gap(ours, scope):
    ours[DEVELOPMENT].client("iam").delete_role_policy(RoleName="vmexport-read", PolicyName="given")
    found = history().exports(scope.model_copy(update={"accounts": (DEVELOPMENT,)}))
    assert not found.coverage.complete
    assert DEVELOPMENT in found.coverage.gaps[0]


def test_object_reads_are_not_in_the_event_history(ours, scope):
    found = history().object_reads(ObjectPlace(bucket="example-drop", key="k"), scope)
    assert "no data events" in found.coverage.gaps[0]


def test_files_are_enough_when_they_cover_the_period_and_records_are_once(ours, actor, scope, lab):
    _, session = actor
    session.client("ec2").describe_instances()
    lab.deliver()
    today = scope.model_copy(update={"since": max(scope.since, datetime.now(UTC).replace(hour=0, minute=0))})
    answer = questions.activity.answer(CASE, (session.key.access_key_id,), today)
    assert isinstance(answer, Known)
    assert [r.event_name for r in answer.value.records] == ["DescribeInstances"]
    assert "AWSLogs/" in answer.value.records[0].origin
    assert answer.value.coverage.complete


def test_a_gap_of_the_files_is_filled_by_the_event_history(actor, scope, lab):
    _, session = actor
    session.client("ec2").describe_instances()
    lab.deliver()
    yesterday = scope.model_copy(update={"since": scope.since - timedelta(days=30)})
    found = store(sts.aws(CASE)).activity([session.key.access_key_id], yesterday)
    assert len(found.records) == 1
    assert found.coverage.complete


def test_a_download_is_found_in_the_access_log(ours, lab, scope):
    client = ours[PRODUCTION].client("s3")
    for name in ("example-drop", "example-logs"):
        client.create_bucket(Bucket=name)
    allow = {
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::example-logs/*",
    }
    client.put_bucket_policy(Bucket="example-logs", Policy=policy(allow))
    client.put_bucket_logging(
        Bucket="example-drop",
        BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": "example-logs", "TargetPrefix": "drop/"}},
    )
    client.put_object(Bucket="example-drop", Key="vm/export-i-1.ova", Body=b"x" * 100)
    client.get_object(Bucket="example-drop", Key="vm/export-i-1.ova")["Body"].read()
    lab.deliver()
    place = ObjectPlace(bucket="example-drop", key="vm/export-i-1.ova")
    answer = questions.object_reads.answer(CASE, place, scope, ("S3 data events are off.",))
    assert isinstance(answer, Known)
    assert "REST.GET.OBJECT" in {r.event_name for r in answer.value.records}
    assert "S3 data events are off." in answer.value.coverage.gaps


def test_without_folders_the_event_history_is_all(ours, monkeypatch):
    monkeypatch.delenv("VMEXPORT_CLOUDTRAIL_DIR")
    monkeypatch.delenv("VMEXPORT_S3_ACCESS_LOGS_DIR")
    forget_settings()
    made = store(sts.aws(CASE))
    assert isinstance(made, Combined)
    assert [type(t) for t in made._trails] == [EventHistory]


def test_the_canary_tells_a_good_credential_from_a_refused_one(ours, tmp_path):
    from tasks import canary

    someone = ours[PRODUCTION].user("mallory", policy({}))
    assert not canary.at_hand(someone.key.access_key_id)
    drill(tmp_path / "drill.json", someone)
    assert canary.at_hand(someone.key.access_key_id)
    assert canary.probe(someone.key.access_key_id, PRODUCTION, "us-east-1") is None
    deny = policy({"Effect": "Deny"})
    ours[PRODUCTION].client("iam").put_user_policy(UserName="mallory", PolicyName="cut", PolicyDocument=deny)
    assert "UnauthorizedOperation" in (canary.probe(someone.key.access_key_id, PRODUCTION, "us-east-1") or "")
    ours[PRODUCTION].client("iam").update_access_key(
        UserName="mallory", AccessKeyId=someone.key.access_key_id, Status="Inactive"
    )
    assert "AuthFailure" in (canary.probe(someone.key.access_key_id, PRODUCTION, "us-east-1") or "")
