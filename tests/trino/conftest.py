"""A real Trino for this folder's tests, once for all of them; and its folder of files.

`VMEXPORT_TEST_TRINO=1` (as `make test-engines` sets it) starts one; VMEXPORT_TEST_TRINO_URL and _FILES name one that runs
already (`python -m lab.trino` prints both). Without either the tests are skipped, visibly: the server is 820 MB to fetch.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.trino import start


@dataclass(frozen=True)
class Place:
    """Where Trino is, and the folder that it sees as `local:///`."""

    url: str
    files: Path


@pytest.fixture(scope="session")
def trino() -> Iterator[Place]:
    """The server of the session."""
    if url := os.environ.get("VMEXPORT_TEST_TRINO_URL"):
        files = os.environ.get("VMEXPORT_TEST_TRINO_FILES")
        assert files, "set VMEXPORT_TEST_TRINO_FILES too: `python -m lab.trino` prints it"
        yield Place(url, Path(files))
        return
    if not os.environ.get("VMEXPORT_TEST_TRINO"):
        pytest.skip("no Trino: `make test-engines` starts one (VMEXPORT_TEST_TRINO=1)")
    server = start()
    try:
        yield Place(server.url, server.files)
    finally:
        server.stop()


@pytest.fixture
def schema() -> str:
    """Name of a schema of this test alone."""
    return f"t{secrets.token_hex(5)}"
