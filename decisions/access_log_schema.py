"""The table that S3 server access logs are kept in: Parquet, a row for each line, the whole line beside its fields.

The columns are named as the fields of Elastic's integration are, which `tasks/logs/access_logs.py` reads. Of a line that is no
line of an access log there is only `line`; nothing that somebody wrote into a log is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from decisions.partition import UNKNOWN_DAY

TIME = "time"
LINE = "line"
TEXT_COLUMNS = (
    "bucket_owner", "bucket", "remote_ip", "requester", "request_id", "operation", "key", "request_uri", "error_code",
    "referrer", "user_agent", "version_id", "host_id", "signature_version", "cipher_suite", "authentication_type",
    "host_header", "tls_version", "access_point_arn", "aclrequired", "source_region",
)  # fmt: skip
"""As the line says them, `-` being null; `key` is URL-encoded there."""
NUMBER_COLUMNS = ("http_status", "bytes_sent", "object_size", "total_time", "turn_around_time")

COLUMNS: tuple[tuple[str, str], ...] = (
    (TIME, "varchar"),
    *((name, "varchar") for name in TEXT_COLUMNS),
    *((name, "bigint") for name in NUMBER_COLUMNS),
    (LINE, "varchar"),
)
"""Name and SQL type of each column but the partition, in their order."""
SORTED_BY = ("bucket", "operation", "time")

Field = str | int | datetime | None
Row = dict[str, str | int | None]
LARGEST = 2**63 - 1


def row(line: str, fields: Mapping[str, Field] | None) -> Row:
    """A line and its fields (None: it is no line of an access log) as a row; `time` as `2026-03-02T10:00:00Z`."""
    cells: Row = dict.fromkeys(name for name, _ in COLUMNS)
    cells[LINE] = line
    if fields is None:
        return cells
    moment = fields.get(TIME)
    if isinstance(moment, datetime):
        cells[TIME] = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    for name in TEXT_COLUMNS:
        value = fields.get(name)
        cells[name] = value if isinstance(value, str) else None
    for name in NUMBER_COLUMNS:
        value = fields.get(name)
        cells[name] = value if isinstance(value, int) and value <= LARGEST else None
    return cells


def day(cells: Row) -> str:
    """The partition that a row belongs to."""
    moment = cells[TIME]
    return moment[:10] if isinstance(moment, str) else UNKNOWN_DAY
