"""Every event of every file is in the store once, however the files come and whatever is wrong with them."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from decisions.store_schema import COLUMNS, row
from lab.cloudtrail_generator import generate
from records import store_parts
from tasks.hunting import ingest as module
from tasks.hunting import ingest_batch
from tasks.hunting.ingest import folder_source, opened_for_work
from tasks.hunting.parquet_parts import NotWritten
from tasks.hunting.store import Store
from tasks.hunting.store_folder import StoreUnusable
from tasks.hunting.store_status import status
from tasks.hunting.workers import ROOT
from tests.hunting.ingests_of import LIMIT, assert_sound, event_ids, fill, findings, rows, written_ids
from tests.hunting.logs_of import PLACE, compact, event, export, write

pytestmark = pytest.mark.usefixtures("database")
NEXT_DAY = PLACE.replace("/02", "/03")


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def once(*numbers: int) -> Counter[str]:
    """These events, each once."""
    return Counter(event(number)["eventID"] for number in numbers)


@pytest.mark.parametrize("workers", [1, 2])
def test_everything_generated_is_there_once_and_every_planted_export_is_found(
    tmp_path: Path, store: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ALONE", 0)
    monkeypatch.setattr(module, "BATCH_BYTES", 400_000)
    truth = generate(tmp_path / "org", 6_000, days=5, seed=3)
    result = fill(tmp_path / "org", store, workers)
    assert event_ids(store) == Counter(written_ids(tmp_path / "org"))
    assert findings() == Counter(truth["exports"])
    assert {finding.event_id for finding in result.new_findings} == set(truth["exports"])
    assert (result.files_read, result.not_whole) == (result.files_found, [])
    assert result.events - result.twice == len(rows(store)) + len(rows(store, "access_log"))
    assert len(rows(store, "access_log", "line")) == 50 * len(truth["access_log_downloads"])
    again = fill(tmp_path / "org", store, workers)
    assert (again.files_read, again.files_known, again.new_findings) == (0, result.files_found, [])
    assert_sound(store)


def test_the_table_is_as_the_schema_says(logs: Path, store: Path) -> None:
    told = [event(1), export(2), event(3, requestParameters={"z": [1, {"b": "ü\n", "a": 1.50}], "a": None}, new="x")]
    write(logs, compact(told))
    fill(logs, store)
    names = ", ".join(f'"{name}"' for name, _ in COLUMNS)
    found = {cells[0]: cells for cells in rows(store, columns=names)}
    assert found == {one["eventID"]: tuple(row(one)[name] for name, _ in COLUMNS) for one in told}
    assert [path.parent.name for path in Store(store).parts()] == ["dt=2026-03-02"]


def test_a_late_event_of_another_days_file_lands_in_its_own_day(logs: Path, store: Path) -> None:
    write(logs, compact([event(1)]))
    fill(logs, store)
    late = event(2, eventTime="2026-03-02T23:59:59Z")
    write(logs, compact([late, event(3, eventTime="2026-03-03T00:00:00Z"), event(4, eventTime="yesterday")]), "late.json.gz", NEXT_DAY)  # fmt: skip
    fill(logs, store)
    days = Counter(day for (day,) in rows(store, columns="dt::varchar"))
    assert days == {"2026-03-02": 2, "2026-03-03": 1, "unknown": 1}
    assert event_ids(store) == once(1, 2, 3, 4)


def test_what_is_delivered_again_is_stored_once_in_one_file_or_several(logs: Path, store: Path) -> None:
    nameless = {name: value for name, value in event(5).items() if name != "eventID"}
    other = nameless | {"awsRegion": "eu-west-1"}
    write(logs, compact([event(1), event(1), event(2), nameless]), "a.json.gz")
    write(logs, compact([event(2), nameless, other]), "b.json.gz", NEXT_DAY)
    result = fill(logs, store)
    write(logs, compact([event(1), event(3), nameless]), "c.json.gz", NEXT_DAY)
    again = fill(logs, store)
    assert event_ids(store) == once(1, 2, 3) + Counter({None: 2})
    assert (result.twice, again.twice) == (3, 2)
    assert_sound(store)


def test_an_event_that_is_read_quickly_and_exactly_is_stored_once(logs: Path, store: Path) -> None:
    """The second delivery has a name that no type knows: it is not read as the first one is."""
    write(logs, compact([event(1), event(1, newName=1), event(2, newName=1)]))
    assert fill(logs, store).twice == 1
    assert event_ids(store) == once(1, 2)


def test_a_batch_that_unpacks_to_much_is_written_piece_by_piece(
    logs: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And each event is there once all the same."""
    monkeypatch.setattr(ingest_batch, "HELD", 1500)
    for number in range(4):
        write(logs, compact([event(number), event(number + 1), event(9)]), f"{number}.json.gz")
    result = fill(logs, store)
    assert event_ids(store) == once(0, 1, 2, 3, 4, 9)
    assert result.twice == 6
    assert result.parts > 1, "not all was held to the end"
    assert_sound(store)


def test_rows_lie_in_the_order_of_the_table(logs: Path, store: Path) -> None:
    """Those that were read exactly after the others; so engines skip what cannot answer."""
    many = [event(n * 7 % 40, f"Call{n * 3 % 5}", eventSource=f"s{n % 3}.amazonaws.com") for n in range(40)]
    write(logs, compact([*many[:20], *(one | {"new": 1} for one in many[20:])]))
    fill(logs, store)
    found = rows(store, columns="eventSource, eventName, eventTime")
    assert found[:20] == sorted(found[:20])
    assert found[20:] == sorted(found[20:])
    assert len(found) == 40


