"""Trino over the declared tables of the store, by Trino's own client: polling, tries again and spooled results are its work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
import trino.exceptions
from trino.auth import BasicAuthentication, JWTAuthentication
from trino.dbapi import Connection, Cursor

from decisions.hunt import size_words
from decisions.plain import one_line, utf8
from settings.trino import TrinoSettings
from tasks.hunting.declared_tables import DeclaredTables
from tasks.hunting.table import TableUnanswered

SOURCE = "vmexport"
"""As whose the queries stand in Trino's list."""
_FAILURES = (trino.exceptions.Error, trino.exceptions.HttpError, requests.RequestException)
_MOMENTARY = {
    "NO_NODES_AVAILABLE",
    "SERVER_STARTING_UP",
    "QUERY_QUEUE_FULL",
    "CLUSTER_OUT_OF_MEMORY",
    "REMOTE_HOST_GONE",
}


class TrinoTable(DeclaredTables):
    """Use as a context. Nothing is asked before the first question."""

    def __init__(self, settings: TrinoSettings) -> None:
        if settings.url is None:
            raise TableUnanswered("Trino is not configured: set VMEXPORT_TRINO_URL.")
        super().__init__(f"Trino at {settings.url}", "Trino", settings.tables)
        self._connection = connect(settings)
        self._cursor: Cursor | None = None

    def __enter__(self) -> TrinoTable:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def at_work(self) -> str:
        """How far the last query is, as Trino tells while it runs; any thread may ask."""
        told: Mapping[str, Any] = (self._cursor and self._cursor.stats) or {}
        done, splits, read = (told.get(name) for name in ("completedSplits", "totalSplits", "processedBytes"))
        if not (isinstance(done, int) and isinstance(splits, int) and isinstance(read, int)):
            return "Trino tells nothing of its query yet"
        return f"Trino has done {done:,} of {splits:,} splits of its query, and read {size_words(read)}"

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """As they come; a query that breaks off raises, and one that nobody reads on is cancelled."""
        cursor = self._cursor = self._connection.cursor()
        over = False
        try:
            cursor.execute(utf8(sql))  # as the store keeps what rules look for
            yield from map(tuple, iter(cursor.fetchone, None))
            over = True
        except _FAILURES as error:
            over = isinstance(error, trino.exceptions.TrinoQueryError)
            raise TableUnanswered(f"{self.name}: {why(error)}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise TableUnanswered(f"{self.name}: what came is no answer of Trino's. See VMEXPORT_TRINO_URL.") from error
        finally:
            if not over:
                _cancel(cursor)


def connect(settings: TrinoSettings) -> Connection:
    """A connection, on which nothing was sent yet."""
    place = urlsplit(settings.url or "")
    catalog, schema, _ = settings.table.split(".")
    auth = None
    if settings.password:
        auth = BasicAuthentication(settings.user, settings.password.get_secret_value())
    elif settings.jwt:
        auth = JWTAuthentication(settings.jwt.get_secret_value())
    return Connection(
        host=place.hostname or "",
        port=place.port or (443 if place.scheme == "https" else 80),
        http_scheme=place.scheme,
        user=settings.user,
        auth=auth,
        source=SOURCE,
        catalog=catalog,
        schema=schema,
        timezone="UTC",
        max_attempts=settings.attempts,
        request_timeout=settings.request_timeout.total_seconds(),
        verify=str(settings.ca_certs) if settings.ca_certs else True,
    )


def why(error: Exception) -> str:
    """What went wrong, in one line, with the next step; nothing that was sent to sign in."""
    if isinstance(error, trino.exceptions.TrinoQueryError):
        told = one_line(error.message)
        step = "Ask again." if error.error_name in _MOMENTARY else f"Look at query {error.query_id} there."
        return f"the query failed ({error.error_name}: {told}). {step}"
    told = one_line(error)
    if "error 401" in told or "error 403" in told:
        return "the user may not sign in. See VMEXPORT_TRINO_USER, _PASSWORD and _JWT."
    if "Failed to establish a new connection" in str(error):
        told = "it cannot be reached"
    return f"no whole answer ({told}). See VMEXPORT_TRINO_URL, and that the coordinator runs."


def _cancel(cursor: Cursor) -> None:
    try:
        cursor.cancel()
    except _FAILURES:
        return  # it cannot be reached: Trino itself gives up a query that nobody asks about (query.client.timeout)
