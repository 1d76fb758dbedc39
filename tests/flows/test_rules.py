"""The playbook's severity criteria on facts: one change a row; neither moto nor Prefect."""

from __future__ import annotations

import json

import pytest

from decisions.export import Outcome
from decisions.findings import Severity
from decisions.resources import Acl, AclGrant
from decisions.severity import assess
from flows.vm_export.rules import SEVERITY_RULES
from tests.flows.given import (
    BUCKET,
    DEVELOPMENT,
    FOREIGN,
    PRODUCTION,
    answer,
    bucket,
    case,
    event,
    export,
    instance,
    known,
    organization,
    record,
    task,
    unknown,
)

HIGH, MEDIUM, LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW


def allow(principal, action="s3:GetObject", **condition):
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    return json.dumps({"Statement": [statement | ({"Condition": condition} if condition else {})]})


def opened(**change):
    return {BUCKET: known(bucket(**({"public_access_block": None} | change)))}


ALL_USERS = Acl(owner_id="a" * 64, grants=(AclGrant(grantee_type="Group", grantee_uri="http://acs.amazonaws.com/groups/global/AllUsers", permission="READ"),))  # fmt: skip

CASES = {
    "an approved migration": (case(), LOW, None),
    "production": (case(export(event=event(recipient_account=PRODUCTION))), HIGH, "high.production"),
    "sensitive data": (case(export(instance=known(instance(DataClassification="Restricted")))), HIGH, "high.sensitive-data"),
    "public by policy": (case(buckets=opened(policy=allow("*"))), HIGH, "high.public-bucket"),
    "public by policy, star in AWS": (case(buckets=opened(policy=allow({"AWS": ["*"]}))), HIGH, "high.public-bucket"),
    "public by ACL": (case(buckets=opened(acl=ALL_USERS)), HIGH, "high.public-bucket"),
    "outside account": (case(buckets=opened(policy=allow({"AWS": f"arn:aws:iam::{FOREIGN}:root"}))), HIGH, "high.outside-bucket"),
    "outside account by id": (case(buckets=opened(policy=allow({"AWS": FOREIGN}))), HIGH, "high.outside-bucket"),
    "foreign address": (case(export(event=event(source_address="203.0.113.9"))), HIGH, "high.suspicious-actor"),
    "root": (case(export(event=event(principal_type="Root"))), HIGH, "high.suspicious-actor"),
    "caller of another organization": (case(export(event=event(caller_account=FOREIGN))), HIGH, "high.suspicious-actor"),
    "trail stopped": (case(activity=known(answer(record("StopLogging")))), HIGH, "high.concealment"),
    "trail stopped, records missing": (case(activity=known(answer(record("StopLogging"), gaps=("x",)))), HIGH, "high.concealment"),
    "internal account": (case(export(account=known(organization().accounts[1].model_copy(update={"sensitivity": "internal"})))), MEDIUM, "medium.non-production"),
    "internal data": (case(export(instance=known(instance(DataClassification="internal")))), MEDIUM, "medium.internal-data"),
    "somebody else": (case(export(event=event(issuer_arn=f"arn:aws:iam::{DEVELOPMENT}:role/ops"))), MEDIUM, "medium.unapproved-exporter"),
    "another bucket": (case(export(bucket=known("example-other")), buckets={"example-other": known(bucket())}), MEDIUM, "medium.unapproved-bucket"),
    "no ticket": (case(export(task=known(task(description="a backup")))), MEDIUM, "medium.undocumented"),
    "refused": (case(export(event=event(outcome=Outcome.DENIED), task=unknown("no task"))), MEDIUM, "medium.attempt"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_severity(name):
    facts, level, rule = CASES[name]
    found = assess(facts, SEVERITY_RULES)
    assert (found.level, found.undecided) == (level, ())
    assert rule is None or rule in found.held


UNKNOWNS = {
    "account": (case(export(account=unknown("not in organization.toml"))), "high.production"),
    "instance": (case(export(instance=unknown())), "high.sensitive-data"),
    "untagged instance": (case(export(instance=known(instance().model_copy(update={"tags": {}})))), "high.sensitive-data"),
    "bucket state": (case(buckets={BUCKET: unknown()}), "high.public-bucket"),
    "public under a condition": (case(buckets=opened(policy=allow("*", IpAddress={"aws:SourceIp": "192.0.2.0/24"}))), "high.public-bucket"),
    "bucket": (case(export(bucket=unknown("not told"))), "medium.unapproved-bucket"),
    "activity": (case(activity=unknown("no logs")), "high.concealment"),
    "activity with gaps": (case(activity=known(answer(gaps=("No files for 2026-03-01.",)))), "high.concealment"),
    "caller": (case(export(event=event(principal_type=None, principal_arn=None, issuer_arn=None))), "medium.unapproved-exporter"),
    "caller's account": (case(export(event=event(caller_account=None))), "high.suspicious-actor"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWNS)
def test_a_missing_fact_is_named_and_keeps_the_level_at_medium(name):
    facts, rule = UNKNOWNS[name]
    found = assess(facts, SEVERITY_RULES)
    assert found.level is MEDIUM
    assert rule in {u.partition(":")[0] for u in found.undecided}


def test_why_a_rule_is_undecided_is_the_reason_of_the_unknown_fact():
    found = assess(case(buckets={BUCKET: unknown("AccessDenied: GetBucketPolicy.")}), SEVERITY_RULES)
    assert "high.public-bucket: AccessDenied: GetBucketPolicy." in found.undecided


@pytest.mark.parametrize("policy", [
    None, "no json", "[]", '{"Statement": 7}', allow("*", StringEquals={"aws:PrincipalOrgID": "o-exampleorgid"}),
    allow({"AWS": f"arn:aws:iam::{DEVELOPMENT}:root"}), allow("*", action="s3:PutObject"),
    allow({"CanonicalUser": "b" * 64}, action=["s3:GetBucketAcl", "s3:PutObject"]), allow({"Service": "cloudtrail.amazonaws.com"}),
])  # fmt: skip
def test_a_policy_that_lets_nobody_outside_read_is_harmless(policy):
    assert assess(case(buckets=opened(policy=policy)), SEVERITY_RULES).level is LOW


def test_a_public_policy_behind_a_block_is_not_public():
    assert assess(case(buckets={BUCKET: known(bucket(policy=allow("*"), acl=ALL_USERS))}), SEVERITY_RULES).level is LOW


def test_one_bad_export_among_many_decides():
    facts = case(export(), export(event=event(event_id="e-2", recipient_account=PRODUCTION)))
    assert assess(facts, SEVERITY_RULES).level is HIGH


def test_a_refused_export_from_production_is_an_attempt_not_a_loss():
    facts = case(export(event=event(recipient_account=PRODUCTION, outcome=Outcome.DENIED), task=unknown("no task")))
    assert "high.production" not in assess(facts, SEVERITY_RULES).held


def test_a_request_whose_task_exists_counts_as_made_whatever_the_alert_said():
    facts = case(export(event=event(recipient_account=PRODUCTION, outcome=Outcome.FAILED)))
    assert "high.production" in assess(facts, SEVERITY_RULES).held


def test_a_star_in_an_approved_exporter_reaches_no_other_account():
    ours = organization(approved_exporters=(f"arn:aws:iam::{DEVELOPMENT}:role/vm-*",))
    assert assess(case(organization=ours), SEVERITY_RULES).level is LOW
    wide = organization(approved_exporters=("arn:aws:iam::*:role/vm-*",))
    assert "medium.unapproved-exporter" in assess(case(organization=wide), SEVERITY_RULES).held


def test_rule_ids_name_their_level_and_are_unique():
    ids = [rule.id for rule in SEVERITY_RULES]
    assert len(set(ids)) == len(ids)
    assert all(rule.id.startswith(f"{rule.level}.") for rule in SEVERITY_RULES)
