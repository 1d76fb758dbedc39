"""A hunt in Elasticsearch finds what one in the files finds, however the integration kept the events, and says what it covers."""

from __future__ import annotations

import json
import secrets

import pytest

from decisions.sigma import load_rules
from lab import ecs
from lab.cloudtrail_generator import generate
from lab.ecs import Integration, Retain
from tasks.elastic import hunt as elastic_hunt
from tasks.elastic.failures import Unanswered
from tasks.hunting.coverage import Period
from tasks.hunting.fixtures import PACK, fixtures, load
from tasks.hunting.hunt import day
from tests.elastic.hunted import READ, days_after, in_files, indexed, lines_of, records_of, told
from tests.hunting.logs_of import compact, event, export, write
from tests.tasks.logs.test_access_logs import line

pytestmark = pytest.mark.elastic

HERE, OTHER = "111122223333", "444455556666"
KEY = "ASIAEXAMPLE000000001"
TASK = "export-i-0123456789abcdef0"
SETTINGS = {
    "everything": Integration(),
    "objects": Integration(Retain.FLATTENED),
    "the original": Integration(Retain.NONE, preserve_original_event=True),
}


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """A few hundred events with seven incidents, access logs of them among it."""
    folder = tmp_path_factory.mktemp("logs") / "org"
    return folder, generate(folder, 400, days=6, seed=3)


@pytest.fixture
def there(elasticsearch_url, namespace, tmp_path):
    return indexed(elasticsearch_url, namespace, tmp_path / "hunts")


def loaded_from(folder, elasticsearch_url, home, setup):
    made = indexed(elasticsearch_url, f"hunt{secrets.token_hex(4)}", home)
    made.put(records_of(folder), lines_of(folder), setup)
    return made


@pytest.mark.parametrize("setting", ["everything", "the original"])
def test_the_same_findings_as_from_the_files(made_up, elasticsearch_url, tmp_path, setting):
    folder, truth = made_up
    rules = load()
    found = loaded_from(folder, elasticsearch_url, tmp_path, SETTINGS[setting]).hunt(rules)
    expected = in_files(folder, rules)
    assert told(found) == told(expected)
    assert {f.event_id for f in found.findings if f.kind == "export"} == set(truth["exports"])
    assert {f.kind for f in found.findings} == {"export", "activity", "object", "download", "rule"}
    assert found.coverage.complete
    assert found.coverage.unit == "days"
    assert found.coverage.events == len({record["eventID"] for record in records_of(folder)})


@pytest.mark.parametrize("retain", [Retain.FLATTENED, Retain.KEYWORD])
def test_objects_alone_and_texts_alone_give_the_same_findings(made_up, elasticsearch_url, tmp_path, retain):
    folder, _ = made_up
    found = loaded_from(folder, elasticsearch_url, tmp_path, Integration(retain)).hunt()
    assert told(found) == told(in_files(folder))


def test_correlations_go_off_as_over_files(there, tmp_path):
    rules = load()
    cases = [case for rule in rules.rules for case in fixtures(PACK, rule.source) if case.sequence]
    records = {one["eventID"]: event(0) | one | {"eventID": f"{n}-{one['eventID']}"} for n, case in enumerate(cases) for one in case.records}  # fmt: skip
    there.put(records.values())
    for name, record in records.items():
        write(tmp_path / "files", compact([record]), name=f"{name}.json.gz", place="of-any-account-and-day")
    found, expected = there.hunt(rules), in_files(tmp_path / "files", rules)
    assert told(found) == told(expected)
    assert sum(f.kind == "correlation" for f in found.findings) > 3


def test_a_period_is_kept_to_on_records(made_up, elasticsearch_url, tmp_path):
    folder, _ = made_up
    made = loaded_from(folder, elasticsearch_url, tmp_path, None)
    period = Period(day("2026-03-02T12:00:00", READ), day("2026-03-04T12:00:00", READ))
    whole, part = made.hunt(load()), made.hunt(load(), period)
    assert told(part) == told(in_files(folder, load(), period))
    assert 0 < len(part.findings) < len(whole.findings)
    assert made.used, "days that both cover are asked once"


def place(bucket="exports", key=f"vms/{TASK}.ova"):
    return {"requestParameters": {"bucketName": bucket, "key": key}}


def data(number, name="GetObject", **more):
    return event(number, name, eventSource="s3.amazonaws.com", eventCategory="Data", managementEvent=False, **more)


def test_the_account_is_where_it_happened_not_the_callers(there):
    foreign = {"type": "AWSAccount", "principalId": "AIDAX", "accountId": OTHER, "accessKeyId": KEY}
    there.put([export(1, userIdentity=foreign), event(2, userIdentity=foreign), data(3, **place())])
    found = there.hunt().findings
    assert {(f.kind, f.account) for f in found} == {("export", HERE), ("activity", HERE), ("download", HERE)}


