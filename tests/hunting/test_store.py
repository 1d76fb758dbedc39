"""The store as it is looked after: few parts, old days gone, its folder as its manifest says."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from tasks.hunting import compaction, ingest
from tasks.hunting.compaction import compacted, expired
from tasks.hunting.ingest import opened_for_work
from tasks.hunting.store import Store
from tasks.hunting.store_folder import StoreUnusable, staging
from tasks.hunting.store_status import status
from tests.hunting.ingests_of import assert_sound, event_ids, fill, filled
from tests.hunting.logs_of import compact, event, write

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return filled(tmp_path)


def test_compaction_makes_one_sorted_part_of_each_days_small_ones(store: Path) -> None:
    before = event_ids(store)
    assert len(Store(store).parts(days=["2026-03-02"])) == 3
    with opened_for_work(Store(store)) as opened:
        done = compacted(opened)
    assert event_ids(store) == before
    assert [len(Store(store).parts(days=[day])) for day in Store(store).days()] == [1, 1, 1]
    part = duckdb.read_parquet(str(Store(store).parts(days=["2026-03-02"])[0]))
    names = [name for (name,) in part.project("eventName").fetchall()]
    assert names == sorted(names)
    assert (done.parts_before, done.parts_after, done.twice) == (5, 2, 0)
    assert_sound(store)
    with opened_for_work(Store(store)) as opened:
        assert compacted(opened).parts_after == 0, "there is nothing more to do"


def test_large_parts_are_left_alone(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "SMALL", 10)
    with opened_for_work(Store(store)) as opened:
        compacted(opened)
    assert len(Store(store).parts(days=["2026-03-02"])) == 3


def test_a_day_of_many_parts_is_put_together_by_the_ingest(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "MANY", 3)
    write(store.parent / "logs", compact([event(30)]), "more.json.gz")
    fill(store.parent / "logs", store)
    assert len(Store(store).parts(days=["2026-03-02"])) == 1


def test_old_days_go_and_their_files_are_not_read_again(store: Path) -> None:
    with opened_for_work(Store(store)) as opened:
        gone = expired(opened, "2026-03-02")
    assert {part.day for part in gone} == {"2026-03-01"}
    assert Store(store).days() == ["2026-03-02", "unknown"]
    assert not Store(store).folder("cloudtrail", "2026-03-01").exists()
    assert fill(store.parent / "logs", store).files_read == 0
    assert_sound(store)


def test_what_is_missing_changed_or_foreign_in_the_folder_is_a_problem(store: Path) -> None:
    first, second, *_ = Store(store).parts()
    first.unlink()
    with second.open("ab") as stream:
        stream.write(b"x")
    second.with_name("foreign.parquet").write_bytes(b"")
    (second.parent / "_SUCCESS").write_text("")
    told = status(Store(store)).problems
    assert [name in one for name, one in zip((first.name, second.name, "foreign"), told, strict=True)] == [True] * 3


def test_a_compaction_takes_along_what_others_put_into_a_day(store: Path) -> None:
    folder = Store(store).folder("cloudtrail", "2026-03-02")
    (folder / "_SUCCESS").write_text("by somebody else")
    with opened_for_work(Store(store)) as opened:
        compacted(opened)
    assert (folder / "_SUCCESS").read_text() == "by somebody else"


def test_what_was_staged_and_never_told_of_is_deleted(store: Path) -> None:
    (staging(Store(store)) / "left.parquet").write_bytes(b"half")
    fill(store.parent / "logs", store)
    assert_sound(store)


def test_a_folder_that_another_case_store_filled_is_refused(store: Path, tmp_path: Path) -> None:
    (store / "_store.json").write_text(json.dumps({"store": "11111111-0000-4000-8000-000000000000"}))
    with pytest.raises(StoreUnusable, match="another case store"):
        fill(tmp_path / "logs", store)


def test_parts_of_other_names_are_never_read(store: Path) -> None:
    before = Store(store).parts()
    for name in ("_half.parquet", ".half.parquet", "notes.txt"):
        (before[0].parent / name).write_bytes(b"")
    assert Store(store).parts() == before
    assert sum(event_ids(store).values()) == 10
