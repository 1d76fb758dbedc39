"""The connection to Elasticsearch, and what counts as an answer of it.

HTTP 200 is not success: a search that timed out, missed a shard or matched no index answers nothing. Whatever goes wrong
leaves as `Unanswered`, with a sentence for the person who has to put it right (notes/elastic.md 4, 4.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import elastic_transport
from elasticsearch import ApiError, Elasticsearch

from settings.elastic import ElasticsearchSettings, elasticsearch
from tasks.elastic.failures import (
    OLDER_SERVER,
    NothingThere,
    Skipped,
    Unanswered,
    answered,
    body_of,
    shortened,
    types_of,
    where,
)
from tasks.elastic.transport import Json, PatientTransport

__all__ = ["OLDER_SERVER", "Pages", "Unanswered", "answered", "connected", "search_once", "skipped_clusters"]

KEEP_ALIVE = "3m"
REOPENED_AT_MOST = 5
"""How often a point in time may be lost without a page in between."""
SMALLEST_PAGE = 50


class _PointInTimeGone(Exception):
    """The server does not know the point in time any more."""


class _TooMuch(Exception):
    """The server has not the memory or threads for this page; str() is the sentence for the case that it stays so."""


@contextmanager
def connected(settings: ElasticsearchSettings | None = None) -> Iterator[Elasticsearch]:
    """A client, closed at the end; what it raises inside the block leaves as Unanswered. Raises Unanswered if none is set."""
    own = settings or elasticsearch()
    if not own.configured:
        raise Unanswered("No Elasticsearch is configured: set VMEXPORT_ELASTICSEARCH_URL (or _CLOUD_ID) to ask it.")
    try:
        es = Elasticsearch(**_options(own))
    except (ValueError, OSError) as error:  # an address without port, a certificate file that is not there or not PEM
        raise Unanswered(f"The settings of Elasticsearch cannot be used: {shortened(error)}") from error
    try:
        with answered(es, "the request"):
            yield es
    finally:
        es.close()


def search_once(
    es: Elasticsearch, indices: Sequence[str], body: Mapping[str, Any], gaps: list[str] | None = None
) -> dict[str, Any]:
    """One search (aggregations, at most 10,000 documents). Raises Unanswered unless the whole of it was searched.

    `gaps`: takes the sentences for clusters that were skipped where others answered; without it that is Unanswered too.
    """
    asked = _asked(indices)
    with answered(es, asked):
        found = body_of(
            es.search(
                index=",".join(indices),
                body=dict(body),
                ignore_unavailable=True,
                allow_no_indices=True,
                allow_partial_search_results=False,
            ),
            es,
            asked,
        )
    skipped = skipped_clusters(found)
    if skipped and _no_shard(found):
        raise Skipped(" ".join(skipped))
    if skipped and gaps is None:
        raise Unanswered(" ".join(skipped))
    _matched(es, found, asked)
    _whole(es, found, asked)
    if gaps is not None:
        gaps += skipped
    return found


@dataclass
class Pages:
    """The hits of a search, page by page at one point in time; of the documents only one page is in memory.

    `sort_by`: a field of dates, without which a document is not found. `source`: fields to fetch, all by default; none is
    fetched for an empty one. `doc_values`: keywords to fetch as a hit's `fields`. `page_size`: as in the settings by default.
    Iterating raises Unanswered; what was given until then stands. `gaps` is whole after the last hit.
    """

    es: Elasticsearch
    indices: Sequence[str]
    query: Mapping[str, Any]
    sort_by: str = "@timestamp"
    newest_first: bool = False
    source: Sequence[str] | None = None
    doc_values: Sequence[str] = ()
    page_size: int | None = None
    index_required: bool = True
    gaps: list[str] = field(default_factory=list)
    """Sentences for what was not searched although the rest answered: clusters that were skipped."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The hits, each once. Raises Unanswered."""
        size = self.page_size or elasticsearch().page_size
        last: Any = None
        given: set[tuple[str, str]] = set()
        lost = 0
        while True:
            try:
                for page in self._point_in_time(size, last):
                    lost = 0
                    for hit in page:
                        name = (hit["_index"], hit["_id"])
                        if hit["sort"][0] != last:
                            last, given = hit["sort"][0], set()
                        elif name in given:
                            continue
                        given.add(name)
                        yield hit
                return
            except _PointInTimeGone:
                lost += 1
                if lost > REOPENED_AT_MOST:
                    raise Unanswered(
                        f"{where(self.es)} did not answer {_asked(self.indices)}: its points in time were lost "
                        f"{lost} times in a row (search_context_missing_exception)."
                    ) from None
            except _TooMuch as error:
                if size <= SMALLEST_PAGE:
                    raise Unanswered(str(error)) from error
                size = max(SMALLEST_PAGE, size // 4)

    def _point_in_time(self, size: int, last: Any) -> Iterator[list[dict[str, Any]]]:
        """Pages from the sort value `last` on, inclusive, by one point in time."""
        pit = self._open()
        if pit is None:
            return
        body = {
            "size": size,
            "query": _from(self.query, self.sort_by, last, self.newest_first),
            "sort": [{self.sort_by: {"order": "desc" if self.newest_first else "asc", "unmapped_type": "date"}}],
            "track_total_hits": False,
        }
        if self.source is not None:
            body["_source"] = list(self.source) or False
        if self.doc_values:
            body["docvalue_fields"] = list(self.doc_values)
        try:
            while True:
                found = self._page(body | {"pit": {"id": pit, "keep_alive": KEEP_ALIVE}})
                pit = found.get("pit_id", pit)
                hits = found["hits"]["hits"]
                if hits:
                    yield hits
                if len(hits) < size:
                    return
                body["search_after"] = hits[-1]["sort"]
        finally:
            # It ends by itself after the time it is kept alive; that it could not be closed changes no answer.
            with suppress(ApiError, elastic_transport.TransportError):
                self.es.options(max_retries=0).close_point_in_time(id=pit)

    def _open(self) -> str | None:
        asked = _asked(self.indices)
        with answered(self.es, asked):
            response = self.es.open_point_in_time(
                index=",".join(self.indices), keep_alive=KEEP_ALIVE, ignore_unavailable=True
            )
        opened = body_of(response, self.es, asked)
        skipped = skipped_clusters(opened)
        self._note(skipped)
        if self.index_required and skipped and _no_shard(opened):
            raise Unanswered(" ".join(skipped))
        if self.index_required:
            _matched(self.es, opened, asked)
        return None if _no_shard(opened) else opened["id"]

    def _page(self, body: Mapping[str, Any]) -> dict[str, Any]:
        asked = _asked(self.indices)
        try:
            with answered(self.es, asked):
                found = body_of(self.es.search(body=dict(body), allow_partial_search_results=False), self.es, asked)
        except Unanswered as error:
            cause = error.__cause__
            if isinstance(cause, ApiError):
                types = types_of(cause.body)
                if "search_context_missing_exception" in types:
                    raise _PointInTimeGone from error
                if cause.meta.status == 429 or "circuit_breaking_exception" in types:
                    raise _TooMuch(str(error)) from error
            raise
        _whole(self.es, found, asked)
        self._note(skipped_clusters(found))
        return found

    def _note(self, gaps: Sequence[str]) -> None:
        self.gaps += [gap for gap in gaps if gap not in self.gaps]


def skipped_clusters(found: Mapping[str, Any]) -> list[str]:
    """A sentence for each remote cluster that was not searched, or not whole."""
    told = found.get("_clusters") or {}
    details = told.get("details") or {}
    gaps = [
        f"The cluster {str(name)[:100]} was not searched whole ({str(one.get('status'))[:20]}): its data is missing here."
        for name, one in details.items()
        if one.get("status") not in {"successful", "running"}
    ]
    missed = sum(int(told.get(kind) or 0) for kind in ("skipped", "partial", "failed"))
    return gaps or (
        [f"{missed} remote cluster(s) were not searched whole: their data is missing here."] if missed else []
    )


def _options(own: ElasticsearchSettings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "hosts": list(own.url) or None,
        "cloud_id": own.cloud_id,
        "api_key": own.api_key and own.api_key.get_secret_value(),
        "basic_auth": (own.username, own.password.get_secret_value()) if own.username and own.password else None,
        "ca_certs": own.ca_certs and str(own.ca_certs),
        "client_cert": own.client_cert and str(own.client_cert),
        "client_key": own.client_key and str(own.client_key),
    }
    return {name: value for name, value in options.items() if value is not None} | {
        "request_timeout": own.request_timeout.total_seconds(),
        "max_retries": own.retries,
        "retry_backoff_base": own.retry_backoff.total_seconds(),
        "retry_backoff_cap": 20,
        "retry_on_timeout": True,
        "transport_class": PatientTransport,
        "serializers": {Json.mimetype: Json()},
    }


def _asked(indices: Sequence[str]) -> str:
    return f"a search of {', '.join(indices)}"


def _from(query: Mapping[str, Any], sort_by: str, last: Any, newest_first: bool) -> dict[str, Any]:
    there = {"exists": {"field": sort_by}}
    if last is None:
        return {"bool": {"filter": [query, there]}}
    bound = {"lte" if newest_first else "gte": last, "format": "epoch_millis||strict_date_optional_time"}
    return {"bool": {"filter": [query, {"range": {sort_by: bound}}]}}


def _no_shard(found: Mapping[str, Any]) -> bool:
    """Whether no index matched, on any cluster; a server that does not say counts as matched."""
    return (found.get("_shards") or {}).get("total") == 0


def _matched(es: Elasticsearch, found: Mapping[str, Any], asked: str) -> None:
    if _no_shard(found):
        raise NothingThere(
            f"{where(es)} did not answer {asked}: no index of that name is there, or our key may not see one. "
            "Check VMEXPORT_ELASTICSEARCH_CLOUDTRAIL_INDICES, _ACCESS_LOG_INDICES and _SPACES, and the key's rights."
        )


def _whole(es: Elasticsearch, found: Mapping[str, Any], asked: str) -> None:
    if found.get("timed_out"):
        raise Unanswered(f"{where(es)} did not answer {asked} whole: the search timed out on the server.")
    if failed := int((found.get("_shards") or {}).get("failed") or 0):
        raise Unanswered(
            f"{where(es)} did not answer {asked} whole: {failed} of {found['_shards'].get('total')} shard(s) failed. "
            "Look at the cluster's health."
        )
