"""`vmexport hunt s3://…` and `vmexport store ingest s3://…` as a person and a script meet them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from settings import buckets as bucket_settings
from tests.hunting.log_bucket import LOGS, MARCH, calls, put, s3
from tests.hunting.logs_of import event, export
from tests.tasks.conftest import eventually, lab, lab_process, ours, roots

__all__ = ["eventually", "lab", "lab_process", "ours", "roots", "s3"]


def test_a_hunt_says_what_it_costs_before_and_in_its_answer(s3: Any, vmexport: Any) -> None:
    """The finding names the object; the estimate stands on standard error and in the JSON."""
    put(s3, f"{MARCH}/02/a.json.gz", export(1))
    answer = vmexport("hunt", f"s3://{LOGS}/AWSLogs/", "--since", "2026-03-01", "--until", "2026-03-04", "--json")
    assert answer.code == 1
    told = json.loads(answer.out)
    assert f"s3://{LOGS}/{MARCH}/02/a.json.gz" in {finding["origin"] for finding in told["findings"]}
    assert "1 object(s)" in answer.err
    assert "At most $0.0000" in answer.err
    estimate = told["estimate"]
    assert (estimate["objects"], estimate["gets"], estimate["passes"]) == (1, 1, 2)
    assert estimate["listed"] == 8  # four folders, and four days: one more than the period, for what comes late
    assert 0 < estimate["usd"] < 0.001


def test_a_run_above_the_limit_reads_nothing(s3: Any, vmexport: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2 with how to go on; what a machine in the Region does not pay is not counted."""
    put(s3, f"{MARCH}/02/a.json.gz", export(1), event(2, userAgent="x" * 1_000_000))
    monkeypatch.setenv("VMEXPORT_HUNT_S3_COST_MAX", "0.0001")
    bucket_settings.buckets.cache_clear()
    seen = calls()
    answer = vmexport("hunt", f"s3://{LOGS}/{MARCH}/")
    assert answer.code == 2
    assert "is above VMEXPORT_HUNT_S3_COST_MAX" in answer.err
    assert "--since" in answer.err
    assert [name for name, _ in seen if name == "GetObject"] == []
    monkeypatch.setenv("VMEXPORT_HUNT_S3_IN_REGION", "true")
    bucket_settings.buckets.cache_clear()
    assert vmexport("hunt", f"s3://{LOGS}/{MARCH}/").code == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["s3://nobody-has-this"], "There is no bucket"),
        ([f"s3://{LOGS}", "--bucket-account", "210987654321"], "is not in organization.toml"),
        ([f"s3://{LOGS}", "--bucket-account", "123456789012"], "it is no bucket of account"),
        (["s3:/x"], "names no bucket"),
    ],
)
def test_a_bucket_that_cannot_be_used_is_a_sentence(s3: Any, vmexport: Any, words: list[str], said: str) -> None:
    answer = vmexport("hunt", *words)
    assert answer.code == 2
    assert said in answer.err
    assert "Traceback" not in answer.err


def test_a_spool_that_cannot_be_written_is_a_sentence(
    s3: Any, vmexport: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And names the setting."""
    put(s3, f"{MARCH}/02/a.json.gz", export(1))
    monkeypatch.setenv("VMEXPORT_HUNT_SPOOL_DIR", str(tmp_path / "nowhere"))
    bucket_settings.buckets.cache_clear()
    answer = vmexport("hunt", f"s3://{LOGS}/")
    assert answer.code == 2
    assert "VMEXPORT_HUNT_SPOOL_DIR" in answer.err


def test_a_store_is_filled_from_a_bucket(s3: Any, vmexport: Any, database: Any, tmp_path: Path) -> None:
    """Each object once; a second run costs and reads what is new."""
    put(s3, f"{MARCH}/02/a.json.gz", export(1), event(2))
    words = ("store", "ingest", f"s3://{LOGS}/AWSLogs/", "--to", str(tmp_path / "store"), "--json")
    first = vmexport(*words)
    assert first.code == 1, first.err
    assert json.loads(first.out)["files_read"] == 1
    put(s3, f"{MARCH}/03/b.json.gz", event(3), event(4))
    seen = calls()
    second = vmexport(*words)
    assert second.code == 0, second.err
    told = json.loads(second.out)
    assert (told["files_known"], told["files_read"], told["events"]) == (1, 1, 2)
    assert [asked["Key"] for name, asked in seen if name == "GetObject"] == [f"{MARCH}/03/b.json.gz"]
    assert "1 object(s)" in second.err
