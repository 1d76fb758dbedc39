"""Fixtures that every folder of tests may use, and how files are spread over processes."""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["tests.postgres"]


E2E = "tests/e2e/"
ELASTIC = "tests/elastic/"
TRINO = "tests/trino/"
SHARED = (E2E, ELASTIC, TRINO)
"""Folders whose tests share one installation, or one server: each in one process."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """End to end first: it takes longest, and waits most, while the other process goes through the rest."""
    items.sort(key=lambda item: not item.nodeid.startswith(E2E))
    for item in items:
        if item.nodeid.startswith(E2E):
            item.add_marker(pytest.mark.prefect)
            item.add_marker(pytest.mark.timeout(600))
        if item.nodeid.startswith(ELASTIC):
            item.add_marker(pytest.mark.elastic)
        if item.nodeid.startswith(TRINO):
            item.add_marker(pytest.mark.trino)


class ByFile(LoadScopeScheduling):
    """Each file in one process, so that what a module sets up is set up once; some folders share one installation.

    pytest-xdist 3.8's own `loadgroup` groups nothing under pytest 9.
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in SHARED if nodeid.startswith(folder)), nodeid.split("::", 1)[0])


@pytest.hookimpl(optionalhook=True)  # there is no such hook with `-p no:xdist`
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile:
    """How `-n` spreads the tests."""
    config.option.loadscopereorder = False
    return ByFile(config, log)
