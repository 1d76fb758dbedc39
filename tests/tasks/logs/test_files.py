"""CloudTrail files in AWS's layout: what is found, what is not searched, and that a broken file hides nothing else."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from tasks.logs.files import CloudTrailFiles
from tasks.logs.interface import ObjectPlace, Query, Scope
from tests.records_of import cloudtrail_record

zipped = partial(gzip.compress, mtime=0)
"""The same bytes in every process that collects these tests."""

PRODUCTION = "111122223333"
DAY = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
KEY = "ASIAEXAMPLEEXAMPLE01"
SCOPE = Scope(
    accounts=(PRODUCTION,), regions=("us-east-1",), since=DAY - timedelta(hours=2), until=DAY + timedelta(hours=2)
)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "logs"


def write(folder, *records, account=PRODUCTION, region="us-east-1", day="2026/03/02", name="a", org="", raw=None):
    path = folder / "AWSLogs" / org / account / "CloudTrail" / region / day / f"{name}.json.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps({"Records": records}).encode()) if raw is None else raw)
    return path


def store(folder, **change):
    return CloudTrailFiles(folder, **({"max_bytes": 1_000_000, "max_records": 100} | change))


def test_what_a_key_called_is_found_with_where_it_was_read(folder):
    write(folder, cloudtrail_record("e-1"), cloudtrail_record("e-2", userIdentity={"type": "Root"}))
    found = store(folder).activity([KEY], SCOPE)
    assert [r.event_id for r in found.records] == ["e-1"]
    assert found.records[0].origin.endswith("a.json.gz#0")
    assert found.coverage.complete


@pytest.mark.parametrize("org", ["", "o-exampleorgid"])
def test_both_layouts_are_read_however_deep_the_folder(folder, org):
    write(folder / "bucket" / "prefix", cloudtrail_record("e-1"), org=org)
    assert len(store(folder).exports(SCOPE).records) == 1


def test_a_record_that_was_delivered_after_midnight_is_found(folder):
    late = Scope(accounts=(PRODUCTION,), regions=("us-east-1",), since=DAY, until=DAY.replace(hour=23, minute=59))
    write(folder, cloudtrail_record("e-0"))
    write(folder, cloudtrail_record("e-1", eventTime="2026-03-02T23:58:00Z"), day="2026/03/03")
    assert [r.event_id for r in store(folder).exports(late).records] == ["e-0", "e-1"]


def test_a_record_twice_is_one(folder):
    write(folder, cloudtrail_record("e-1"), name="a")
    write(folder, cloudtrail_record("e-1"), name="b", org="o-exampleorgid")
    assert len(store(folder).exports(SCOPE).records) == 1


def test_what_lies_outside_the_period_is_left_out(folder):
    write(folder, cloudtrail_record("e-1", eventTime="2026-03-02T03:00:00Z"))
    assert store(folder).exports(SCOPE).records == ()


@pytest.mark.parametrize("content", [
    b"\x1f\x8bnot gzip", zipped(b'{"Records": [')[:-3], zipped(b"[" * 100_000), zipped(b"{}"),
    zipped(b'{"Records": [1, {"a": 2}]} CreateInstanceExportTask'), b"",
])  # fmt: skip
def test_a_broken_file_is_a_gap_and_the_others_are_read(folder, content):
    # Texts that the prefilter looks for must not decide whether a broken file is named.
    bad = write(folder, name="bad", raw=content)
    write(folder, cloudtrail_record("e-1"), name="good")
    found = store(folder).search(Query(), SCOPE)
    assert [r.event_id for r in found.records] == ["e-1"]
    assert not found.coverage.complete
    assert any(bad.name in gap for gap in found.coverage.gaps)


def test_a_record_that_is_none_is_counted_and_the_rest_of_its_file_is_read(folder):
    write(folder, {"eventName": "ExportImage"}, cloudtrail_record("e-1"), 7)
    found = store(folder).exports(SCOPE)
    assert [r.event_id for r in found.records] == ["e-1"]
    assert any(gap.startswith("2 record(s)") for gap in found.coverage.gaps)


def test_an_unpaired_surrogate_hides_no_record_of_its_file(folder):
    text = json.dumps({"Records": [cloudtrail_record("e-1", userAgent="X"), cloudtrail_record("e-2")]})
    write(folder, raw=gzip.compress(text.replace('"X"', '"\\ud800"').encode()))
    found = store(folder).exports(SCOPE)
    assert [r.event_id for r in found.records] == ["e-1", "e-2"]
    assert found.model_validate_json(json.dumps(found.model_dump(mode="json"))) == found


def test_a_bomb_is_a_gap_not_an_end_of_memory(folder):
    write(folder, raw=gzip.compress(b"0" * 2_000_000))
    assert "unpacks to more than" in store(folder).exports(SCOPE).coverage.gaps[0]


def test_a_day_without_files_is_a_gap(folder):
    write(folder, cloudtrail_record("e-1"))
    two_days = SCOPE.model_copy(update={"since": DAY - timedelta(days=1)})
    found = store(folder).exports(two_days)
    assert found.coverage.gaps == ("No CloudTrail files of account 111122223333 in us-east-1 for 2026-03-01.",)
    assert len(found.records) == 1


def test_an_account_or_folder_that_is_not_there_is_a_gap(folder, tmp_path):
    write(folder, cloudtrail_record("e-1"))
    other = SCOPE.model_copy(update={"accounts": ("123456789012",)})
    assert "123456789012" in store(folder).exports(other).coverage.gaps[0]
    assert "VMEXPORT_CLOUDTRAIL_DIR" in store(tmp_path / "nowhere").exports(SCOPE).coverage.gaps[0]


def test_the_last_minutes_do_not_count_as_searched(folder):
    now = datetime.now(UTC)
    write(folder, cloudtrail_record("e-1"), day=f"{now:%Y/%m/%d}")
    until_now = Scope(accounts=(PRODUCTION,), regions=("us-east-1",), since=now - timedelta(minutes=1), until=now)
    coverage = store(folder).exports(until_now).coverage
    assert coverage.searched_to <= now - timedelta(minutes=0, seconds=59)


def test_too_many_records_keep_the_newest_and_say_so(folder):
    write(folder, *(cloudtrail_record(f"e-{n}", eventTime=f"2026-03-02T10:0{n}:00Z") for n in range(5)))
    found = store(folder, max_records=2).exports(SCOPE)
    assert [r.event_id for r in found.records] == ["e-3", "e-4"]
    assert "3 oldest" in found.coverage.gaps[0]


def test_the_call_that_gave_out_a_key_is_found_by_the_key(folder):
    given = cloudtrail_record(
        "e-9",
        eventSource="sts.amazonaws.com",
        eventName="AssumeRole",
        responseElements={"credentials": {"accessKeyId": "ASIAEXAMPLEEXAMPLE99", "sessionToken": "secret-token"}},
    )
    write(folder, given, cloudtrail_record("e-1"))
    found = store(folder).credential_origin("ASIAEXAMPLEEXAMPLE99", SCOPE)
    assert [r.event_id for r in found.records] == ["e-9"]
    assert "secret-token" not in found.model_dump_json()


def test_reads_of_an_object_are_found_by_key_or_prefix_copies_included(folder):
    def read(event_id, name, **asked):
        change = {"eventCategory": "Data", "managementEvent": False, "requestParameters": asked}
        return cloudtrail_record(event_id, eventSource="s3.amazonaws.com", eventName=name, **change)

    write(
        folder,
        read("get", "GetObject", bucketName="example-drop", key="vm/export-i-1.ova"),
        read(
            "copy",
            "CopyObject",
            **{"bucketName": "b", "key": "x", "x-amz-copy-source": "example-drop/vm/export-i-1.ova"},
        ),
        read("other", "GetObject", bucketName="example-drop", key="vm/else"),
        read("foreign", "GetObject", bucketName="example-other", key="vm/export-i-1.ova"),
    )
    exact = store(folder).object_reads(ObjectPlace(bucket="example-drop", key="vm/export-i-1.ova"), SCOPE)
    under = store(folder).object_reads(ObjectPlace(bucket="example-drop", key="vm/", key_is_prefix=True), SCOPE)
    assert {r.event_id for r in exact.records} == {"get", "copy"}
    assert {r.event_id for r in under.records} == {"get", "copy", "other"}
