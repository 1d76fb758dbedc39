"""A hunt finds what was planted, no decoy, each event once, and says what its answer covers."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from decisions.hunt import HuntResult, who_exports
from lab.cloudtrail_generator import generate
from tasks.hunting import pool, searches, workers
from tasks.hunting.coverage import Covered, Period
from tasks.hunting.file_source import FileSource, pruned
from tasks.hunting.fixtures import load
from tasks.hunting.hunt import followed_of, hunt
from tasks.hunting.layout import Listing, LogFile, listing
from tasks.hunting.scanned import Scanned
from tests.hunting.logs_of import ACCOUNT, compact, event, export, write

LIMIT = 64 * 1024 * 1024


def ids(result: HuntResult, *kinds: str) -> set[str]:
    """Event ids of the findings of these kinds."""
    return {finding.event_id for finding in result.findings if finding.kind in kinds}


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Logs of three accounts, and the truth about them."""
    folder = tmp_path_factory.mktemp("logs") / "org"
    return folder, generate(folder, 30_000, days=14, seed=5)


def test_finds_all_that_was_planted_and_nothing_else(made_up: tuple[Path, dict[str, Any]]) -> None:
    """Exports, what their keys did, and downloads in CloudTrail and in access logs; decoys are none."""
    folder, truth = made_up
    result = hunt(FileSource(folder, Period(), LIMIT), Period())
    assert ids(result, "export") == set(truth["exports"])
    cloudtrail = {one for one in ids(result, "download") if not one.startswith("access-log:")}
    lines = {one.split(":")[1] for one in ids(result, "download") if one.startswith("access-log:")}
    assert cloudtrail == set(truth["downloads"])
    assert lines == set(truth["access_log_downloads"])
    known = set(truth["activity"]) | set(truth["touched"]) | set(truth["downloads"])
    everything = {
        one for one in ids(result, "activity", "object", "export", "download") if not one.startswith("access-log:")
    }
    assert everything == known | set(truth["exports"])
    assert len({finding.id for finding in result.findings}) == len(result.findings)
    assert result.coverage.complete
    assert result.coverage.files_searched == truth["files"] + len(truth["access_log_downloads"])


