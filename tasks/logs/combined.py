"""Several stores as one: Elasticsearch first, then files, then the event history where these leave gaps; every record once."""

from __future__ import annotations

from collections.abc import Sequence

from decisions.activity import LogAnswer
from decisions.evidence import Coverage
from settings.elastic import elasticsearch
from settings.logs import logs as settings
from tasks.actions.base import Clients
from tasks.logs.access_logs import AccessLogFiles
from tasks.logs.elasticsearch import ElasticsearchLogs
from tasks.logs.elasticsearch_access import ElasticsearchAccessLogs
from tasks.logs.files import CloudTrailFiles
from tasks.logs.interface import Query, Scope, Searching
from tasks.logs.lookup import EventHistory


class Combined(Searching):
    """Asks each store until one has searched everything; access logs are asked for object reads in any case."""

    def __init__(self, trails: Sequence[Searching], access_logs: Sequence[Searching]) -> None:
        self._trails, self._access_logs = trails, access_logs

    def search(self, query: Query, scope: Scope) -> LogAnswer:
        """What the stores found, together; complete when one of CloudTrail's is."""
        answers: list[LogAnswer] = []
        for store in self._trails:
            answers.append(store.search(query, scope))
            if answers[-1].coverage.complete:
                break
        if query.data:
            answers += [store.search(query, scope) for store in self._access_logs]
        return merged(answers)


def merged(answers: Sequence[LogAnswer]) -> LogAnswer:
    """The union of answers to one question, by event id; the coverage of a complete one, else every gap."""
    records = {r.event_id: r for a in answers for r in a.records}
    whole = next((a.coverage for a in answers if a.coverage.complete), None)
    coverage = whole or Coverage(
        searched_from=min(a.coverage.searched_from for a in answers),
        searched_to=max(a.coverage.searched_to for a in answers),
        complete=False,
        gaps=tuple(dict.fromkeys(gap for a in answers for gap in a.coverage.gaps)),
    )
    return LogAnswer(records=tuple(sorted(records.values(), key=lambda r: (r.time, r.event_id))), coverage=coverage)


def with_gaps(found: LogAnswer, gaps: Sequence[str]) -> LogAnswer:
    """The answer with gaps that only the asker knows of."""
    if not gaps:
        return found
    told = tuple(dict.fromkeys((*found.coverage.gaps, *gaps)))
    return found.model_copy(update={"coverage": found.coverage.model_copy(update={"complete": False, "gaps": told})})


def store(aws: Clients) -> Combined:
    """The stores that are configured, in the order in which they are asked."""
    own, elastic = settings(), elasticsearch()
    trails: list[Searching] = []
    access_logs: list[Searching] = []
    if elastic.configured and elastic.cloudtrail_indices:
        trails.append(ElasticsearchLogs(elastic, own.log_records_max))
    if elastic.configured and elastic.access_log_indices:
        access_logs.append(ElasticsearchAccessLogs(elastic, own.log_records_max))
    if own.cloudtrail_dir is not None:
        trails.append(CloudTrailFiles(own.cloudtrail_dir, own.log_file_max_bytes, own.log_records_max))
    if own.s3_access_logs_dir is not None:
        access_logs.append(AccessLogFiles(own.s3_access_logs_dir, own.log_file_max_bytes, own.log_records_max))
    trails.append(EventHistory(aws, own.lookup_pages_max, own.log_records_max))
    return Combined(trails, access_logs)
