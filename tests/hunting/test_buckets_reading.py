"""Objects of a bucket are read as they were listed, through few copies; what cannot be had is named, and no key becomes a path."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.response import StreamingBody
from hypothesis import given
from hypothesis import strategies as st

from settings import buckets as bucket_settings
from tasks.hunting import buckets_reading
from tasks.hunting.buckets import bucket
from tasks.hunting.buckets_address import address
from tasks.hunting.buckets_spool import NAME
from tasks.hunting.coverage import Period
from tasks.hunting.file_source import FileSource
from tasks.hunting.hunt import hunt
from tasks.hunting.place import PlaceUnusable
from tests.hunting.log_bucket import LIMIT, LOGS, MARCH, calls, exports, look, put, s3
from tests.hunting.logs_of import compact, event, export
from tests.lab.aws import policy
from tests.tasks.conftest import eventually, lab, lab_process, ours, roots

__all__ = ["eventually", "lab", "lab_process", "ours", "roots", "s3"]


ROOT = Path(__file__).resolve().parents[2]
HOSTILE = (
    'a"; drop.json.gz',
    "\x1b[2Jtab\t\r.json.gz",
    "../../../etc/passwd.json.gz",
    "naïve ☃ %2e%2e+.json.gz",
    "$(id).json.gz",
)


def test_objects_that_cannot_be_had_are_named(s3: Any, lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gone, replaced, denied, archived, too large: each is a hole with its reason, and the rest is searched."""
    names = ("denied", "gone", "good", "large", "replaced")
    for n, name in enumerate(names):
        put(s3, f"{MARCH}/02/{name}.json.gz", export(n), *([event(9)] * 400 if name == "large" else []))
    put(s3, f"{MARCH}/02/cold.json.gz", export(8), StorageClass="DEEP_ARCHIVE")
    place = bucket(f"s3://{LOGS}")
    with place.copies(100_000) as copies:  # opened before anything is listed
        assert len([*copies.files(place.listing(Period()).files)]) == 4
        assert len(copies.lost) == 2
    source = FileSource(place, Period(), 100_000)
    s3.delete_object(Bucket=LOGS, Key=f"{MARCH}/02/gone.json.gz")
    put(s3, f"{MARCH}/02/replaced.json.gz", event(1))
    deny = policy(
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{LOGS}/*denied.json.gz",
        }
    )
    s3.put_bucket_policy(Bucket=LOGS, Policy=deny)
    result = hunt(source, Period())
    assert exports(result) == {"00000002-0000-4000-8000-000000000000"}
    told = {problem.path.rpartition("/")[2]: problem.why for problem in result.coverage.quarantined}
    assert {problem.path.rpartition("/")[0] for problem in result.coverage.quarantined} == {f"s3://{LOGS}/{MARCH}/02"}
    assert "access denied" in told.pop("denied.json.gz")
    assert told == {
        "gone.json.gz": "it cannot be read: it is gone since it was listed",
        "replaced.json.gz": "it cannot be read: it was replaced since it was listed: run it again",
        "large.json.gz": "it cannot be read: it is larger than 100000 bytes",
        "cold.json.gz": "it cannot be read: it lies in Glacier Deep Archive: restore it",
    }
    assert (result.coverage.files_found, result.coverage.files_searched) == (6, 1)
    assert not result.coverage.complete


def test_large_objects_are_read_in_parts(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part once, all of the same object, put together as they were."""
    monkeypatch.setenv("VMEXPORT_HUNT_S3_PART_BYTES", "50000")
    bucket_settings.buckets.cache_clear()
    records = [event(n, userAgent=os.urandom(40).hex()) for n in range(600)] + [export(601)]
    put(s3, f"{MARCH}/02/a.json.gz", *records)
    size = len(compact(records))
    place = bucket(f"s3://{LOGS}")
    with place.copies(LIMIT) as copies:
        assert [Path(copy.path).read_bytes() for copy in copies.files(place.listing(Period()).files)] == [
            compact(records)
        ]
    seen = calls()
    result = look()
    assert len(exports(result)) == 1
    assert result.coverage.raw_bytes == size
    assert not result.coverage.quarantined
    ranges = [told for name, told in seen if name == "GetObject"]
    parts = -(-size // 50000)
    assert len({told["Range"] for told in ranges}) == parts > 5
    assert len({told["IfMatch"] for told in ranges}) == 1
    assert bucket(f"s3://{LOGS}").estimate(Period()).gets == parts


def test_hostile_keys_are_names_and_never_paths(s3: Any, tmp_path: Path) -> None:
    """Whatever a key holds, its object is searched, named by the key, and nothing is written outside the spool."""
    for n, name in enumerate(HOSTILE):
        put(s3, f"{MARCH}/02/{name}", export(n))
    before = sorted(path for path in tmp_path.rglob("*"))
    result = look()
    assert {finding.origin for finding in result.findings if finding.kind == "export"} == {
        f"s3://{LOGS}/{MARCH}/02/{name}" for name in HOSTILE
    }
    assert sorted(path for path in tmp_path.rglob("*")) == before
    assert not Path("/etc/passwd.json.gz").exists()


def test_copies_on_the_disk_are_few(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there is room for beside those being read; a reader who holds more than that still gets the next one."""
    monkeypatch.setenv("VMEXPORT_HUNT_SPOOL_MAX_BYTES", "20000")
    bucket_settings.buckets.cache_clear()
    for n in range(60):
        put(s3, f"{MARCH}/02/{n:02}.json.gz", export(n), event(n, userAgent="x" * 2000))
    place = bucket(f"s3://{LOGS}")
    files = place.listing(Period()).files
    with place.copies(LIMIT) as copies:
        held: list[Any] = []
        for copy in copies.files(files):
            held.append(copy)
            assert Path(copy.path).stat().st_size == copy.size
            assert sum(path.stat().st_size for path in Path(copy.path).parent.iterdir()) <= 20000 + 2 * copy.size + 1
            if len(held) == 3:
                copies.done(held)
                held.clear()
    with place.copies(LIMIT) as copies:
        assert len([*copies.files(files)]) == 60


def test_what_a_killed_run_left_is_removed_by_the_next(s3: Any, tmp_path: Path) -> None:
    """And a run that lives keeps its own."""
    spool = tmp_path / "spool"
    program = (
        "import sys; from pathlib import Path; from tasks.hunting.buckets_spool import Spool\n"
        "with Spool(Path(sys.argv[1])) as spool:\n"
        "    spool.place().write_text('x'); print('there', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(spool)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (left,) = spool.glob(f"{NAME}*")
        put(s3, f"{MARCH}/02/a.json.gz", export(1))
        assert len(exports(look())) == 1
        assert left.is_dir()
        process.kill()
        process.wait()
        assert left.is_dir()
        assert len(exports(look())) == 1
        assert not left.exists()


@pytest.mark.parametrize("breaks", [2, 3])
def test_a_body_that_breaks_off_is_asked_for_again(s3: Any, breaks: int) -> None:
    """Three times; then the object is named, and nothing of it is taken for whole."""
    put(s3, f"{MARCH}/02/a.json.gz", *[event(n) for n in range(200)], export(201))
    broken: list[int] = []

    def break_off(parsed: Any, **_: Any) -> None:
        if len(broken) < breaks:
            broken.append(parsed["ContentLength"])
            whole = parsed["Body"].read()
            parsed["Body"] = StreamingBody(io.BytesIO(whole[: len(whole) // 2]), len(whole))

    place = bucket(f"s3://{LOGS}")
    place.s3.meta.events.register("after-call.s3.GetObject", break_off)
    result = hunt(FileSource(place, Period(), LIMIT), Period(), follow=False)
    assert len(broken) == breaks
    assert len(exports(result)) == (1 if breaks < 3 else 0)
    assert ["S3 broke off" in problem.why for problem in result.coverage.quarantined] == [True] * (breaks == 3)


def test_a_bucket_that_is_gone_ends_the_run(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours are not spent on naming every object of it."""
    monkeypatch.setattr(buckets_reading, "UNANSWERED", 3)
    for n in range(8):
        put(s3, f"{MARCH}/02/{n}.json.gz", export(n))
    place = bucket(f"s3://{LOGS}")

    def gone(**_: Any) -> None:
        raise ReadTimeoutError(endpoint_url="https://s3.example.com")

    place.s3.meta.events.register("before-send.s3.GetObject", gone)
    with pytest.raises(PlaceUnusable, match="does not answer any more"):
        hunt(FileSource(place, Period(), LIMIT), Period())


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_key_comes_back_from_its_name_as_it_was(prefix: str, key: str) -> None:
    """Whatever is in it."""
    where = address(f"s3://{LOGS}/{prefix}")
    assert where.prefix == prefix
    assert where.key(where.named(key)) == key


def test_every_object_that_was_not_read_is_named_once(s3: Any) -> None:
    """However many there are, and in both passes: none of them counts as searched."""
    for n in range(5):
        put(s3, f"{MARCH}/02/{n}.json.gz", event(n), StorageClass="GLACIER")
    put(s3, f"{MARCH}/02/good.json.gz", export(1))
    coverage = look().coverage
    assert [problem.path[-9:] for problem in coverage.quarantined] == [f"{n}.json.gz" for n in range(5)]
    assert (coverage.files_found, coverage.files_searched) == (6, 1)


def test_the_role_reads_log_files_and_nothing_else(s3: Any) -> None:
    """What lies beside the logs is named, not read: it may be the exported image."""
    put(s3, f"{MARCH}/02/a.json.gz", export(1))
    put(s3, "vms/export-i-0123456789abcdef0.json.gz", export(2))
    result = look()
    assert exports(result) == {"00000001-0000-4000-8000-000000000000"}
    (left,) = result.coverage.quarantined
    assert left.path == f"s3://{LOGS}/vms/export-i-0123456789abcdef0.json.gz"
    assert "s3:GetObject" in left.why
