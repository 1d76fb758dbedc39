"""Validation of a log bucket: as of a folder, and the metadata of the digests' objects proves the newest as well."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from decisions.digest_page import integrity_blocks
from decisions.digest_verdict import Integrity
from decisions.terminal import to_terminal
from lab.trail_digests import HOUR, Signer, Written, write_digests
from settings import buckets as bucket_settings
from tasks.hunting.buckets import Bucket, bucket
from tasks.hunting.coverage import Period
from tasks.hunting.digest_keys import FileKeys
from tasks.hunting.digests import HIDDEN, validated
from tests.cli.conftest import vmexport
from tests.hunting.log_bucket import LIMIT, LOGS, calls, put, s3
from tests.hunting.logs_of import ACCOUNT, REGION, compact, event
from tests.hunting.test_digest_tampering import tamper_digests, tamper_log
from tests.hunting.trails_of import FIRST, HOURS, PLACE, Trail, breaks, log_file, trail
from tests.lab.aws import policy
from tests.tasks.conftest import eventually, lab, lab_process, ours, roots

__all__ = ["eventually", "lab", "lab_process", "ours", "roots", "s3", "vmexport"]

END = FIRST + (HOURS + 1) * HOUR
HERE = f"s3://{LOGS}/"
DIGESTS = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/2026/03/02/"


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Trail:
    """A trail that says that it lies in this bucket."""
    return trail(tmp_path_factory.mktemp("trail") / "logs", Signer(bucket=LOGS))


def deliver(s3: Any, mine: Trail, prefix: str = "", signed: bool = True) -> None:
    """Put the whole trail into the bucket, as CloudTrail does; without signatures: as a plain copy."""
    for path in sorted(path for path in mine.root.rglob("*") if path.is_file()):
        send(s3, mine, path, prefix, signed)


def send(s3: Any, mine: Trail, path: Path, prefix: str = "", signed: bool = True, **more: Any) -> None:
    if signed and "CloudTrail-Digest" in path.name:
        content = gzip.decompress(path.read_bytes())
        signature = mine.signer.sign(json.loads(content), content)
        more["Metadata"] = {"signature": signature, "signature-algorithm": "SHA256withRSA"} | more.get("Metadata", {})
    s3.put_object(Bucket=LOGS, Key=f"{prefix}{mine.name(path)}", Body=path.read_bytes(), **more)


def rewrite(s3: Any, key: str, change: Callable[[bytes], bytes]) -> None:
    """Another content of an object, which keeps its metadata: as somebody does who means to hide it."""
    there = s3.get_object(Bucket=LOGS, Key=key)
    content = gzip.compress(change(gzip.decompress(there["Body"].read())))
    s3.put_object(Bucket=LOGS, Key=key, Body=content, Metadata=there["Metadata"])


def without_logs(content: bytes) -> bytes:
    """A digest that names no log file."""
    return json.dumps(json.loads(content) | {"logFiles": []}).encode()


def check(mine: Trail, prefix: str = "", period: Period | None = None, signed: bool = True) -> Integrity:
    keys = FileKeys([mine.key_file()]) if signed else None
    return validated(place(prefix), period or Period(until=END), LIMIT, keys, 2)


def place(prefix: str = "") -> Bucket:
    return bucket(HERE + prefix, validate=True)


def test_an_untouched_trail_is_proven_to_its_newest_digest(s3: Any, mine: Trail) -> None:
    """Whose signature no file has, and the metadata of its object does."""
    deliver(s3, mine)
    seen = calls()
    told = check(mine)
    assert told.complete
    assert (told.logs_proven, told.logs_matching, told.logs_unproven) == (2 * HOURS, 0, {})
    (chain,) = told.chains
    assert chain.copied == 0
    assert (chain.digests, chain.signed, chain.unsigned) == (HOURS + 1, HOURS + 1, ())
    got = [asked for name, asked in seen if name == "GetObject"]
    assert len({asked["Key"] for asked in got}) == len(got) == HOURS + 1 + 2 * HOURS, "each object is read once"
    assert all(asked["ExpectedBucketOwner"] and asked["IfMatch"] for asked in got)


def test_what_was_done_to_it_is_named_and_nothing_else(s3: Any, mine: Trail) -> None:
    """A log file changed, one deleted, one planted; a digest deleted, one edited, and the newest edited."""
    deliver(s3, mine)
    rewrite(s3, mine.name(mine.log(1)), lambda text: text.replace(b"DescribeInstances", b"DescribeInstancez"))
    s3.delete_object(Bucket=LOGS, Key=mine.name(mine.log(2)))
    planted = log_file(mine.root / PLACE, FIRST + 3 * HOUR + HOUR / 2, "AAAAAAAAAAAAAAAA", compact([event(7)]))
    send(s3, mine, planted)
    s3.delete_object(Bucket=LOGS, Key=mine.digests[4].key)
    for hour in (5, HOURS - 1):
        rewrite(s3, mine.digests[hour].key, without_logs)
    told = check(mine)
    assert breaks(told) == {
        ("changed-log", HERE + mine.name(mine.log(1))),
        ("missing-log", mine.name(mine.log(2))),
        ("planted-log", HERE + mine.name(planted)),
        # the digest after the deleted one was edited: nobody is left to name the deleted one
        ("changed-digest", HERE + mine.digests[5].key),
        ("changed-digest", HERE + mine.digests[-1].key),
    }
    assert not told.complete
    assert told.changed


def test_a_deleted_digest_is_a_gap(s3: Any, mine: Trail) -> None:
    """With its hours; the log files of them are not proven."""
    deliver(s3, mine)
    s3.delete_object(Bucket=LOGS, Key=mine.digests[4].key)
    told = check(mine)
    assert breaks(told) == {("missing-digest", mine.digests[4].key)}
    (gap,) = told.breaks
    assert gap.until
    assert gap.since
    assert gap.until - gap.since == HOUR
    assert sum(told.logs_unproven.values()) == 2


@pytest.mark.parametrize("algorithm", [None, "SHA1withRSA"])
def test_without_a_signature_the_newest_is_said_to_be_unproved(s3: Any, mine: Trail, algorithm: str | None) -> None:
    """A plain copy has no metadata; a signature of another algorithm is none that we check. Neither is called valid."""
    deliver(s3, mine, signed=False)
    newest = mine.digests[-1]
    if algorithm:
        send(s3, mine, newest.path, Metadata={"signature-algorithm": algorithm})
    told = check(mine)
    assert not told.broken
    assert told.chains[0].unsigned == (HERE + newest.key,)
    assert (told.logs_proven, told.logs_matching) == (2 * HOURS - 2, 2)
    assert any("vouched for by nothing" in line for line in told.sentences())
    rewrite(s3, newest.key, without_logs)
    assert ("changed-digest", HERE + newest.key) not in breaks(check(mine))


def test_without_keys_signatures_are_not_checked(s3: Any, mine: Trail) -> None:
    """And so nothing is called proven, whatever the metadata says."""
    deliver(s3, mine)
    told = check(mine, signed=False)
    assert (told.logs_proven, told.logs_matching) == (0, 2 * HOURS)
    assert "Signatures were not checked" in told.headline()


def test_a_copy_elsewhere_is_validated_and_said_to_be_one(s3: Any, mine: Trail) -> None:
    """Below another prefix, metadata kept: signatures are for the place where the digests were written."""
    deliver(s3, mine, "copied/here/")
    told = check(mine, "copied/")
    assert told.complete
    assert told.logs_proven == 2 * HOURS
    (chain,) = told.chains
    assert (chain.copied, chain.copied_from) == (HOURS + 1, HERE + sorted(digest_keys(mine))[0])
    assert any(f"{HOURS + 1} digest file(s) are copies" in line for line in told.sentences())


def test_a_plain_copy_of_a_folder_is_judged_as_the_folder(s3: Any, mine: Trail) -> None:
    """Whatever was done to it before: the same breaks, named by their keys."""
    expected = tamper_digests(mine, {1: "swapped", 2: "swapped", 4: "edited", 6: "empty"})
    for hour, how in enumerate(("changed", "recompressed", "twice", "deleted", "planted", "moved", "unpacked")):
        expected |= tamper_log(mine, hour, how) if hour in (0, 3, 5) else set()
    deliver(s3, mine, signed=False)
    local, told = mine.validated(), check(mine)
    assert {(kind, name.removeprefix(HERE)) for kind, name in breaks(told)} == breaks(local) >= expected
    assert (told.logs_proven, told.logs_matching, told.logs_unproven) == (
        local.logs_proven,
        local.logs_matching,
        local.logs_unproven,
    )


def test_archived_objects_are_unread(s3: Any, mine: Trail) -> None:
    """With what to do; they are not in the estimate, as they are not read."""
    deliver(s3, mine)
    send(s3, mine, mine.digests[2].path, StorageClass="GLACIER")
    send(s3, mine, mine.log(5), StorageClass="DEEP_ARCHIVE")
    send(s3, mine, mine.digests[3].path, StorageClass="GLACIER_IR")
    assert breaks(told := check(mine)) == {
        ("unread-digest", HERE + mine.digests[2].key),
        ("unread-log", HERE + mine.name(mine.log(5))),
    }
    assert all("restore it" in one.why for one in told.breaks)
    estimate = place().estimate(Period())
    assert (estimate.digests, estimate.objects) == (HOURS, 2 * HOURS - 1)


def test_where_a_digest_says_that_it_lies_cannot_steer_the_terminal(s3: Any, mine: Trail) -> None:
    """The newest of a plain copy is believed by its hash at most, and says what its author likes."""
    deliver(s3, mine, signed=False)
    hostile = json.dumps({"digestS3Bucket": "\x1b[2J\u202e`|x"})
    rewrite(s3, mine.digests[-1].key, lambda content: json.dumps(json.loads(content) | json.loads(hostile)).encode())
    told = check(mine)
    assert told.chains[0].copied == 1
    page = to_terminal(integrity_blocks(told), 120)
    assert "are copies" in page
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_digests_that_end_before_now_are_said(s3: Any, mine: Trail) -> None:
    """A bucket is written to every hour: the newest ones deleted with their log files, or logging that was switched off."""
    deliver(s3, mine)
    told = check(mine, period=Period())
    assert not told.broken
    assert not told.complete
    assert told.chains[0].short_of
    assert "does not reach the ends" in told.headline()
    assert any("StopLogging" in line and "newest digest file ends at" in line for line in told.sentences())
    for one in (*mine.digests[-3:], *(mine.log(hour, half) for hour in range(HOURS - 3, HOURS) for half in (0, 1))):
        s3.delete_object(Bucket=LOGS, Key=one.key if isinstance(one, Written) else mine.name(one))
    assert not (told := check(mine)).complete
    assert told.chains[0].short_of == END


def digest_keys(mine: Trail) -> list[str]:
    return [mine.name(path) for path in mine.root.glob("**/*_CloudTrail-Digest_*")]


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


def test_the_estimate_has_digests_and_the_reading_once_more(s3: Any, mine: Trail) -> None:
    """No more is read than was told."""
    deliver(s3, mine)
    put(s3, f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/2026/03/20/x.json.gz")
    period = Period(FIRST, FIRST + timedelta(hours=10))
    plain, more = bucket(HERE).estimate(period), place().estimate(period)
    assert (plain.digests, plain.passes, more.passes) == (0, 2, 3)
    assert (more.digests, more.digest_gets, more.objects) == (HOURS + 1, HOURS + 1, 2 * HOURS)
    assert more.usd - more.listing_usd > (plain.usd - plain.listing_usd) * 1.5
    assert f"and {HOURS + 1} digest file(s)" in more.sentence()
    assert f"at most {3 * 2 * HOURS + HOURS + 1} GET" in more.sentence()


def test_the_command_says_it_and_a_break_is_exit_1(
    s3: Any, mine: Trail, vmexport: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the page, in the JSON with the estimate, and as a refusal above the limit."""
    deliver(s3, mine)
    words = ("hunt", HERE, "--until", END.isoformat(), "--validate", "--digest-keys", str(mine.key_file()))
    answer = vmexport(*words)
    assert answer.code == 0, answer.err
    assert "No change was found." in answer.out
    assert f"{2 * HOURS} log files proven, 0 with the hash" in answer.out
    assert f"{HOURS + 1} digest file(s)" in answer.err
    rewrite(s3, mine.digests[-1].key, without_logs)
    told = vmexport(*words, "--json")
    assert told.code == 1
    document = json.loads(told.out)
    assert document["estimate"]["digests"] == HOURS + 1
    (found,) = document["coverage"]["integrity"]["breaks"]
    assert (found["kind"], found["name"]) == ("changed-digest", HERE + mine.digests[-1].key)
    monkeypatch.setenv("VMEXPORT_HUNT_S3_COST_MAX", f"{document['estimate']['usd'] - 0.000002:.6f}")
    bucket_settings.buckets.cache_clear()
    assert vmexport(*words).code == 2
    assert vmexport("hunt", HERE).code == 0
