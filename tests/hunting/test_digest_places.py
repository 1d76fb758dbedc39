"""Validation of a folder as it is found: what is missing at an end, lies beside, has another name, or is only some days of a trail."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from decisions.digest_logs import LATER
from lab.trail_digests import HOUR, Signer, write_digests
from tasks.hunting.coverage import Period
from tasks.hunting.digests import HIDDEN
from tests.hunting.logs_of import ACCOUNT, REGION, compact, event, export
from tests.hunting.trails_of import FIRST, HOURS, PLACE, Trail, breaks, log_file


def test_digests_missing_at_the_end_are_found_by_log_files_that_came_later(mine: Trail) -> None:
    """The last hours' digests are named by nobody; that log files were delivered after them shows it."""
    for digest in mine.digests[-3:]:
        digest.path.unlink()
    told = mine.validated()
    assert breaks(told) == {("missing-digest", f"{ACCOUNT} {REGION}")}
    assert told.logs_unproven == {LATER: 6}


def test_a_place_without_any_digest_is_a_break(mine: Trail) -> None:
    """Whoever deletes all digests of a Region is seen, as validation writes them every hour for each Region."""
    other = mine.root / PLACE.replace(REGION, "eu-west-1")
    path = log_file(other, FIRST, "CCCCCCCCCCCCCCCC", compact([event(1)]))
    path.rename(path.with_name(path.name.replace(REGION, "eu-west-1")))
    assert breaks(mine.validated()) == {("no-digests", f"{ACCOUNT} eu-west-1")}
    shutil.rmtree(mine.root / f"AWSLogs/{ACCOUNT}/CloudTrail-Digest")
    told = mine.validated()
    assert ("no-digests", f"{ACCOUNT} {REGION}") in breaks(told)
    assert "no digest file" in told.headline()


def test_a_file_with_another_name_in_the_folder_of_log_files_is_planted(mine: Trail) -> None:
    """It would be searched as any other."""
    (mine.root / PLACE / "extra.json").write_bytes(compact([export(1)]))
    assert breaks(mine.validated()) == {("planted-log", f"{PLACE}/extra.json")}


@pytest.mark.parametrize("stamp", ["00010101T0000Z", "99991231T2359Z", "20261332T2561Z"])
def test_names_of_no_plausible_time_are_no_names_of_cloudtrail(mine: Trail, stamp: str) -> None:
    """Somebody may give a file any name."""
    (mine.root / PLACE / f"{ACCOUNT}_CloudTrail_{REGION}_{stamp}_DDDDDDDDDDDDDDDD.json.gz").write_bytes(b"")
    digest = mine.digests[2].path
    shutil.copy(digest, digest.with_name(f"{ACCOUNT}_CloudTrail-Digest_{REGION}_t_{REGION}_{stamp[:13]}59Z.json.gz"))
    assert {kind for kind, _ in breaks(mine.validated())} == {"planted-log"}


def test_a_copy_of_some_days_is_whole(tmp_path: Path) -> None:
    """The first digest of a copy names the one before, and log files of the evening before: neither is missing here."""
    place = tmp_path / "logs" / f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}"
    for number in range(8):
        at = FIRST.replace(day=1, hour=21, minute=40) + number * HOUR
        log_file(place / f"{at:%Y/%m/%d}", at, f"{number:016X}", compact([event(number)]))
    mine = Trail(tmp_path / "logs", signer := Signer(), [])
    write_digests(mine.root, signer)
    whole = mine.validated()
    assert not whole.broken
    shutil.rmtree(place / "2026/03/01")
    shutil.rmtree(place.parents[0].parent / f"CloudTrail-Digest/{REGION}/2026/03/01")
    told = mine.validated()
    assert not told.broken
    assert sum(told.logs_unproven.values()) == 1
    period = Period(FIRST.replace(hour=0), FIRST.replace(hour=23))
    assert not mine.validated(period=period).broken


def test_digests_that_are_not_there_at_the_beginning_of_the_period_are_said(tmp_path: Path) -> None:
    """With all before them. No break, as they may have expired or not been copied; but it is not all that was asked for."""
    place = tmp_path / "logs" / f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}"
    for number in range(30):
        at = FIRST.replace(hour=0, minute=30) + number * HOUR
        log_file(place / f"{at:%Y/%m/%d}", at, f"{number:016X}", compact([event(number)]))
    mine = Trail(tmp_path / "logs", Signer(), [])
    mine.digests = write_digests(mine.root, mine.signer)
    for one in mine.digests[:3]:
        one.path.unlink()
    assert mine.validated().complete
    told = mine.validated(period=Period(since := FIRST.replace(hour=0), FIRST.replace(hour=23)))
    assert not told.broken
    assert not told.complete
    assert told.chains[0].late_for == since
    assert any("names one before it, which is not here" in line for line in told.sentences())
    assert mine.validated(period=Period(since + 3 * HOUR, since + 23 * HOUR)).complete


def test_an_end_that_the_digests_do_not_reach_is_said(mine: Trail) -> None:
    """No break, as somebody may have switched it off rightly; but nothing proves the hours until the end."""
    told = mine.validated(period=Period(until=FIRST + (HOURS + 1) * HOUR))
    assert told.complete
    told = mine.validated(period=Period(until=FIRST + (HOURS + 5) * HOUR))
    assert not told.broken
    assert not told.complete
    assert told.chains[0].short_of


def test_what_may_lie_where_nobody_could_look_is_not_called_missing(mine: Trail, tmp_path: Path) -> None:
    """It is not known, and that is no good answer either; files of another Region are still missed."""
    shutil.move(mine.root / PLACE, tmp_path / "away")
    (mine.root / PLACE).symlink_to(tmp_path / "away")
    told = mine.validated()
    assert breaks(told) == {("unlisted", PLACE)}
    assert "NOT known" in told.headline()
    assert told.broken
    assert told.logs_unproven == {HIDDEN: 2 * HOURS}
    other = mine.root / f"AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1"
    other.symlink_to(tmp_path)
    (mine.root / PLACE).unlink()
    assert {kind for kind, _ in breaks(mine.validated())} == {"unlisted", "missing-log"}


def test_a_period_is_validated_with_what_its_neighbours_know(tmp_path: Path) -> None:
    """Only digests and log files of the period are judged; the digest after the last is read for its signature."""
    place = tmp_path / "logs" / f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}"
    for number in range(5 * 24):
        at = FIRST + number * HOUR
        log_file(place / f"{at:%Y/%m/%d}", at, f"{number:016X}", compact([event(number)]))
    mine = Trail(tmp_path / "logs", Signer(), [])
    digests = write_digests(mine.root, mine.signer)
    digests[-1].path.write_bytes(b"")
    sorted(place.glob("2026/03/06/*"))[0].write_bytes(b"")
    assert len(breaks(mine.validated())) == 2
    told = mine.validated(period=Period(FIRST, FIRST + 24 * HOUR))
    assert not told.broken
    assert told.chains[0].unsigned == ()
    assert told.logs_matching == 0
