"""Validation of a log bucket of which not all was listed or read: what is not known is said, and nobody is accused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from decisions.digest_page import integrity_blocks
from decisions.terminal import to_terminal
from lab.trail_digests import HOUR, Signer, write_digests
from tasks.hunting.coverage import Period
from tasks.hunting.digest_keys import FileKeys
from tasks.hunting.digests import HIDDEN, validated
from tests.hunting.digest_bucket import (
    HERE,
    check,
    deliver,
    place,
    rewrite,
    untouched,
)
from tests.hunting.log_bucket import LIMIT, LOGS, s3
from tests.hunting.logs_of import ACCOUNT, REGION, compact, event
from tests.hunting.trails_of import HOURS, Trail, breaks, log_file
from tests.lab.aws import policy
from tests.tasks.conftest import eventually, lab, lab_process, ours, roots

__all__ = ["eventually", "lab", "lab_process", "ours", "roots", "s3", "untouched"]


def deny(s3: Any, action: str, resource: str, **condition: Any) -> None:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": f"arn:aws:s3:::{resource}",
        **condition,
    }
    s3.put_bucket_policy(Bucket=LOGS, Policy=policy(statement))


def deny_listing(s3: Any, prefix: str) -> None:
    deny(s3, "s3:ListBucket", LOGS, Condition={"StringLike": {"s3:prefix": prefix}})


def test_digests_that_may_not_be_listed_are_said_and_nobody_is_accused(s3: Any, mine: Trail) -> None:
    """That they could not be looked for is no sign that they were deleted, and none that all is well."""
    deliver(s3, mine)
    deny_listing(s3, "AWSLogs/*/CloudTrail-Digest/*")
    told = check(mine)
    assert breaks(told) == {("unlisted", f"{HERE}AWSLogs/{ACCOUNT}/CloudTrail-Digest/")}
    assert "s3:ListBucket" in told.breaks[0].why
    page = to_terminal(integrity_blocks(told), 120)
    assert "Folder(s) that could not be looked into:" in page
    assert "NOT known" in told.headline()
    assert told.broken
    assert not told.complete
    assert not told.changed
    assert sum(told.logs_unproven.values()) == 2 * HOURS


def test_log_files_that_may_not_be_listed_are_not_called_missing(s3: Any, mine: Trail) -> None:
    """They are counted as what they are: not proven."""
    deliver(s3, mine)
    deny_listing(s3, f"AWSLogs/{ACCOUNT}/CloudTrail/*")
    told = check(mine)
    assert {kind for kind, _ in breaks(told)} == {"unlisted"}
    assert told.logs_unproven == {HIDDEN: 2 * HOURS}


def test_objects_that_may_not_be_read_are_unread_and_not_changed(s3: Any, mine: Trail) -> None:
    """Of the digest nothing is known, so its log files are not proven."""
    deliver(s3, mine)
    deny(s3, "s3:GetObject", f"{LOGS}/{mine.digests[3].key}")
    told = check(mine)
    assert breaks(told) == {("unread-digest", HERE + mine.digests[3].key)}
    assert "s3:GetObject" in told.breaks[0].why
    assert "NOT known" in told.headline()
    assert sum(told.logs_unproven.values()) == 2


def test_an_object_that_changes_between_listing_and_reading_is_not_taken_for_either(s3: Any, mine: Trail) -> None:
    """Replaced or gone: it is named, and no other content than the listed one is judged."""
    deliver(s3, mine)
    there = place()
    there.listing(Period())
    s3.delete_object(Bucket=LOGS, Key=mine.name(mine.log(1)))
    for key in (mine.name(mine.log(2)), mine.digests[5].key):
        rewrite(s3, key, lambda content: content + b" ")
    told = validated(there, Period(), LIMIT, FileKeys([mine.key_file()]), 2)
    whys = {one.name: (one.kind, one.why) for one in told.breaks}
    assert whys == {
        HERE + mine.name(mine.log(1)): ("unread-log", "it cannot be read: it is gone since it was listed"),
        HERE + mine.name(mine.log(2)): (
            "unread-log",
            "it cannot be read: it was replaced since it was listed: run it again",
        ),
        HERE + mine.digests[5].key: (
            "unread-digest",
            "it cannot be read: it was replaced since it was listed: run it again",
        ),
    }


def days_trail(root: Path, first: datetime, hours: int, restarts: Sequence[datetime] = ()) -> Trail:
    """A log file an hour."""
    region = root / f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}"
    for number in range(hours):
        at = first + number * HOUR
        log_file(region / f"{at:%Y/%m/%d}", at, f"{number:016X}", compact([event(number)]))
    signer = Signer(bucket=LOGS)
    return Trail(root, signer, write_digests(root, signer, restarts))


def test_a_period_is_whole_though_its_neighbours_are_not_listed(s3: Any, tmp_path: Path) -> None:
    """At a month's ends: digests of the days beside it are listed, log files of them are not called missing."""
    mine = days_trail(tmp_path / "logs", datetime(2026, 2, 27, 12, 30, tzinfo=UTC), 5 * 24)
    deliver(s3, mine)
    period = Period(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 1, 20, tzinfo=UTC))
    told = check(mine, period=period)
    assert not told.broken
    assert told.complete
    assert told.logs_unproven == {}
    local = validated(mine.root, period, LIMIT, FileKeys([mine.key_file()]), 2)
    assert (local.logs_proven, local.chains[0].digests) == (told.logs_proven, told.chains[0].digests)
    day_before = Period(datetime(2026, 2, 27, tzinfo=UTC), datetime(2026, 2, 27, 23, 59, tzinfo=UTC))
    told = check(mine, period=day_before)
    assert not told.broken
    assert told.logs_unproven == {}, "the digest of a day's last log files lies in the next month"
    first = next(one for one in mine.digests if "T0001" in one.key and "/2026/03/01/" in one.key)
    s3.delete_object(Bucket=LOGS, Key=first.key)
    assert breaks(check(mine, period=period)) == {("missing-digest", first.key)}


def test_an_interruption_over_the_end_of_a_month_is_seen(s3: Any, tmp_path: Path) -> None:
    """A chain that starts anew in the first hours had one before it, on the day before the period."""
    again = datetime(2026, 3, 1, 2, tzinfo=UTC)
    mine = days_trail(tmp_path / "logs", datetime(2026, 2, 28, 20, 30, tzinfo=UTC), 8, restarts=[again])
    for one in mine.digests:
        if "_20260301T00" in one.key or "_20260301T01" in one.key:
            one.path.unlink()
    deliver(s3, mine)
    told = check(mine, period=Period(again.replace(hour=0), again + HOUR))
    assert [start.off_since for start in told.starts] == [datetime(2026, 2, 28, 23, 1, 31, tzinfo=UTC)]
    assert not told.complete