def test_an_export_that_is_delivered_again_is_one_finding(logs: Path, store: Path) -> None:
    write(logs, compact([export(1)]), "a.json.gz")
    assert len(fill(logs, store).new_findings) == 1
    write(logs, compact([event(2), export(1)]), "b.json.gz")
    assert fill(logs, store).new_findings == []
    assert findings() == once(1)


def test_a_changed_file_is_named_and_doubles_nothing(logs: Path, store: Path) -> None:
    path = write(logs, compact([event(1), event(2)]))
    fill(logs, store)
    write(logs, compact([event(1), event(2), event(3)]))
    os.utime(path, ns=(1, 1))
    result = fill(logs, store)
    assert result.changed == [str(path.relative_to(logs))]
    assert event_ids(store) == once(1, 2, 3)
    assert fill(logs, store).files_known == 1


def test_damaged_files_give_what_they_hold_and_are_named_with_the_reason(logs: Path, store: Path) -> None:
    whole = gzip.compress(compact([event(number) for number in range(1, 400)]))
    write(logs, whole[: len(whole) // 2], "cut.json.gz", packed=False)
    write(logs, b"not json at all", "junk.json.gz")
    write(logs, b"", "empty.json.gz", packed=False)
    write(logs, gzip.compress(b"\0" * (LIMIT + 1)), "bomb.json.gz", packed=False)
    write(logs, compact([event(500)])[:-2] + b',{"eventName": broken}]}', "part.json.gz")
    write(logs, compact([event(600)]), "good.json.gz")
    result = fill(logs, store)
    states = {file.key.rpartition("/")[2]: file.state for file in result.not_whole}
    assert states == {
        "cut.json.gz": "damaged", "junk.json.gz": "quarantined", "empty.json.gz": "quarantined",
        "bomb.json.gz": "quarantined", "part.json.gz": "damaged",
    }  # fmt: skip
    assert all(file.problems for file in result.not_whole)
    found = event_ids(store)
    assert set(found.values()) == {1}
    assert {event(500)["eventID"], event(600)["eventID"], event(1)["eventID"]} <= set(found)
    assert len(status(Store(store)).not_whole) == 5
    assert fill(logs, store).files_read == 0, "a file that cannot be read is not tried every time"


def test_a_file_that_cannot_be_opened_is_named(logs: Path, store: Path) -> None:
    write(logs, compact([event(1)]))
    source = folder_source(logs)
    (logs / PLACE / "a.json.gz").unlink()
    result = module.ingest(Store(store), source, LIMIT, 1)
    (lost,) = result.not_whole
    assert (lost.state, lost.events) == ("quarantined", 0)
    assert "No such file" in lost.problems[0]


def test_a_line_that_is_no_access_log_line_is_kept_as_it_is(logs: Path, store: Path) -> None:
    (logs / "2026-03-02-10-00-00-0123456789ABCDEF").write_text("what is this\n\n")
    result = fill(logs, store)
    assert rows(store, "access_log", "line, bucket, dt::varchar") == [("what is this", None, "unknown")]
    assert "no lines of an access log" in result.not_whole[0].problems[0]


def test_an_empty_folder_makes_an_empty_store(logs: Path, store: Path) -> None:
    result = fill(logs, store)
    assert (result.files_found, Store(store).parts(), Store(store).days()) == (0, [], [])
    assert status(Store(store)).files == 0
    assert_sound(store)


def test_two_at_a_time_are_refused(logs: Path, store: Path) -> None:
    write(logs, compact([event(1)]))
    with opened_for_work(Store(store), new=True), pytest.raises(store_parts.Busy):
        fill(logs, store)
    assert fill(logs, store).files_read == 1


def test_a_folder_that_is_no_store_is_refused_where_none_is_made(store: Path) -> None:
    with pytest.raises(StoreUnusable, match="vmexport store ingest"):
        status(Store(store))


FULL = """
import resource, sys
from pathlib import Path
from tests.hunting.ingests_of import fill
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # as a disk that has no more room
fill(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_is_an_error_that_leaves_no_visible_part(logs: Path, store: Path, workers: int) -> None:
    many = [event(number, userAgent=os.urandom(200).hex()) for number in range(2000)]
    write(logs, compact(many[:1000]), "a.json.gz")
    write(logs, compact(many[1000:]), "b.json.gz")
    done = subprocess.run(
        [sys.executable, "-c", f"from tasks.hunting import ingest; ingest.ALONE = 0\n{FULL}", str(logs), str(store), str(workers)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert NotWritten.__name__ in done.stderr
    assert Store(store).parts() == []
    assert_sound(store)
    fill(logs, store)
    assert len(event_ids(store)) == 2000


def test_what_names_a_file_need_not_be_text(logs: Path, store: Path) -> None:
    path = write(logs, compact([export(1)]))
    os.rename(os.fsencode(path), os.fsencode(path.parent) + b"/odd-\xff\n\x1b[31m.json.gz")
    result = fill(logs, store)
    assert len(result.new_findings) == 1
    assert json.dumps(result.new_findings[0].model_dump(mode="json")).isascii()
    assert fill(logs, store).files_known == 1
