"""Whoever is killed while he writes into a store loses nothing and doubles nothing, at whatever moment it was."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import text

from lab.cloudtrail_generator import generate
from records import hunts, store_parts
from records.database import engine, transaction
from tasks.hunting import ingest, store_folder
from tasks.hunting.compaction import compacted, expired
from tasks.hunting.ingest import opened_for_work
from tasks.hunting.store import Store
from tasks.hunting.workers import ROOT
from tests.hunting.ingests_of import assert_sound, event_ids, fill, findings, rows, written_ids
from tests.hunting.logs_of import compact, event, export, write

pytestmark = pytest.mark.usefixtures("database")
EVENTS = int(os.environ.get("VMEXPORT_TEST_KILLED_EVENTS", "12000"))
BATCH = 100_000 if EVENTS < 100_000 else 3_000_000
KILLED = -9


def dies(deed: Callable[[], Any], place: Any, name: str, call: int, after: bool) -> bool:
    """Do it in a process that dies at its n-th call of a function, before or after; whether it came to that."""
    engine().dispose(close=False)  # the child must not speak through our connections
    child = os.fork()
    if not child:
        real, calls = getattr(place, name), 0

        def deadly(*given: Any, **more: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == call and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            answer = real(*given, **more)
            if calls == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        try:
            setattr(place, name, deadly)
            deed()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


MOMENTS = [
    (hunts, "files_done_within", 1, False),
    (hunts, "findings_within", 1, True),
    (ingest, "settle", 1, False),
    (os, "rename", 1, True),
    (ingest, "settle", 2, True),
    (store_parts, "done_within", 3, True),
    (store_parts, "decide_within", 3, True),
    (os, "link", 2, True),
    (store_folder, "_exchange", 2, False),
    (store_folder, "_exchange", 2, True),
    (store_parts, "compared_within", 1, False),
]


@pytest.mark.parametrize(("place", "name", "call", "after"), MOMENTS, ids=lambda value: getattr(value, "__name__", str(value)))  # fmt: skip
def test_dying_at_any_step_of_an_ingest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Any, name: str, call: int, after: bool
) -> None:
    monkeypatch.setattr(ingest, "BATCH_FILES", 1)
    logs, store = tmp_path / "logs", tmp_path / "store"
    write(logs, compact([event(1), export(2), event(3)]), "a.json.gz")
    write(logs, compact([event(3), event(4), event(5, eventTime="2026-03-03T00:00:00Z")]), "b.json.gz")
    assert dies(lambda: fill(logs, store), place, name, call, after)
    fill(logs, store)
    assert event_ids(store) == Counter(written_ids(logs))
    assert findings() == Counter([export(2)["eventID"]])
    assert_sound(store)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", ["decide_within", "_exchange", "done_within"])
def test_dying_in_a_compaction_or_while_days_go(tmp_path: Path, step: str, after: bool) -> None:
    logs, store = tmp_path / "logs", tmp_path / "store"
    for number in range(3):
        write(logs, compact([event(10 * number + n) for n in range(1, 5)]), f"{number}.json.gz")
        fill(logs, store)
    before = event_ids(store)
    place = store_folder if step == "_exchange" else store_parts

    def work() -> None:
        with opened_for_work(Store(store)) as opened:
            compacted(opened)

    def go() -> None:
        with opened_for_work(Store(store)) as opened:
            expired(opened, "2027-01-01")

    assert dies(work, place, step, 2 if step == "done_within" else 1, after)
    assert event_ids(store) == before, "what is seen before anybody tidies up"
    work()
    assert event_ids(store) == before
    assert len(Store(store).parts()) == 1
    assert_sound(store)
    assert dies(go, place, step, 2 if step == "done_within" else 1, after)
    go()
    assert rows(store) == []
    assert_sound(store)
    assert fill(logs, store).files_read == 0


INGEST = f"""
import sys
from tasks.hunting import ingest
ingest.ALONE, ingest.BATCH_BYTES = 0, {BATCH}
from pathlib import Path
from tests.hunting.ingests_of import fill
fill(Path(sys.argv[1]), Path(sys.argv[2]), 2)
"""


@pytest.mark.timeout(3600 if EVENTS > 100_000 else 300)
def test_an_ingest_that_is_killed_three_times_at_random(tmp_path: Path) -> None:
    logs, store = tmp_path / "org", tmp_path / "store"
    truth = generate(logs, EVENTS, days=14, seed=8)
    files = truth["files"]
    assert isinstance(files, int)
    moments = random.Random(os.urandom(8))
    command = [sys.executable, "-c", INGEST, str(logs), str(store)]
    for share in sorted(moments.uniform(0.02, 0.9) for _ in range(3)):
        process = subprocess.Popen(command, cwd=ROOT)
        while process.poll() is None and _files_read() < share * files:
            time.sleep(moments.uniform(0, 0.02))
        process.kill()
        assert process.wait() == KILLED, f"it had ended before {share:.0%}"
    subprocess.run(command, cwd=ROOT, check=True)
    assert event_ids(store) == Counter(written_ids(logs))
    exports = truth["exports"]
    assert isinstance(exports, list)
    assert findings() == Counter(exports)
    lines = Counter(line for (line,) in rows(store, "access_log", "line"))
    written = [path.read_text().splitlines() for path in (logs / "s3-access-logs").rglob("*") if path.is_file()]
    assert lines == Counter(line for text in written for line in text)
    assert_sound(store)


def _files_read() -> int:
    with transaction() as connection:
        return int(connection.execute(text("select count(*) from log_file")).scalar_one())


def test_who_lists_the_folder_during_a_compaction_sees_each_event_once(tmp_path: Path) -> None:
    logs, store = tmp_path / "logs", tmp_path / "store"
    for number in range(4):
        write(logs, compact([event(100 * number + n) for n in range(50)]), f"{number}.json.gz")
        fill(logs, store)
    seen: list[tuple[int, int]] = []
    stop = threading.Event()

    def look() -> None:
        with duckdb.connect() as connection:
            query = f"select count(*), count(distinct eventID) from read_parquet('{Store(store).glob()}')"
            while not stop.is_set():
                with suppress(duckdb.IOException):  # what it had listed is gone: an error, and no wrong answer
                    seen.append(connection.execute(query).fetchone() or (0, 0))

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for number in range(5):
            write(logs, compact([event(100 * number + n) for n in range(200)]), f"again-{number}.json.gz")
            with opened_for_work(Store(store)) as opened:
                compacted(opened)
        while len(seen) < 3:
            assert reader.is_alive()
            time.sleep(0.01)
    finally:
        stop.set()
        reader.join()
    assert set(seen) == {(200, 200)}