def test_finds_the_same_in_many_processes(
    made_up: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same findings with the same ids; rules and correlations included."""
    folder, truth = made_up
    alone = hunt(FileSource(folder, Period(), LIMIT, workers=1), Period(), load())
    monkeypatch.setattr(pool, "ALONE", 0)
    monkeypatch.setattr(pool, "BATCH_FILES", 20)
    told: list[tuple[str, int, int]] = []
    source = FileSource(folder, Period(), LIMIT, 3, progress=lambda name, n, of, *_: told.append((name, n, of)))
    spread = hunt(source, Period(), load())
    assert spread == alone
    assert ids(spread, "rule") & set(truth["exports"])
    assert not ids(spread, "rule", "correlation") & set(truth["decoys"])
    assert told[-1][1] == told[-1][2]


def test_a_period_limits_files_and_events(made_up: tuple[Path, dict[str, Any]]) -> None:
    """Files of other days are not opened, and their number is said."""
    folder, _ = made_up
    since, until = datetime(2026, 3, 4, tzinfo=UTC), datetime(2026, 3, 8, tzinfo=UTC)
    whole = hunt(FileSource(folder, Period(), LIMIT), Period())
    part = hunt(FileSource(folder, Period(since, until), LIMIT), Period(since, until))
    assert ids(part, "export") == {
        f.event_id for f in whole.findings if f.kind == "export" and since <= f.time <= until
    }
    assert part.coverage.files_outside > 0
    assert part.coverage.files_outside + part.coverage.files_searched == part.coverage.files_found


def test_the_second_pass_reads_only_what_an_export_concerns(made_up: tuple[Path, dict[str, Any]]) -> None:
    """Files of other accounts and of days long after are left out."""
    folder, _ = made_up
    exports = [f for f in hunt(FileSource(folder, Period(), LIMIT), Period()).findings if f.kind == "export"]
    first = min(exports, key=lambda finding: finding.time)
    kept = pruned(listing(folder).files, followed_of([first], []))
    assert kept
    assert {file.account for file in kept if file.account} == {first.account}
    assert max(file.day for file in kept if file.account) <= "2026-03-10"


def test_who_exported_is_the_base_line(made_up: tuple[Path, dict[str, Any]]) -> None:
    """The approved exporter stands first: most exports, to one bucket."""
    folder, _ = made_up
    rows = who_exports(hunt(FileSource(folder, Period(), LIMIT), Period(), follow=False).findings)
    assert rows[0].caller == f"arn:aws:iam::{ACCOUNT}:role/migration"
    assert rows[0].bucket == "approved-exports"
    assert rows[0].count == 4
    assert sum(row.outcomes.get("denied", 0) for row in rows) == 1


def test_layouts_with_and_without_organisation_and_prefix(tmp_path: Path) -> None:
    """Account, Region and day are read from every layout; digests and Insights are counted, not searched."""
    for n, place in enumerate(("AWSLogs", "AWSLogs/o-abc123", "a/b/AWSLogs", "pre/AWSLogs/o-abc123")):
        write(tmp_path, compact([export(n)]), place=f"{place}/{ACCOUNT}/CloudTrail/eu-central-1/2026/03/02")
    write(tmp_path, b"{}", place=f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/eu-central-1/2026/03/02")
    write(tmp_path, b"{}", place=f"AWSLogs/{ACCOUNT}/CloudTrail-Insight/eu-central-1/2026/03/02")
    write(tmp_path, b"{}", name=f"{ACCOUNT}_CloudTrail-Digest_eu-central-1_trail.json.gz", place="elsewhere")
    write(tmp_path, b"x", name="readme.txt", place="")
    result = hunt(FileSource(tmp_path, Period(), LIMIT), Period())
    assert len(ids(result, "export")) == 4
    assert {file.account for file in listing(tmp_path).files} == {ACCOUNT}
    assert result.coverage.skipped == {"digest": 2, "Insight": 1, "not a log by its name": 1}
    assert "2 digest" in " ".join(result.coverage.sentences())


def test_coverage_names_every_hole(tmp_path: Path) -> None:
    """Days without files, files that cannot be read, files read in part: the answer says so."""
    month = f"AWSLogs/{ACCOUNT}/CloudTrail/eu-central-1/2026/03"
    for day in ("01", "02", "06", "08"):
        write(tmp_path, compact([event(1)]), place=f"{month}/{day}")
    write(tmp_path, b"not a log", name="broken.json.gz", place=f"{month}/08")
    write(tmp_path, compact([event(1), event(2)])[:-300], name="cut.json.gz", place=f"{month}/08")
    period = Period(datetime(2026, 2, 27, tzinfo=UTC), datetime(2026, 3, 20, tzinfo=UTC))
    result = hunt(FileSource(tmp_path, period, LIMIT), period)
    words = " ".join(result.coverage.sentences())
    assert "Searched 5 of 6 files" in words
    assert "for 2026-03-03 to 2026-03-05 (3 days), though" in words
    assert "for 2026-03-07, though" in words
    assert "begin on 2026-03-01, after the period does" in words
    assert "end on 2026-03-08, before the period does" in words
    assert "1 file(s) could NOT be searched" in words
    assert "broken.json.gz" in words
    assert "1 file(s) could be searched only in part" in words
    assert not result.coverage.complete


def test_what_only_the_second_pass_cannot_read_is_named(tmp_path: Path) -> None:
    """A read of the exported object in a record too deep to be read: the first pass had no reason to look at it."""
    export_object, depth = '"vms/export-i-0123456789abcdef0.ova"', 1500
    deep = compact([event(2, "GetObject", requestParameters={"key": "DEEP"})])
    deep = deep.replace(b'"DEEP"', f"{'[' * depth}{export_object}{']' * depth}".encode())
    write(tmp_path, deep, "deep.json.gz")
    write(tmp_path, compact([export(1), event(3)]))
    coverage = hunt(FileSource(tmp_path, Period(), LIMIT), Period()).coverage
    assert [Path(problem.path).name for problem in (*coverage.quarantined, *coverage.damaged)] == ["deep.json.gz"]
    assert coverage.files_searched == 1


def test_links_and_locked_folders_are_named(tmp_path: Path) -> None:
    """A loop of links ends the hunt not, and is said."""
    write(tmp_path, compact([export(1)]))
    (tmp_path / "loop").symlink_to(tmp_path)
    result = hunt(FileSource(tmp_path, Period(), LIMIT), Period())
    assert len(ids(result, "export")) == 1
    assert "symbolic link" in " ".join(result.coverage.sentences())


def test_too_many_hits_are_counted_and_said(tmp_path: Path) -> None:
    """Results are bounded; what was left out is a gap with its number."""
    write(tmp_path, compact([export(n) for n in range(500)]))
    result = hunt(FileSource(tmp_path, Period(), LIMIT), Period(), follow=False)
    assert len(ids(result, "export")) == 200
    assert "300 hit(s) of exports were counted and not kept" in " ".join(result.coverage.gaps)


def test_a_worker_that_is_killed_costs_one_file_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is searched in spite of it; one that kills whoever reads it is named."""
    for n in range(60):
        write(tmp_path, compact([event(0), export(n)]), name=f"{n:03}.json.gz")
    monkeypatch.setattr(pool, "ALONE", 0)
    monkeypatch.setattr(pool, "BATCH_FILES", 10)
    started: list[subprocess.Popen[bytes]] = []
    original = subprocess.Popen

    def start(*args: Any, **more: Any) -> subprocess.Popen[bytes]:
        process = original(*args, **more)
        started.append(process)
        if len(started) == 1:
            os.kill(process.pid, signal.SIGKILL)
        return process

    monkeypatch.setattr(workers.subprocess, "Popen", start)
    what = pool.Pass((searches.exports(),), LIMIT)
    batches = list(pool.scan(listing(tmp_path).files, what, 2))
    assert sum(batch.files for batch in batches) == 60
    assert len({json.loads(hit.raw)["eventID"] for batch in batches for hit in batch.hits}) == 60
    assert len(started) > 2
    assert all(process.poll() is not None for process in started)


def test_a_file_that_kills_its_reader_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All others are searched."""
    for n in range(6):
        write(tmp_path, compact([export(n)]), name=f"{n}.json.gz")
    files = listing(tmp_path).files
    monkeypatch.setattr(pool, "ALONE", 0)
    monkeypatch.setattr(pool, "BATCH_FILES", 3)
    deadly = tmp_path / "deadly.py"
    deadly.write_text(
        "import os, sys\nfrom tasks.hunting import scanner, worker\nscan = scanner.Scanner.scan\n"
        "scanner.Scanner.scan = lambda self, file: os.kill(os.getpid(), 9) if file.path.endswith('/4.json.gz') else scan(self, file)\n"
        "worker.main()\n"
    )
    original = subprocess.Popen

    def start(command: list[str], env: Mapping[str, str], **more: Any) -> subprocess.Popen[bytes]:
        return original(
            [sys.executable, str(deadly), command[-1]], env={**env, "PYTHONPATH": str(workers.ROOT)}, **more
        )

    monkeypatch.setattr(workers.subprocess, "Popen", start)
    batches = list(pool.scan(files, pool.Pass((searches.exports(),), LIMIT), 2))
    lost = [problem for batch in batches for problem in batch.unread]
    assert [(Path(path).name, why) for path, why in lost] == [
        ("4.json.gz", "it cannot be read: the process that read it ended (signal 9)")
    ]
    assert sum(len(batch.hits) for batch in batches) == 5


@pytest.mark.parametrize("workers", [1, 2])
def test_files_are_taken_as_they_are_needed_and_named_as_they_are_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """So many copies of a bucket's objects lie on the disk at once as are being read; nobody hears of the copies."""
    for n in range(40):
        write(tmp_path, b"broken" if n == 7 else compact([export(n)]), name=f"{n:02}.json.gz")
    monkeypatch.setattr(pool, "ALONE", 1)
    monkeypatch.setattr(pool, "BATCH_FILES", 2)
    held, most = 0, 0

    def fetched() -> Iterator[LogFile]:
        nonlocal held, most
        for file in listing(tmp_path).files:
            held += 1
            most = max(most, held)
            yield dataclasses.replace(file, name=f"s3://trail/{Path(file.path).name}")

    def done(files: Sequence[LogFile]) -> None:
        nonlocal held
        held -= len(files)

    batches = list(pool.scan(fetched(), pool.Pass((searches.exports(),), LIMIT), workers, done))
    assert held == 0
    assert most <= 2 * (workers + 1)
    assert {hit.path for batch in batches for hit in batch.hits} == {
        f"s3://trail/{n:02}.json.gz" for n in range(40) if n != 7
    }
    assert [path for batch in batches for path, _ in batch.unread] == ["s3://trail/07.json.gz"]


def test_memory_does_not_grow_with_the_logs(tmp_path: Path) -> None:
    """A process that scans a hundred files of 4 MB stays below 100 MB."""
    rng = random.Random(1)
    text = compact([event(n, userAgent=f"{rng.getrandbits(2000):x}") for n in range(4000)])
    for n in range(12):
        write(tmp_path, text, name=f"{n}.json.gz")
    program = (
        "import re, sys; from pathlib import Path; from tasks.hunting.layout import listing;"
        "from tasks.hunting.scanner import Scanner; from tasks.hunting import searches;"
        "s = Scanner([searches.exports()], 1 << 26); files = listing(Path(sys.argv[1])).files;"
        "print(sum(s.scan(f).raw_bytes for _ in range(8) for f in files), re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True, cwd=workers.ROOT
    )
    read, peak = map(int, done.stdout.split())
    assert read > 350_000_000
    assert peak < 100_000


def test_every_file_that_cannot_be_read_is_named_and_none_counts_as_searched() -> None:
    """However many there are: nothing is said of what was not searched."""
    files = [LogFile(str(n), 1, "cloudtrail") for n in range(1500)]
    covered = Covered()
    for file in files:
        covered.batches.add(Scanned(file, problems=["x"], unread=file.path != "7"))
    told = covered.coverage(Listing(files), files, Period(), ())
    assert (told.files_found, told.files_searched) == (1500, 1)
    assert [problem.path for problem in told.damaged] == ["7"]
    assert {problem.path for problem in told.quarantined} == {file.path for file in files if file.path != "7"}
