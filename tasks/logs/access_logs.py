"""S3 server access logs: lines of up to 27 fields of which three may hold unescaped quotes, written by whoever calls.

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
from tasks.logs.files import UNREADABLE, unpacked
from tasks.logs.interface import Query, Scope, Searching, answer

NAME = re.compile(r"(\d{4}-\d{2}-\d{2})-\d{2}-\d{2}-\d{2}-[0-9A-Fa-f]+$")
LATE = timedelta(days=3)
"""Files named up to this long after the period are searched as well: a line may arrive late."""
BEST_EFFORT = "S3 server access logs are delivered best effort, hours late: a read may be missing from them."

HEAD = re.compile(
    r"(?P<bucket_owner>\S+) (?P<bucket>\S+) \[(?P<time>[^\]]+)\] (?P<remote_ip>\S+) (?P<requester>\S+) "
    r"(?P<request_id>\S+) (?P<operation>\S+) (?P<key>\S+) "
    # A request target holds no blank, whatever quotes it holds: so its end is certain.
    r'(?:"(?P<request_uri>[A-Z]+ \S* HTTP/\d(?:\.\d)?|-)"|-) '
    r"(?P<http_status>\d{3}|-) (?P<error_code>\S+) (?P<bytes_sent>\d+|-) (?P<object_size>\d+|-) "
    r'(?P<total_time>\d+|-) (?P<turn_around_time>\d+|-) (?:"|(?=-))'
)
TAIL = (
    "version_id", "host_id", "signature_version", "cipher_suite", "authentication_type", "host_header", "tls_version",
    "access_point_arn", "aclrequired", "source_region",
)  # fmt: skip
"""Fields after the user agent; old lines have fewer, future ones more. None of them holds a quote."""
NUMBERS = ("http_status", "bytes_sent", "object_size", "total_time", "turn_around_time")


class NotALine(ValueError):
    """The text is no line of an access log."""


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


def parse_line(line: str) -> dict[str, Any]:
    """The fields of one line by the names of Elastic's integration; `-` is None, numbers are int. Raises NotALine.

    Referer and user agent are the caller's text and may hold quotes: where one ends and the other begins can then be
    uncertain; every other field is certain.
    """
    head = HEAD.match(line)
    if head is None:
        raise NotALine("the fields up to the referer are not those of an access log")
    rest = line[head.end() - 1 :].rstrip("\r")
    referer, agent, tail = _quoted(rest)
    fields: dict[str, Any] = {name: None if value == "-" else value for name, value in head.groupdict().items()}
    fields |= {name: int(fields[name]) for name in NUMBERS if fields[name] is not None}
    fields |= {"time": _time(head["time"]), "referrer": referer, "user_agent": agent}
    return fields | {name: None if value == "-" else value for name, value in zip(TAIL, tail.split(), strict=False)}


def _quoted(rest: str) -> tuple[str | None, str | None, str]:
    """Referer, user agent and what follows: the last quote of the line closes the user agent."""
    if rest.startswith(" - - "):
        return None, None, rest[5:]
    end = rest.rfind('" ')
    if not rest.startswith('"') or end <= 0:
        raise NotALine("referer and user agent are not quoted")
    referer, between, agent = rest[1:end].partition('" "')
    if not between:
        raise NotALine("there is no user agent")
    return (None if referer == "-" else referer), (None if agent == "-" else agent), rest[end + 2 :]


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


def _time(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%d/%b/%Y:%H:%M:%S %z").astimezone(UTC)
    except ValueError as error:
        raise NotALine(f"{text} is no time") from error
