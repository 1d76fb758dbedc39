"""A store is filled from a bucket as from a folder: each object once, whatever was copied to read it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cli.store_source import log_source
from tasks.hunting.ingest import IngestResult, ingest
from tasks.hunting.store import Store
from tests.hunting.ingests_of import assert_sound, event_ids, findings
from tests.hunting.log_bucket import LIMIT, LOGS, MARCH, calls, put, s3
from tests.hunting.logs_of import event, export
from tests.tasks.conftest import eventually, lab, lab_process, ours, roots

__all__ = ["eventually", "lab", "lab_process", "ours", "roots", "s3"]


def fill(folder: Path, prefix: str = "") -> IngestResult:
    with log_source(f"s3://{LOGS}/{prefix}", None, None, LIMIT) as (source, lost):
        result = ingest(Store(folder), source, LIMIT, 1)
        assert lost() == []
    return result


@pytest.mark.usefixtures("database")
def test_each_object_is_read_once(s3: Any, tmp_path: Path) -> None:
    put(s3, f"{MARCH}/02/a.json.gz", event(1), export(2))
    put(s3, f"{MARCH}/03/b.json.gz", event(3), event(1))
    first = fill(tmp_path)
    assert {finding.origin for finding in first.new_findings} == {f"s3://{LOGS}/{MARCH}/02/a.json.gz"}
    put(s3, f"{MARCH}/03/c.json.gz", event(4))
    put(s3, f"{MARCH}/02/a.json.gz", event(1), export(2), event(5))
    seen = calls()
    second = fill(tmp_path, f"{MARCH}/")
    got = [params["Key"] for name, params in seen if name == "GetObject"]
    assert sorted(got) == [f"{MARCH}/02/a.json.gz", f"{MARCH}/03/c.json.gz"], "by another prefix it is the same object"
    assert second.changed == [f"s3://{LOGS}/{MARCH}/02/a.json.gz"]
    assert event_ids(tmp_path) == Counter(event(number)["eventID"] for number in range(1, 6))
    assert findings() == Counter([export(2)["eventID"]])
    assert_sound(tmp_path)
