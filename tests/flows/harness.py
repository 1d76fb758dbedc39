"""A Prefect server for the tests of phases, once per session, on the kind of database that we run it on.

Prefect's own harness uses SQLite, on which task runs wait seconds for each other.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_LOGGING_TO_API_ENABLED,
    PREFECT_SERVER_DATABASE_CONNECTION_URL,
    temporary_settings,
)

from records.embedded import Cluster


@pytest.fixture(scope="session")
def prefect(cluster: Cluster) -> Iterator[None]:
    """The server, and no heartbeats: they cost a second for each flow."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with temporary_settings({PREFECT_SERVER_DATABASE_CONNECTION_URL: cluster.url("prefect", "asyncpg")}):
        server = SubprocessASGIServer(port=port)
        server.start(timeout=60)
        try:
            ours = {
                PREFECT_API_URL: server.api_url,
                PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
                PREFECT_LOGGING_TO_API_ENABLED: False,  # the sender outlives the server, and waits for it at the end
            }
            with temporary_settings(ours):
                yield
        finally:
            server.stop()
