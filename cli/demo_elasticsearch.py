"""The demo's part of an Elasticsearch that somebody else runs: data streams and a Kibana space of this run alone."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import elastic_transport
from elasticsearch import ApiError, Elasticsearch

from cli.processes import NotReady
from lab.elastic_feed import Feed, prepare, put_alert

TIMEOUT_S = 10


@dataclass(frozen=True)
class DemoElasticsearch:
    """Follows the lab's log files, and holds its alerts."""

    url: str
    namespace: str
    """Of the data streams, and the name of the Kibana space."""
    es: Elasticsearch
    feed: Feed

    @property
    def environment(self) -> dict[str, str]:
        """What the product needs to search here, instead of folders."""
        return {
            "VMEXPORT_ELASTICSEARCH_URL": self.url,
            "VMEXPORT_ELASTICSEARCH_CLOUDTRAIL_INDICES": f"logs-aws.cloudtrail-{self.namespace}",
            "VMEXPORT_ELASTICSEARCH_ACCESS_LOG_INDICES": f"logs-aws.s3access-{self.namespace}",
            "VMEXPORT_ELASTICSEARCH_SPACES": self.namespace,
        }

    def put(self, alert: dict[str, Any]) -> None:
        """Have everything delivered so far searchable, then the alert of it in its space."""
        self.feed.load()
        put_alert(self.es, alert, self.namespace)


@contextmanager
def opened(url: str, folder: Path) -> Iterator[DemoElasticsearch]:
    """Put the templates and follow what the lab writes into `folder`. Raises NotReady when it does not answer, at any time."""
    namespace = f"demo{secrets.token_hex(4)}"
    with _client(url) as es:
        feed = Feed(es, folder, namespace)
        try:
            prepare(es, namespace, namespace)
            with feed.following():
                yield DemoElasticsearch(url, namespace, es, feed)
        except (elastic_transport.TransportError, ApiError) as error:
            raise NotReady(_sentence(url, error)) from error


def _client(url: str) -> Elasticsearch:
    try:
        return Elasticsearch(url, request_timeout=TIMEOUT_S)
    except ValueError as error:  # an address without scheme or port
        raise NotReady(f"--elasticsearch needs an address like http://127.0.0.1:9200 ({error}).") from error


def _sentence(url: str, error: Exception) -> str:
    where = urlsplit(url)
    named = f"{where.scheme}://{where.hostname}:{where.port}"  # whatever password stands in the address is left out
    return (
        f"No Elasticsearch answers at {named} ({type(error).__name__}). "
        "Start one in another terminal with `python -m lab.elasticsearch`, which prints its address."
    )
