"""The commands that ask a Trino, as a person and a script meet them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hunting.logs_of import event, export
from tests.hunting.stores_of import store_of
from tests.trino.conftest import Place
from tests.trino.stored import asking, declare

COMMAND = str(Path(sys.executable).with_name("vmexport"))


@pytest.fixture
def environment(trino: Place, schema: str, tmp_path: Path) -> dict[str, str]:
    """Settings that name a store with one export."""
    store_of(trino.files / schema, [event(1), export(2)])
    (trino.files / schema / "access_log").mkdir()
    declare(asking(trino), trino, trino.files / schema, schema)
    return {
        "PATH": "/usr/bin:/bin",
        "VMEXPORT_HOME": str(tmp_path),
        "VMEXPORT_TRINO_URL": trino.url,
        "VMEXPORT_TRINO_TABLE": f"hive.{schema}.cloudtrail",
    }


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a pipe."""
    return subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, timeout=120, check=False, env=environment
    )


def test_a_hunt_finds_the_export_and_says_what_it_read(environment: dict[str, str]) -> None:
    """Exit 1, the finding with the id that it has everywhere, the coverage; outside of the period nothing."""
    done = run(environment, "hunt", "--trino", "--json")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert [one["id"] for one in told["findings"] if one["kind"] == "export"] == [f"vm-export:1:{export(2)['eventID']}"]
    assert told["coverage"]["events"] == 2
    assert told["coverage"]["files_searched"] == 1
    assert any("vmexport store ddl" in note for note in told["coverage"]["notes"])
    later = run(environment, "hunt", "--trino", "--since", "2026-04-01")
    assert later.returncode == 2
    assert "this is no answer" in later.stderr


def test_doctor_says_which_days_are_seen(environment: dict[str, str]) -> None:
    """And that there is no row of an access log."""
    checks = {one["name"]: one for one in json.loads(run(environment, "doctor", "--json").stdout)}
    assert checks["Trino cloudtrail"]["result"] == "ok"
    assert "2026-03-02 to 2026-03-02" in checks["Trino cloudtrail"]["sentence"]
    assert checks["Trino access_log"]["result"] == "warning"


def test_rules_are_checked_on_it(environment: dict[str, str]) -> None:
    """Named among the engines, not among those that are absent."""
    told = json.loads(run(environment, "rules", "check", "--json").stdout)
    assert "trino" in told["engines"]
    assert told["good"]
    assert not any(one.startswith("trino") for one in told["absent"])
