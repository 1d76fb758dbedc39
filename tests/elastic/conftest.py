"""A real Elasticsearch for this folder's tests: started once, one namespace (which is also a Kibana space) per test."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest

from lab.elasticsearch import start
from lab.java_server import NoServer

REQUIRED = "VMEXPORT_TEST_REQUIRE_ELASTICSEARCH"


@pytest.fixture(scope="session")
def elasticsearch_url() -> Iterator[str]:
    """VMEXPORT_TEST_ELASTICSEARCH_URL, else a server of our own; skips where neither can be had, unless CI requires it."""
    if given := os.environ.get("VMEXPORT_TEST_ELASTICSEARCH_URL"):
        yield given
        return
    try:
        server = start()
    except NoServer as error:
        if os.environ.get(REQUIRED):
            raise
        pytest.skip(f"no Elasticsearch: {error}")
    try:
        yield server.url
    finally:
        server.stop()


@pytest.fixture
def namespace() -> str:
    """Last part of data stream names (`logs-aws.cloudtrail-NAMESPACE`) and Kibana space, of this test alone."""
    return f"t{secrets.token_hex(5)}"
