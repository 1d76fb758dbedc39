"""A hunt over many files is killed with -9 in the middle: the next run reads no file twice, and every export is a case's once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter

from prefect.settings import PREFECT_API_URL
from sqlalchemy import func, select

from decisions.case import fold
from flows.retro_hunt import retro_hunt
from lab.cloudtrail_generator import generate
from records import hunts, ledger
from records.database import transaction
from records.tables import log_file
from settings import hunts as hunts_settings
from settings.home import ROOT

EVENTS = 40_000
RUN = "import asyncio; from flows.retro_hunt import retro_hunt; asyncio.run(retro_hunt(source='logs'))"


def files_in() -> int:
    with transaction() as connection:
        return connection.execute(select(func.count()).select_from(log_file)).scalar_one()


def kill_in_the_middle(environment) -> int:
    """Start a run, and kill it with all its children when some of the files are in; how many are."""
    running = subprocess.Popen([sys.executable, "-c", RUN], cwd=ROOT, env=environment, start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    end = time.monotonic() + 120
    while not (there := files_in()):
        assert running.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < end, "it took in nothing"
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    return max(there, files_in())


def test_a_killed_run_is_gone_on_with_and_reads_no_file_twice(database, prefect, tmp_path, monkeypatch):
    logs = tmp_path / "logs"
    truth = generate(logs, EVENTS, tiny=True)
    (tmp_path / "hunts.toml").write_text(
        f'[[source]]\nname = "logs"\nkind = "files"\nplace = "{logs}"\nstore = "{tmp_path / "store"}"\nfirst = "9000d"\n'
    )
    monkeypatch.setenv("VMEXPORT_HUNTS", str(tmp_path / "hunts.toml"))
    hunts_settings.hunts.cache_clear()
    try:
        before = kill_in_the_middle(os.environ | {"PREFECT_API_URL": PREFECT_API_URL.value()})
        hunted = asyncio.run(retro_hunt(source="logs"))
    finally:
        hunts_settings.hunts.cache_clear()
    total = hunted.files_read + hunted.files_known
    assert 0 < hunted.files_read < total
    assert hunted.files_known >= before
    assert files_in() == total
    assert hunts.last_run("retro-hunt", "logs", "failed").why.startswith("it was killed")

    joined = Counter(e.event_id for case in ledger.cases() for e in fold(ledger.entries(case)).exports)
    assert set(joined.values()) == {1}
    assert set(joined) == {*truth["exports"]}
