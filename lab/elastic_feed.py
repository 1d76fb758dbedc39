"""What the lab has delivered on disk, into a real Elasticsearch: as the agent and the AWS integration would, half a second late.

Every document has an id of its own, so that what was loaded once is not loaded again, by whomever.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

from elasticsearch import Elasticsearch
from elasticsearch.helpers import BulkIndexError, streaming_bulk

from lab import access_log_ecs, ecs
from lab.ecs import Integration, stamp
from lab.elastic_mappings import create_alerts_index, install

log = logging.getLogger("lab.elastic_feed")

Json = dict[str, Any]

EVERY_S = 0.5
TRAIL_TIME = re.compile(r"_(\d{8}T\d{4}Z)_")
ACCESS_TIME = re.compile(r"(\d{4}(?:-\d\d){5})-[0-9A-Fa-f]+$")
CONFLICT = 409


class Feed:
    """Loads the lab's `cloudtrail/` and `s3-access-logs/` into the data streams of one namespace."""

    def __init__(self, es: Elasticsearch, folder: Path, namespace: str, integration: Integration | None = None) -> None:
        self._es, self._folder, self._namespace, self._integration = es, folder, namespace, integration
        self._loaded: set[Path] = set()

    def load(self) -> int:
        """Index whatever is on disk and not yet in Elasticsearch, searchable at once; how many documents were new.

        Raises BulkIndexError for a document that is refused, and what the client raises when Elasticsearch does not answer.
        """
        paths = [path for path in self._files() if path not in self._loaded]
        new = 0
        for ok, result in streaming_bulk(
            self._es, (action for path in paths for action in self._actions(path)), raise_on_error=False, refresh=True
        ):
            said = result["create"]
            if not ok and said["status"] != CONFLICT:
                raise BulkIndexError(f"{said['_index']} refused a document", [result])
            new += ok
        self._loaded.update(paths)
        return new

    @contextmanager
    def following(self) -> Iterator[None]:
        """Load every half second meanwhile, and once more at the end."""
        stop = Event()
        thread = Thread(target=self._follow, args=(stop,), name="elastic-feed", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(timeout=30)
        self.load()

    def _follow(self, stop: Event) -> None:
        while not stop.wait(EVERY_S):
            try:
                self.load()
            except Exception:  # whatever broke this round, the thread has to live: the next one loads the same files
                log.exception("loading into Elasticsearch failed; the next round tries again")

    def _files(self) -> Iterator[Path]:
        for name in ("cloudtrail", "s3-access-logs"):
            yield from (p for p in sorted((self._folder / name).rglob("*")) if p.is_file() and p.name[0] != ".")

    def _actions(self, path: Path) -> Iterator[Json]:
        relative = path.relative_to(self._folder)
        now = delivered(path)
        if relative.parts[0] == "cloudtrail":
            for record in json.loads(gzip.decompress(path.read_bytes()))["Records"]:
                yield self._action("cloudtrail", record["eventID"], ecs.document(record, now, self._integration))
        else:
            for n, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines()):
                identity = hashlib.sha256(f"{relative}#{n}".encode()).hexdigest()
                yield self._action("s3access", identity, access_log_ecs.document(line, now))

    def _action(self, dataset: str, identity: str, document: Json) -> Json:
        # Nothing is read before it happened, however coarse the time of its file.
        document["event"]["ingested"] = max(document["event"].get("created", ""), document["@timestamp"])
        stream = {"type": "logs", "dataset": f"aws.{dataset}", "namespace": self._namespace}
        index = f"logs-aws.{dataset}-{self._namespace}"
        return {"_op_type": "create", "_index": index, "_id": identity, "_source": {**document, "data_stream": stream}}


def delivered(path: Path) -> datetime:
    """When the lab delivered a file, by its name and in lab time: a story that plays an hour ago is ingested an hour ago.

    Names of CloudTrail's files have no seconds: the end of the minute, but no later than now.
    """
    now = datetime.now(UTC)
    if trail := TRAIL_TIME.search(path.name):
        return min(now, datetime.strptime(trail[1], "%Y%m%dT%H%MZ").replace(tzinfo=UTC) + timedelta(minutes=1))
    if access := ACCESS_TIME.search(path.name):
        return min(now, datetime.strptime(access[1], "%Y-%m-%d-%H-%M-%S").replace(tzinfo=UTC))
    return now


def prepare(es: Elasticsearch, namespace: str, space: str) -> None:
    """Templates, the two data streams (empty, so that a search finds them), and the alerts of a space."""
    install(es)
    for dataset in ("cloudtrail", "s3access"):
        _make_stream(es, f"logs-aws.{dataset}-{namespace}")
    create_alerts_index(es, space)


def _make_stream(es: Elasticsearch, name: str) -> None:
    """This distribution makes a data stream by a first write only; the document goes again."""
    if es.indices.exists(index=name):
        return
    made = es.create(index=name, id="first", document={"@timestamp": stamp(datetime.now(UTC))}, refresh=True)
    es.delete(index=made["_index"], id="first", refresh=True)


def put_alert(es: Elasticsearch, alert: Json, space: str) -> None:
    """Write an alert (a search hit of lab/alert.py) as Kibana's rule would; the same one again changes nothing."""
    alias = create_alerts_index(es, space)
    es.options(ignore_status=CONFLICT).create(index=alias, id=alert["_id"], document=alert["_source"], refresh=True)