@pytest.mark.parametrize("setting", [*SETTINGS, "texts"])
def test_every_way_to_name_a_key_or_an_object_is_found(there, tmp_path, setting):
    issued = {"credentials": {"accessKeyId": KEY, "sessionToken": "TOKEN-IN-CLEAR"}}
    other = {"type": "IAMUser", "accountId": HERE, "arn": f"arn:aws:iam::{HERE}:user/a", "accessKeyId": "AKIAOTHER"}
    named = [
        event(11, "AssumeRole", eventSource="sts.amazonaws.com", userIdentity=other, responseElements=issued),
        event(12, "GetAccessKeyInfo", userIdentity=other, requestParameters={"accessKeyId": KEY}),
        data(13, userIdentity=other, **place()),
        data(14, "CopyObject", userIdentity=other, requestParameters={"bucketName": "x", "key": "y", "x-amz-copy-source": f"exports/vms/{TASK}.ova"}),
        data(15, "CopyObject", userIdentity=other, requestParameters={"bucketName": "x", "key": "y", "x-amz-copy-source": f"/exports/vms%2F{TASK}.ova"}),
        event(16, "CancelExportTask", userIdentity=other, requestParameters={"exportTaskId": TASK}),
        event(17, "DescribeExportTasks", userIdentity=other, requestParameters={"exportTaskIdSet": {"items": [{"exportTaskId": TASK}]}}),
        data(18, "HeadObject", userIdentity=other, resources=[{"ARN": f"arn:aws:s3:::exports/vms/{TASK}.ova"}], requestParameters={"bucketName": "exports"}),
        event(19, "Decrypt", userIdentity=other, requestParameters={"encryptionContext": {"aws:s3:arn": f"arn:aws:s3:::exports/vms/{TASK}.ova"}}),
        data(20, "ListObjects", userIdentity=other, requestParameters={"bucketName": "exports", "prefix": f"vms/{TASK}"}),
        data(21, userIdentity=other, requestParameters={"bucketName": "exports", "key": f"vms/{TASK}.ova", "x": "y" * 40_000}, resources=[{"ARN": f"arn:aws:s3:::exports/vms/{TASK}.ova"}]),
    ]  # fmt: skip
    silent = [
        event(31, userIdentity=other),
        event(32, userIdentity=other, requestParameters={"accessKeyId": f"{KEY}0"}),
        data(33, userIdentity=other, **place(key="vms/export-i-0123456789abcdef1.ova")),
    ]
    records = [export(1), *named, *silent]
    there.put(records, setup=SETTINGS.get(setting, Integration(Retain.KEYWORD)))
    write(tmp_path / "files", compact(records))
    found = there.hunt()
    assert told(found) == told(in_files(tmp_path / "files"))
    assert {f.event_id for f in found.findings} == {one["eventID"] for one in (export(1), *named)}
    kept = b"".join(path.read_bytes() for path in there.home.iterdir())
    assert KEY.encode() in kept
    assert b"TOKEN-IN-CLEAR" not in kept


def test_what_the_pipeline_could_not_parse_is_read_all_the_same(there):
    def failed(text):
        return {"@timestamp": ecs.stamp(READ), "event": {"kind": "pipeline_error", "original": text}}

    (rule,) = [one for one in load().rules if one.name == "vm_export_accepted"]
    broken = [json.dumps(export(1)), json.dumps(event(2)), "{no json"]
    there.put_documents((str(n), failed(text)) for n, text in enumerate(broken))
    escaping = line(requester=f"arn:aws:sts::{HERE}:assumed-role/a/a+b=c", key=f"vms/{TASK}.ova")
    there.put(lines=[escaping, line(key="vms/else"), line(key=f"vms/{TASK}.ova", operation="REST.HEAD.OBJECT")])
    found = there.hunt(
        load_rules({"a.yml": (PACK / "vm-export.yml").read_text()}), Period(None, day("2026-03-18", READ))
    )
    kinds = {(f.kind, f.event_name) for f in found.findings}
    assert ("export", "CreateInstanceExportTask") in kinds
    assert ("activity", "DescribeInstances") in kinds
    assert ("download", "REST.GET.OBJECT") in kinds
    assert ("object", "REST.HEAD.OBJECT") in kinds
    assert rule.id in {f.hunt for f in found.findings}
    assert "1 document(s) that the ingest pipeline could not parse cannot be read here either." in found.coverage.gaps


HOSTILE = ["*", "?SIA*", 'ASIA"}}],"x', "ASIA\\", "{[}]=, a", "ASIAEXAMPLE OR 1", "\u202eASIA\x00", "ASIA" * 2000]
TOO_LONG = {f"{n:08}-0000-4000-8000-000000000000" for n in (107, 207)}
"""No access key is so long: the record of it is cut, and what is cut is not followed."""


