"""A hunt in a bucket finds what a hunt in the same folder finds, and lists no more than the period needs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.hunt import HuntResult
from lab.cloudtrail_generator import generate
from settings import buckets as bucket_settings
from tasks.hunting import pool
from tasks.hunting.buckets import bucket
from tasks.hunting.buckets_address import BucketUnusable
from tasks.hunting.buckets_layout import Days
from tasks.hunting.coverage import LATE, Period
from tasks.hunting.file_source import FileSource
from tasks.hunting.fixtures import load
from tasks.hunting.hunt import hunt
from tasks.hunting.layout import ACCESS, CLOUDTRAIL
from tests.hunting.log_bucket import LIMIT, LOGS, MARCH, calls, exports, look, put, s3, upload
from tests.hunting.logs_of import ACCOUNT, PLACE, event, export
from tests.lab.aws import FOREIGN, PRODUCTION, As, policy
from tests.tasks.conftest import eventually, lab, lab_process, ours, roots

__all__ = ["eventually", "lab", "lab_process", "ours", "roots", "s3"]


def without_place(result: HuntResult) -> list[Any]:
    """Findings, but for where they were read."""
    return [finding.model_dump(exclude={"origin": True, "record": {"origin"}}) for finding in result.findings]


def test_finds_in_a_bucket_what_it_finds_in_the_folder(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same findings with the same ids, rules and correlations included, in many processes; named by their keys."""
    folder = tmp_path / "org"
    truth = generate(folder, 4_000, days=10, seed=5)
    upload(s3, folder, "logs/")
    local = hunt(FileSource(folder, Period(), LIMIT), Period(), load())
    monkeypatch.setattr(pool, "ALONE", 0)
    monkeypatch.setattr(pool, "BATCH_FILES", 20)
    told: list[tuple[str, int, int]] = []
    source = FileSource(
        bucket(f"s3://{LOGS}/logs/"), Period(), LIMIT, 3, progress=lambda name, n, of, *_: told.append((name, n, of))
    )
    remote = hunt(source, Period(), load())
    assert exports(remote) == set(truth["exports"])
    assert without_place(remote) == without_place(local)
    assert remote.counts == local.counts
    assert remote.coverage.model_copy(update={"notes": local.coverage.notes}) == local.coverage
    assert all(
        finding.origin.startswith(f"s3://{LOGS}/logs/") for finding in remote.findings if finding.kind == "export"
    )
    assert told[-1][1] == told[-1][2]


def days_of(*days: int) -> list[str]:
    return [f"{MARCH}/{day:02}/" for day in days]


def test_only_the_days_of_the_period_are_listed(s3: Any) -> None:
    """Late delivery included; whole months in one go; nothing is listed twice, and every request names the owner."""
    for month, day in ((1, 10), (2, 27), (3, 1), (3, 2), (3, 3), (3, 4), (3, 9)):
        key = f"AWSLogs/{ACCOUNT}/CloudTrail/eu-central-1/2026/{month:02}/{day:02}/a.json.gz"
        put(s3, key, export(month * 100 + day, eventTime=f"2026-{month:02}-{day:02}T10:00:00Z"))
    put(s3, f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/eu-central-1/2026/03/02/d.json.gz")
    put(s3, f"AWSLogs/{ACCOUNT}/Config/eu-central-1/2026/3/2/ConfigHistory/c.json.gz")
    seen = calls()
    result = look("AWSLogs/", Period(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)))
    assert {finding.time.day for finding in result.findings} == {2}
    lists = [told["Prefix"] for name, told in seen if name == "ListObjectsV2"]
    assert [prefix for prefix in lists if prefix.startswith(f"{MARCH}/")] == days_of(2, 3, 4)
    assert sorted(set(lists) - {*days_of(2, 3, 4)}) == [
        "AWSLogs/",
        f"AWSLogs/{ACCOUNT}/",
        f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/",
        f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/eu-central-1/2026/03/",
        f"AWSLogs/{ACCOUNT}/CloudTrail/",
    ]
    assert len(lists) == len(set(lists))
    assert {told["ExpectedBucketOwner"] for _, told in seen} == {PRODUCTION}
    assert len([name for name, _ in seen if name == "GetObject"]) == 6  # three days, each of them near the export
    assert result.coverage.skipped == {"digest": 1, "folder of another service's logs": 1}
    assert f"Of s3://{LOGS}/AWSLogs/ only the days of the period" in " ".join(result.coverage.sentences())

    seen.clear()
    february = Period(datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))
    assert exports(look(f"AWSLogs/{ACCOUNT}/CloudTrail/", february)) == {
        f"{n:08}-0000-4000-8000-000000000000" for n in (227,)
    }
    place = f"AWSLogs/{ACCOUNT}/CloudTrail/eu-central-1/2026"
    below = [told["Prefix"] for name, told in seen if name == "ListObjectsV2"][1:]
    assert sorted(below) == [f"{place}/01/31/", f"{place}/02/", f"{place}/03/01/", f"{place}/03/02/"]


