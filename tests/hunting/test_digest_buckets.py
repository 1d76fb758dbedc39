"""Validation of a log bucket: as of a folder, and the metadata of the digests' objects proves the newest as well."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from decisions.digest_page import integrity_blocks
from decisions.terminal import to_terminal
from lab.trail_digests import HOUR, Written
from settings import buckets as bucket_settings
from tasks.hunting.buckets import bucket
from tasks.hunting.coverage import Period
from tests.cli.conftest import vmexport
from tests.hunting.digest_bucket import (
    END,
    HERE,
    check,
    deliver,
    digest_keys,
    place,
    rewrite,
    send,
    untouched,
    without_logs,
)
from tests.hunting.log_bucket import LOGS, calls, put, s3
from tests.hunting.logs_of import ACCOUNT, REGION, compact, event
from tests.hunting.test_digest_tampering import tamper_digests, tamper_log
from tests.hunting.trails_of import FIRST, HOURS, PLACE, Trail, breaks, log_file
from tests.tasks.conftest import eventually, lab, lab_process, ours, roots

__all__ = ["eventually", "lab", "lab_process", "ours", "roots", "s3", "untouched", "vmexport"]


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