def test_hostile_values_match_themselves_only(there):
    identities = [{"type": "IAMUser", "accountId": HERE, "accessKeyId": key, "userName": key} for key in HOSTILE]
    exports = [export(n, userIdentity=one, userAgent=HOSTILE[n]) for n, one in enumerate(identities)]
    own = [event(100 + n, userIdentity=one) for n, one in enumerate(identities)]
    issued = [event(200 + n, "AssumeRole", userIdentity={}, responseElements={"credentials": {"accessKeyId": key}}) for n, key in enumerate(HOSTILE)]  # fmt: skip
    others = [event(300 + n) for n in range(5)]
    there.put([*exports, *own, *issued, *others])
    found = {f.event_id for f in there.hunt().findings}
    assert found == {one["eventID"] for one in (*exports, *own, *issued)} - TOO_LONG


def test_very_many_answers_of_one_day_are_read_in_parts(there, monkeypatch):
    monkeypatch.setattr(elastic_hunt, "PART", 30)
    many = [export(n, responseElements=None, errorCode="Client.UnauthorizedOperation") for n in range(150)]
    there.put(many)
    found = there.hunt(page_size=7)
    assert {f.event_id for f in found.findings} == {one["eventID"] for one in many}
    assert there.hunt().findings == found.findings
    assert there.used >= 5


NOISY = """
title: Everything in EC2
id: 11111111-2222-4333-8444-555555555555
logsource: {product: aws, service: cloudtrail}
detection:
    selection: {eventSource: ec2.amazonaws.com}
    condition: selection
level: low
"""


def test_a_rule_that_very_much_matches_is_read_in_part_and_counted_whole(there, monkeypatch):
    monkeypatch.setattr(elastic_hunt, "COMMON", 25)
    there.put([*(event(n) for n in range(60)), export(70)])
    rules = load_rules({"noisy.yml": NOISY})
    found = there.hunt(rules)
    assert found.counts[rules.rules[0].id] == 61
    assert sum(f.kind == "rule" for f in found.findings) == 25
    assert "export" in {f.kind for f in found.findings}
    assert "61 documents of 2026-03-02 may match 'Everything in EC2': the first 25 were read, the others only counted." in found.coverage.gaps  # fmt: skip


def test_rules_that_cannot_be_asked_are_named_with_the_reason(there):
    there.put([event(1)])
    unknown = NOISY.replace("eventSource: ec2.amazonaws.com", "status: x").replace("1111-", "9999-", 1)
    lines = NOISY.replace("cloudtrail", "s3access").replace("eventSource: ec2.amazonaws.com", "operation: x")
    found = there.hunt(load_rules({"noisy.yml": NOISY, "status.yml": unknown, "z.yml": lines.replace("8444", "8445")}))
    reasons = dict(found.refused_rules)
    assert "no field for status" in reasons["status.yml"]
    assert "access logs" in reasons["z.yml"]
    assert {f.kind for f in found.findings} == {"rule"}


def test_days_accounts_and_retention_that_are_missing_are_said(there):
    elsewhere = event(4, eventTime=days_after(1), recipientAccountId=OTHER)
    there.put([event(1), event(2, eventTime=days_after(1)), event(3, eventTime=days_after(5)), elsewhere])
    period = Period(day("2026-02-20", READ), day("2026-03-10", READ))
    found = there.hunt(None, period, cloudtrail_indices=f"{there.cloudtrail},logs-nobody-*")
    assert found.coverage.files_searched == 3
    assert found.coverage.events == 4
    gaps = "\n".join(found.coverage.gaps)
    assert "The oldest CloudTrail document of all is of 2026-03-02T10:00:01Z" in gaps
    assert f"No CloudTrail document of account {HERE} in eu-central-1 for 2026-03-04 to 2026-03-06 (3 days)" in gaps
    assert f"account {OTHER} in eu-central-1 begin on 2026-03-03" in gaps
    assert f"account {OTHER} in eu-central-1 end on 2026-03-03" in gaps
    assert "The newest CloudTrail document of all is of 2026-03-07T10:00:00Z" in gaps
    assert "logs-nobody-*: no index of that name" in gaps
    assert any("no S3 access logs" in note for note in found.coverage.notes)
    assert any(f"{there.cloudtrail}: 4 documents" in note for note in found.coverage.notes)


def test_no_index_is_no_answer(there):
    with pytest.raises(Unanswered, match="no index of that name"):
        there.hunt(cloudtrail_indices="logs-nobody-*")


def test_access_logs_that_are_there_are_not_called_absent(there):
    there.put([event(1)], [line()])
    (note, _) = there.hunt().coverage.notes
    assert "best effort" in note


def test_nothing_in_the_period_is_not_nothing_found(there):
    there.put([event(1)])
    found = there.hunt(None, Period(day("2025-01-01", READ), day("2025-02-01", READ)))
    assert found.coverage.files_searched == 0
    assert not found.findings


def test_integrations_that_keep_no_parameters_are_told(there):
    there.put([event(1), export(2)], setup=Integration(Retain.NONE))
    found = there.hunt()
    assert {f.kind for f in found.findings} == {"export", "activity"}
    assert any(gap.startswith("No document keeps what was asked") for gap in found.coverage.gaps)
