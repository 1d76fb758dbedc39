"""`vmexport store`: what a person is told, and the exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from records import embedded
from tasks.hunting import compaction
from tasks.hunting.ingest import opened_for_work
from tasks.hunting.store import Store
from tests.hunting.ingests_of import fill, filled
from tests.hunting.logs_of import compact, event, write


@pytest.fixture
def store(database, tmp_path: Path) -> Path:
    return filled(tmp_path)


def test_the_commands(store: Path, tmp_path: Path, vmexport) -> None:
    write(tmp_path / "logs", b"junk", "junk.json.gz")
    said = vmexport("store", "ingest", str(tmp_path / "logs"), "--to", str(store))
    assert said.code == 1
    assert "junk.json.gz: " in said.out
    again = vmexport("store", "ingest", str(tmp_path / "logs"), "--to", str(store), "--json")
    assert (again.code, json.loads(again.out)["files_read"]) == (0, 0)
    assert "cloudtrail: 10 rows" in vmexport("store", "status", str(store)).out
    assert json.loads(vmexport("store", "compact", str(store), "--json").out)["parts_after"] == 2
    assert "1 day(s) before 2026-03-02" in vmexport("store", "expire", str(store), "--older-than", "2026-03-02").out
    Store(store).parts()[0].unlink()
    broken = vmexport("store", "status", str(store))
    assert (broken.code, "is missing" in broken.out) == (1, True)


def test_a_day_of_which_two_parts_are_made_is_one_day(
    database, tmp_path: Path, vmexport, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    for number in range(6):
        write(tmp_path / "logs", compact([event(number)]), f"{number}.json.gz")
        fill(tmp_path / "logs", store)
    monkeypatch.setattr(compaction, "SMALL", max(part.stat().st_size for part in Store(store).parts()) + 1)
    told = json.loads(vmexport("store", "compact", str(store), "--json").out)
    assert (told["days"], told["parts_before"], told["parts_after"]) == (1, 6, 2)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("ingest", "/nowhere", "--to", "{tmp}/s"), "is not there"),
        (("ingest", "{tmp}", "--to", "{tmp}/s", "--since", "3d"), "--since is for buckets"),
        (("ingest", "{tmp}", "--to", "/proc/store"), "cannot be a store"),
        (("status", "{tmp}"), "is no store"),
        (("compact", "{tmp}"), "is no store"),
        (("expire", "{tmp}", "--older-than", "soon"), "is no time"),
    ],
)
def test_a_mistake_is_a_sentence(database, vmexport, tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    said = vmexport("store", *(word.replace("{tmp}", str(tmp_path)) for word in words))
    assert said.code == 2
    assert told in said.err
    assert "Traceback" not in said.err


def test_one_at_a_time(vmexport, store: Path) -> None:
    with opened_for_work(Store(store)):
        said = vmexport("store", "compact", str(store))
    assert (said.code, "two at a time are refused" in said.err) == (2, True)


def test_without_a_configured_database_our_own_is_started_and_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "VMEXPORT_DATABASE_URL"}
    (tmp_path / "logs").mkdir()
    words = ["store", "ingest", str(tmp_path / "logs"), "--to", str(tmp_path / "store")]
    try:
        done = subprocess.run(
            [sys.executable, "-c", "from cli.main import main; main()", *words],
            env=environment | {"VMEXPORT_HOME": str(tmp_path / "home")},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert embedded.running(tmp_path / "home" / "postgres") is None
    finally:
        embedded.remove(tmp_path / "home" / "postgres")
