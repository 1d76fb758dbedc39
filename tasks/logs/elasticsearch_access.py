"""S3 server access logs in Elasticsearch (`logs-aws.s3access-*`), lines that the integration could not parse included.

The integration's pattern knows no `+`, `=` or `,` in a requester, so whoever names a session so escapes it: such a line
stands in a document as text, and is parsed here (notes/aws.md 3.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from elasticsearch import Elasticsearch

from decisions import ecs
from decisions.activity import LogAnswer, LogRecord
from decisions.reading import moment
from settings.elastic import ElasticsearchSettings
from tasks.elastic.client import Pages, Unanswered, connected
from tasks.logs.access_logs import BEST_EFFORT, LATE, NotALine, parse_line, to_record
from tasks.logs.elasticsearch import Newest
from tasks.logs.elasticsearch_query import ACTION, FAILED, period, terms
from tasks.logs.interface import Query, Scope, Searching, answer

FIELDS = (
    "bucket_owner", "bucket", "remote_ip", "requester", "request_id", "operation", "key", "request_uri", "http_status",
    "error_code", "bytes_sent", "object_size", "total_time", "turn_around_time", "referrer", "user_agent", "version_id",
    "host_id", "signature_version", "cipher_suite", "authentication_type", "host_header", "tls_version",
    "access_point_arn", "aclrequired", "source_region",
)  # fmt: skip
"""Of `aws.s3access`, as `parse_line` names them."""
SOURCE = ("@timestamp", "aws", "aws.*", "event", "event.*", "message")
BUCKET = "aws.s3access.bucket"


class ElasticsearchAccessLogs(Searching):
    """The access log indices of one cluster."""

    def __init__(self, settings: ElasticsearchSettings, max_records: int) -> None:
        self._settings, self._max_records = settings, max_records

    def search(self, query: Query, scope: Scope) -> LogAnswer:
        """Lines about the place of the query; never complete. Account and Region are those of the bucket. Raises nothing."""
        gaps = [BEST_EFFORT]
        found, failed = Newest(self._max_records), Newest(self._max_records)
        try:
            with connected(self._settings) as es:
                filters = [period(scope.since, scope.until)]
                filters += [{"term": {BUCKET: query.place.bucket}}] if query.place else []
                filters += [terms(ACTION, query.event_names)] if query.event_names else []
                self._read(es, {"bool": {"filter": filters, "must_not": [FAILED]}}, query, scope, found, gaps)
                late = [FAILED, period(scope.since, scope.until + LATE)]
                self._read(es, {"bool": {"filter": late}}, query, scope, failed, gaps)
        except Unanswered as error:
            gaps.append(str(error))
        left_out = found.left_out + failed.left_out
        records = [*found.records, *failed.records]
        return answer(records, scope, gaps, datetime.now(UTC), self._max_records, left_out)

    def _read(
        self, es: Elasticsearch, dsl: dict[str, Any], query: Query, scope: Scope, found: Newest, gaps: list[str]
    ) -> None:
        own = self._settings
        pages = Pages(es, own.access_log_indices, dsl, newest_first=True, source=SOURCE, page_size=own.page_size)
        broken = 0
        try:
            for hit in pages:
                try:
                    record = told_by(hit)
                except NotALine:
                    broken += 1
                    continue
                if scope.covers(record.time) and query.matches(record):
                    found.add(record)
        finally:
            gaps += pages.gaps
            gaps += [f"{broken} document(s) of access logs hold no line that can be read."] if broken else []


def told_by(hit: Mapping[str, Any]) -> LogRecord:
    """The line of a document: its raw text where that was kept, else its fields. Raises NotALine."""
    source, origin = hit["_source"], f"{hit['_index']}/{hit['_id']}"
    for raw in (*ecs.scalars(source, "event.original"), *ecs.scalars(source, "message")):
        if isinstance(raw, str):
            try:
                return to_record(parse_line(raw), origin)
            except NotALine:
                continue
    told = ecs.tree(source, "aws.s3access")
    at = [moment(value) for value in ecs.scalars(source, "@timestamp") if isinstance(value, str)]
    if len(at) != 1 or at[0] is None or not isinstance(told.get("bucket"), str):
        raise NotALine("it has neither a raw line nor the fields of one")
    fields = {name: told.get(name) for name in FIELDS} | {"time": at[0]}
    return to_record(fields, origin)