def test_every_layout_is_found_from_wherever_one_begins(s3: Any) -> None:
    """With and without organisation and prefix; the prefix may end within a name, or be one object."""
    for n, place in enumerate(("AWSLogs", "AWSLogs/o-exampleorgid", "b/AWSLogs", "pre-AWSLogs/o-exampleorgid")):
        above = f"{n}/{place}/{ACCOUNT}/CloudTrail/eu-central-1/2026/"
        put(s3, f"{above}03/02/a.json.gz", export(1))
        put(s3, f"{above}01/02/a.json.gz", event(1))
        for prefix in (
            f"{n}/",
            f"{n}/{place}",
            above[:-9],
            above,
            f"{above}0",
            f"{above}03/",
            f"{above}03/02/a.json.gz",
        ):
            for since in (None, datetime(2026, 3, 1, tzinfo=UTC)):
                listing = bucket(f"s3://{LOGS}/{prefix}").listing(Period(since))
                both = since is None and len(prefix) < len(f"{above}03")
                assert [file.day for file in listing.files] == ["2026-01-02"] * both + ["2026-03-02"], prefix
                assert {(file.account, file.region) for file in listing.files} == {(ACCOUNT, "eu-central-1")}
                assert not listing.unreadable


def line(day: int, key: str = "vms/export-i-0123456789abcdef0.ova") -> bytes:
    return (
        f"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be exports [{day:02}/Mar/2026:12:00:00 +0000] 203.0.113.7 - "
        f'3E57427F3EXAMPLE REST.GET.OBJECT {key} "GET /{key} HTTP/1.1" 200 - 1024 1024 70 10 "-" "curl/8" - - - - - - - - -\n'
    ).encode()


def access_log(day: int, number: int = 0) -> str:
    return f"2026-03-{day:02}-12-00-00-{number:016X}"


