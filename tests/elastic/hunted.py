"""The same logs as files and in an Elasticsearch, and hunts in either."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch, helpers

from decisions.hunt import HuntFinding, HuntResult
from decisions.sigma import Loaded
from lab import access_log_ecs, ecs
from lab.ecs import Integration
from lab.elastic_feed import prepare
from settings.elastic import ElasticsearchSettings
from tasks.elastic.hunt import ElasticSource
from tasks.elastic.hunt_checkpoint import opened
from tasks.hunting.coverage import Period
from tasks.hunting.file_source import FileSource
from tasks.hunting.hunt import hunt

READ = datetime(2026, 3, 20, tzinfo=UTC)
"""When an agent read everything: a line that was not parsed bears this time."""
ALWAYS = Period()


@dataclass
class Indexed:
    """Data streams of one namespace, and a folder for what hunts there have finished."""

    url: str
    namespace: str
    home: Path
    used: int = field(default=0, init=False)
    """Parts that the last hunt did not ask for again."""

    @property
    def cloudtrail(self) -> str:
        """The data stream of CloudTrail."""
        return f"logs-aws.cloudtrail-{self.namespace}"

    def settings(self, **change: Any) -> ElasticsearchSettings:
        """With a small page, so that there are several."""
        access = f"logs-aws.s3access-{self.namespace}"
        given = {"url": self.url, "cloudtrail_indices": self.cloudtrail, "access_log_indices": access, "retries": 0}
        return ElasticsearchSettings(**given | {"page_size": 20} | change)

    def put(self, records: Iterable[dict[str, Any]] = (), lines: Iterable[str] = (), setup: Integration | None = None):
        """Index records and access log lines; a record with the id of another is not indexed twice."""
        self.put_documents((record["eventID"], ecs.document(record, READ, setup)) for record in records)
        named = ((f"{n}-{hash(line)}", access_log_ecs.document(line, READ)) for n, line in enumerate(lines))
        self.put_documents(named, f"logs-aws.s3access-{self.namespace}")

    def put_documents(self, documents: Iterable[tuple[str, dict[str, Any]]], index: str | None = None) -> None:
        """Index documents with their ids."""
        actions = (
            {"_op_type": "create", "_index": index or self.cloudtrail, "_id": name, "_source": document}
            for name, document in documents
        )
        with Elasticsearch(self.url) as es:
            for ok, told in helpers.streaming_bulk(es, actions, raise_on_error=False, refresh=True):
                assert ok or told["create"]["status"] == 409, told

    def hunt(
        self, loaded: Loaded | None = None, period: Period = ALWAYS, now: datetime | None = None, **change: Any
    ) -> HuntResult:
        """A hunt; `change`: settings of the cluster."""
        with opened(self.home, self.namespace) as checkpoint:
            source = ElasticSource(self.settings(**change), period, checkpoint, now=now or datetime.now(UTC))
            try:
                return hunt(source, period, loaded)
            finally:
                self.used = checkpoint.used


def indexed(url: str, namespace: str, home: Path) -> Indexed:
    """Empty data streams."""
    with Elasticsearch(url) as es:
        prepare(es, namespace, namespace)
    return Indexed(url, namespace, home)


def in_files(folder: Path, loaded: Loaded | None = None, period: Period = ALWAYS) -> HuntResult:
    """The same hunt by the scanner."""
    return hunt(FileSource(folder, period, 1 << 26, workers=1), period, loaded)


def records_of(folder: Path) -> Iterator[dict[str, Any]]:
    """Every record of a folder's CloudTrail files."""
    for path in sorted(folder.rglob("*.json.gz")):
        yield from json.loads(gzip.decompress(path.read_bytes()))["Records"]


def lines_of(folder: Path) -> Iterator[str]:
    """Every line of its access logs."""
    for path in sorted(path for path in (folder / "s3-access-logs").rglob("*") if path.is_file()):
        yield from path.read_text().splitlines()


def told(result: HuntResult) -> dict[str, Any]:
    """The findings by id and kind, without where they were read and what an index does not keep."""
    return {f"{one.kind} {one.id}": _comparable(one) for one in result.findings}


def _comparable(finding: HuntFinding) -> dict[str, Any]:
    told = finding.model_dump(mode="json", exclude={"origin", "export", "record"})
    told["about"] = sorted(told["about"])
    if finding.event_id.startswith("access-log:"):
        del told["region"]  # the pipeline's pattern loses the last columns behind a quoted user agent
    return told


def days_after(number: int, at: str = "2026-03-02T10:00:00Z") -> str:
    """A time so many days later, as CloudTrail writes it."""
    return ecs.stamp(datetime.fromisoformat(at) + timedelta(days=number))[:19] + "Z"
