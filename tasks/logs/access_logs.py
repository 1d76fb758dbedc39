"""S3 server access logs as a place to search: a folder with the log objects of any number of log buckets.

Delivered best effort, hours late or never: they can show a read, never that there was none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from decisions.activity import LogAnswer, LogRecord
from tasks.logs.access_line import NotALine, parse_line
from tasks.logs.files import UNREADABLE, unpacked
from tasks.logs.interface import Query, Scope, Searching, answer

NAME = re.compile(r"(\d{4}-\d{2}-\d{2})-\d{2}-\d{2}-\d{2}-[0-9A-Fa-f]+$")
LATE = timedelta(days=3)
"""Files named up to this long after the period are searched as well: a line may arrive late."""
BEST_EFFORT = "S3 server access logs are delivered best effort, hours late: a read may be missing from them."


class AccessLogFiles(Searching):
    """A folder with the log objects of any number of log buckets."""

    def __init__(self, folder: Path, max_bytes: int, max_records: int) -> None:
        self._folder, self._max_bytes, self._max_records = folder, max_bytes, max_records

    def search(self, query: Query, scope: Scope) -> LogAnswer:
        """Lines about the place of the query; never complete. Account and Region are those of the bucket."""
        gaps = [BEST_EFFORT]
        found: list[LogRecord] = []
        if not self._folder.is_dir():
            gaps.append(f"{self._folder} is not there: set VMEXPORT_S3_ACCESS_LOGS_DIR to a folder of access logs.")
        literal = query.place.bucket.encode() if query.place else b""
        for path in self._files(scope):
            try:
                text = unpacked(path, self._max_bytes)
            except UNREADABLE as error:
                gaps.append(f"{path} could not be read ({type(error).__name__}: {str(error)[:200]}): fetch it again.")
                continue
            if literal in text:
                found += self._parse(text, path, query, scope, gaps)
        return answer(found, scope, gaps, datetime.now(UTC), self._max_records)

    def _files(self, scope: Scope) -> Iterator[Path]:
        first, last = scope.since.date(), (scope.until + LATE).date()
        for path in sorted(self._folder.rglob("*")):
            named = NAME.search(path.name)
            if named and first.isoformat() <= named[1] <= last.isoformat() and path.is_file():
                yield path

    def _parse(self, text: bytes, path: Path, query: Query, scope: Scope, gaps: list[str]) -> Iterator[LogRecord]:
        broken = 0
        for n, line in enumerate(text.decode("utf-8", "replace").split("\n")):
            if not line.strip():
                continue
            try:
                record = to_record(parse_line(line), f"{path.relative_to(self._folder)}#{n}")
            except NotALine:
                broken += 1
                continue
            if scope.covers(record.time) and query.matches(record):
                yield record
        if broken:
            gaps.append(f"{broken} line(s) of {path} could not be read.")


def to_record(fields: dict[str, Any], origin: str) -> LogRecord:
    """One line in the shape of all log records; a requester that is no ARN is a canonical id, a service or nobody."""
    requester = fields["requester"]
    arn = requester if requester and requester.startswith("arn:") else None
    key = unquote(fields["key"]) if fields["key"] else None
    bucket = fields["bucket"]
    return LogRecord(
        event_id=f"access-log:{fields['request_id']}:{fields['operation']}:{fields['key']}",
        time=fields["time"],
        event_name=fields["operation"] or "-",
        event_source="s3.amazonaws.com",
        region=fields.get("source_region"),
        caller_account=arn.split(":")[4] if arn else None,
        principal_type="Anonymous" if requester is None else None,
        principal_arn=arn,
        principal_id=None if arn else requester,
        source_address=fields["remote_ip"],
        user_agent=fields["user_agent"],
        error_code=fields["error_code"],
        request_parameters={"bucketName": bucket} | ({"key": key} if key else {}),
        resources=(f"arn:aws:s3:::{bucket}/{key}",) if key else (f"arn:aws:s3:::{bucket}",),
        additional={**fields, "time": fields["time"].isoformat()},
        category="access-log",
        origin=origin,
    )