def test_access_logs_are_listed_by_the_day_in_their_names(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are of other days; other files beside them and behind them are found all the same."""
    monkeypatch.setattr("tasks.hunting.buckets_listing.PAGE_KEYS", 50)
    for number in range(110):
        s3.put_object(Bucket=LOGS, Key=f"access/exports-2025-11-05-12-00-00-{number:016X}", Body=b"")
    for day in (1, 2, 4, 5, 6, 8):
        s3.put_object(Bucket=LOGS, Key=f"access/exports-{access_log(day)}", Body=line(day))
    s3.put_object(
        Bucket=LOGS, Key=f"access/partitioned/{ACCOUNT}/us-east-1/exports/2026/03/04/{access_log(4, 1)}", Body=line(4)
    )
    s3.put_object(
        Bucket=LOGS, Key=f"access/partitioned/{ACCOUNT}/us-east-1/exports/2026/03/09/{access_log(9, 1)}", Body=line(9)
    )
    put(s3, f"access/z/{PLACE}/a.json.gz", export(1))
    put(s3, "access/exports-2026-03-03/in-a-folder.json.gz", event(1))
    period = Period(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC))
    seen = calls()
    found = bucket(f"s3://{LOGS}/access/").listing(period)
    names = {file.path.rpartition("/")[2] for file in found.files}
    assert names == {
        "a.json.gz",
        "in-a-folder.json.gz",
        access_log(4, 1),
        *(f"exports-{access_log(day)}" for day in (2, 4, 5, 6)),
    }
    lists = [told for name, told in seen if name == "ListObjectsV2"]
    assert len(lists) < 25
    assert not [told for told in lists if told.get("ContinuationToken")]
    for prefix in (f"access/exports-{access_log(4)}", "access/exports-2026-03-04-1"):
        assert len(bucket(f"s3://{LOGS}/{prefix}").listing(period).files) == 1
    result = look("access/", period)
    assert [finding.time.day for finding in result.findings if finding.kind == "download"] == [2]


def test_a_folder_that_cannot_be_listed_is_a_hole_and_a_busy_s3_is_asked_again(s3: Any, lab: Any) -> None:
    """Nothing is taken for empty that was not looked into."""
    put(s3, f"{MARCH}/02/a.json.gz", export(1))
    lab.add_fault(service="s3", operation="GetObject", kind="throttling", times=2)
    assert len(exports(look())) == 1
    deny = policy(
        {"Effect": "Deny", "Principal": "*", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{LOGS}",
         "Condition": {"StringLike": {"s3:prefix": "AWSLogs/*/CloudTrail/*"}}}
    )  # fmt: skip
    s3.put_bucket_policy(Bucket=LOGS, Policy=deny)
    result = look()
    assert not result.findings
    assert not result.coverage.complete
    (hole,) = result.coverage.quarantined
    assert hole.path == f"s3://{LOGS}/AWSLogs/{ACCOUNT}/CloudTrail/"
    assert "s3:ListBucket" in hole.why


@pytest.mark.parametrize(
    ("text", "account", "said"),
    [
        (f"s3://{LOGS}", FOREIGN, "is not in organization.toml"),
        (f"s3://{LOGS}", "123456789012", "it is no bucket of account 123456789012"),
        ("s3://nobody-has-this", PRODUCTION, "There is no bucket"),
        ("s3://Not A Bucket/x", PRODUCTION, "names no bucket"),
        (f"s3://{LOGS}", "", "--bucket-account"),
    ],
)
def test_a_bucket_that_is_not_ours_is_refused(
    s3: Any, monkeypatch: pytest.MonkeyPatch, text: str, account: str, said: str
) -> None:
    """With what to do about it."""
    monkeypatch.delenv("VMEXPORT_HUNT_LOG_ACCOUNT")
    bucket_settings.buckets.cache_clear()
    with pytest.raises(BucketUnusable, match=said):
        bucket(text, account or None)


def test_a_bucket_full_of_something_else_is_refused(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of folders that tell nothing are a wrong prefix, not a long listing."""
    monkeypatch.setattr("tasks.hunting.buckets_listing.FOLDERS_MAX", 20)
    for n in range(30):
        s3.put_object(Bucket=LOGS, Key=f"pictures/{n}/x.png", Body=b"")
    with pytest.raises(BucketUnusable, match="Name the prefix of the logs"):
        look()


def test_a_bucket_is_asked_where_it_lies(s3: Any, ours: dict[str, As]) -> None:
    """Its Region is found by itself: requests elsewhere would be sent on, each time."""
    there = ours[PRODUCTION].elsewhere(region="eu-central-1").client("s3")
    place = {"LocationConstraint": "eu-central-1"}
    there.create_bucket(Bucket="example-trail-frankfurt", CreateBucketConfiguration=place)
    found = bucket("s3://example-trail-frankfurt")
    assert found.region == found.s3.meta.region_name == "eu-central-1"


@given(st.dates(date(2024, 1, 1), date(2026, 6, 1)), st.integers(0, 500), st.sampled_from([CLOUDTRAIL, ACCESS]))
def test_every_day_of_the_period_is_asked_for_once_and_no_other(first: date, more: int, kind: str) -> None:
    """Months as one, days at the edges; what comes late included."""
    since = datetime(first.year, first.month, first.day, 5, tzinfo=UTC)
    days = Days(Period(since, since + timedelta(days=more)), datetime(2026, 11, 24, tzinfo=UTC))
    asked = days.below("x", kind)
    separator = "/" if kind == CLOUDTRAIL else "-"
    wanted = {date.fromordinal(first.toordinal() + n) for n in range(more + LATE[kind].days + 1)}
    wanted = {day for day in wanted if day <= date(2026, 11, 25)}
    for day in {date.fromordinal(first.toordinal() + n) for n in range(-40, more + 45)}:
        key = "x" + day.isoformat().replace("-", separator) + separator
        assert sum(key.startswith(prefix) for prefix in asked) == (day in wanted), day
    assert len(asked) <= len(wanted)
