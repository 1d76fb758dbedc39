"""Made-up logs are the same for the same seed, in AWS's layout, and their truth is true."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

from lab.cloudtrail_generator import generate, truth_path
from lab.generator_events import KINDS
from lab.generator_records import ACCOUNTS


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    """And another seed gives others."""
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        generate(tmp_path / name, 2000, accounts=2, days=3, seed=seed, tiny=True)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert files(tmp_path / "a") != files(tmp_path / "c")


def test_the_truth_is_about_the_files(tmp_path: Path) -> None:
    """Layout, number of records, kinds of calls, and every planted event are as told."""
    told = generate(tmp_path / "logs", 40_000, accounts=3, days=5)
    assert told == json.loads(truth_path(tmp_path / "logs").read_text())
    records = []
    paths = [path for path in files(tmp_path / "logs") if path.endswith(".gz")]
    for path in paths:
        assert re.fullmatch(r"AWSLogs/o-[a-z0-9]+/\d{12}/CloudTrail/[a-z0-9-]+/2026/\d\d/\d\d/\d{12}_CloudTrail_[a-z0-9-]+_\d{8}T\d{4}Z_\w{16}\.json\.gz", path)  # fmt: skip
        records += json.loads(gzip.decompress((tmp_path / "logs" / path).read_bytes()))["Records"]
    assert len(records) == told["events"]
    assert len(paths) == told["files"]
    by_id = {record["eventID"]: record for record in records}
    assert len({(record["eventSource"], record["eventName"]) for record in records}) > 65
    assert len(KINDS) == 72
    for kind in ("exports", "activity", "downloads", "touched", "decoys", "redelivered"):
        assert set(told[kind]) <= set(by_id)
    assert {record["recipientAccountId"] for record in records} <= set(ACCOUNTS)
    exports = {r["eventID"] for r in records if r["eventName"] in {"CreateInstanceExportTask", "ExportImage", "CreateStoreImageTask"} and r["eventSource"] == "ec2.amazonaws.com"}  # fmt: skip
    assert exports == set(told["exports"])
    assert len(by_id) < len(records)
