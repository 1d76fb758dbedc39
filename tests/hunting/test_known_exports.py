"""A read that comes long after the export is found by the run that looks at its day."""

from __future__ import annotations

from datetime import UTC, datetime

from tasks.hunting.coverage import Period
from tasks.hunting.file_source import FileSource
from tasks.hunting.hunt import hunt
from tests.hunting.logs_of import PLACE, compact, event, export, write


def test_who_reads_the_object_of_an_export_from_before_is_found(tmp_path):
    write(tmp_path, compact([export(1)]))
    late = event(2, "GetObject", eventSource="s3.amazonaws.com", eventTime="2026-03-20T10:00:00Z",
                 requestParameters={"bucketName": "exports", "key": "vms/export-i-0123456789abcdef0.ova"})  # fmt: skip
    write(tmp_path, compact([late]), "b.json.gz", PLACE.replace("03/02", "03/20"))
    first, later = Period(until=datetime(2026, 3, 10, tzinfo=UTC)), Period(since=datetime(2026, 3, 19, tzinfo=UTC))
    before = hunt(FileSource(tmp_path, first, 10**8), first)
    assert [finding.kind for finding in before.findings] == ["export"]
    assert hunt(FileSource(tmp_path, later, 10**8), later).findings == ()
    [found] = hunt(FileSource(tmp_path, later, 10**8), later, known=before.findings).findings
    assert (found.kind, found.about) == ("download", (before.findings[0].id,))
