"""Whose sessions we use: their names, their renewal, one client however many threads ask, and never in a stranger's account."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from settings.aws import AwsSettings
from settings.organization import organization
from tasks import sts
from tests.lab.aws import MANAGEMENT, PRODUCTION, trust
from tests.tasks.conftest import CASE, FOREIGN, forget_settings


def calls(lab, name):
    return [e for e in lab.events() if e["eventName"] == name]


def test_a_session_names_tier_and_case_and_so_does_the_user_agent(ours, lab):
    sts.aws(CASE).client("sts", account=PRODUCTION, tier="read").get_caller_identity()
    call = calls(lab, "GetCallerIdentity")[-1]
    assert call["userIdentity"]["arn"].endswith(f"assumed-role/vmexport-read/vmexport-read-{CASE}")
    assert f"vmexport/{CASE}" in call["userAgent"]


def test_many_threads_share_one_session_and_one_client(ours, lab):
    aws = sts.aws(CASE)
    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(lambda _: aws.client("ec2", account=PRODUCTION, tier="read"), range(64)))
    assert len({id(client) for client in made}) == 1
    assert len([c for c in calls(lab, "AssumeRole") if c["account"] == PRODUCTION]) == 1  # the hub has a copy


def test_another_tier_and_another_account_are_other_sessions(ours):
    ours[PRODUCTION].role("vmexport-respond", trust({"AWS": f"arn:aws:iam::{MANAGEMENT}:root"}))
    aws = sts.aws(CASE)
    arns = {
        aws.client("sts", account=account, tier=tier).get_caller_identity()["Arn"]
        for account, tier in ((PRODUCTION, "read"), (PRODUCTION, "respond"), (MANAGEMENT, "read"))
    }
    assert len(arns) == 3


def test_a_session_is_renewed_before_it_expires(ours, lab):
    short = AwsSettings(session_duration=timedelta(minutes=15))
    client = sts.Sessions(CASE, short, organization()).client("sts", account=PRODUCTION, tier="read")
    client.get_caller_identity()  # 15 minutes lie within botocore's advisory window: every call renews
    client.get_caller_identity()
    used = {c["userIdentity"]["accessKeyId"] for c in calls(lab, "GetCallerIdentity")}
    assert len(used) == 2


def test_the_external_id_is_sent_where_the_trust_policy_asks_for_it(ours, monkeypatch):
    asks = trust({"AWS": f"arn:aws:iam::{MANAGEMENT}:root"}, StringEquals={"sts:ExternalId": "only-we-know"})
    ours[PRODUCTION].client("iam").update_assume_role_policy(RoleName="vmexport-read", PolicyDocument=asks)
    with pytest.raises(sts.NoSession, match="could not be assumed"):
        sts.aws(CASE).client("ec2", account=PRODUCTION, tier="read")
    monkeypatch.setenv("VMEXPORT_EXTERNAL_ID", "only-we-know")
    forget_settings()
    sts.aws(CASE).client("ec2", account=PRODUCTION, tier="read").describe_instances()


def test_no_role_is_assumed_in_an_account_that_is_not_ours(ours, lab):
    ours[FOREIGN].role("vmexport-read", trust("*"))
    with pytest.raises(sts.NoSession, match=r"not in organization\.toml"):
        sts.aws(CASE).client("ec2", account=FOREIGN, tier="read")
    assert calls(lab, "AssumeRole") == []


def test_an_unknown_tier_is_a_mistake_not_a_session(ours):
    with pytest.raises(ValueError, match="no tier 'admin'"):
        sts.aws(CASE).client("ec2", account=PRODUCTION, tier="admin")


def test_a_component_with_odd_characters_still_has_a_session(ours):
    odd = sts.Sessions("case / with spaces and ünïcode " + "x" * 80, AwsSettings(), organization())
    odd.client("ec2", account=PRODUCTION, tier="read").describe_instances()


def test_secrets_stay_out_of_what_is_printed(ours, monkeypatch):
    monkeypatch.setenv("VMEXPORT_EXTERNAL_ID", "only-we-know")
    assert "only-we-know" not in repr(AwsSettings())


def test_the_account_leaves_the_host_only_where_the_endpoint_is_an_address():
    from botocore.awsrequest import AWSRequest

    for before, after in (
        ("http://111122223333.127.0.0.1:4400/v20", "http://127.0.0.1:4400/v20"),
        (
            "https://111122223333.s3-control.us-east-1.amazonaws.com/v20",
            "https://111122223333.s3-control.us-east-1.amazonaws.com/v20",
        ),
    ):
        request = AWSRequest("GET", before)
        sts._keep_address(request)
        assert request.url == after
