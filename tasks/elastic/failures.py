"""What a failure of Elasticsearch, or of what answers in its place, means for the person who has to put it right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import elastic_transport
from elasticsearch import ApiError, Elasticsearch, UnsupportedProductError

OLDER_SERVER = (
    "This is an Elasticsearch 8.x server, which refuses a 9.x client: install the client library elasticsearch 8.19 here "
    "(pip install 'elasticsearch>=8.19,<9'), or upgrade the server to 9."
)


class Unanswered(Exception):
    """Elasticsearch gave no whole answer; the text says what was asked, why there is none and what to do."""


class NothingThere(Unanswered):
    """No index of the name was there to be searched, or none of a cluster that was reached."""


class Skipped(NothingThere):
    """No cluster that has such an index was reached: there may be one."""


@contextmanager
def answered(es: Elasticsearch, asked: str) -> Iterator[None]:
    """What the client library raises inside the block leaves as Unanswered, told as why `asked` has no answer."""
    try:
        yield
    except (ApiError, elastic_transport.TransportError) as error:
        raise Unanswered(f"{where(es)} did not answer {asked}: {why(error)}") from error


def where(es: Elasticsearch) -> str:
    """The server in words, without anything secret."""
    hosts = sorted({f"{node.config.host}:{node.config.port}" for node in es.transport.node_pool.all()})
    return f"Elasticsearch at {', '.join(hosts)}"


def why(error: Exception) -> str:
    """What a failure of the client library means and what to do, in a sentence; no body is repeated in it."""
    if isinstance(error, UnsupportedProductError):
        return (
            "something that is no Elasticsearch answered (X-Elastic-Product is missing), as a proxy or a sign-in page does: "
            "check VMEXPORT_ELASTICSEARCH_URL."
        )
    if isinstance(error, ApiError):
        return _status(error.meta.status, types_of(error.body))
    if isinstance(error, elastic_transport.SerializationError):
        return "the answer is no whole JSON: it was cut off, or something in between changed it."
    if isinstance(error, elastic_transport.TlsError):
        return f"its certificate was not accepted ({shortened(error)}): check VMEXPORT_ELASTICSEARCH_CA_CERTS."
    if isinstance(error, elastic_transport.ConnectionTimeout):
        return "it took longer than VMEXPORT_ELASTICSEARCH_REQUEST_TIMEOUT allows; cold data needs more."
    return f"the connection failed or broke off ({shortened(error)})."


def body_of(response: elastic_transport.ApiResponse[Any], es: Elasticsearch, asked: str) -> dict[str, Any]:
    """The JSON object of a response. Raises Unanswered for a page of HTML and the like that came with 200."""
    if not isinstance(response.body, dict):
        raise Unanswered(
            f"{where(es)} did not answer {asked}: what came with HTTP {response.meta.status} is no JSON object "
            f"({str(response.meta.mimetype)[:60]}), as from a proxy or a sign-in page."
        )
    return response.body


def _status(status: int, types: set[str]) -> str:
    if "media_type_header_exception" in types:
        return OLDER_SERVER
    named = f" ({', '.join(sorted(types))[:200]})" if types else ""
    told = {
        401: "our key was not accepted: check VMEXPORT_ELASTICSEARCH_API_KEY, or user and password.",
        403: "our key may not read it: it needs the privileges read and view_index_metadata there.",
        404: f"it is not there{named}.",
        429: f"it has too much to do{named}, and still had after every retry.",
    }
    unwell = f"it was not able to{named}, and still was not after every retry." if status in (502, 503, 504) else None
    return f"HTTP {status}: " + (told.get(status) or unwell or f"it refused the request{named}.")


def types_of(body: Any) -> set[str]:
    """Every type of error in a body, of root causes and failed shards too."""
    found: set[str] = set()
    rest = [body]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            kind = value.get("type")
            found |= {kind} if isinstance(kind, str) and kind.replace("_", "").isalnum() else set()
            rest += value.values()
        elif isinstance(value, list):
            rest += value
    return found


def shortened(error: Exception) -> str:
    """The text of an exception, short enough for a sentence."""
    return str(error)[:300] or type(error).__name__
