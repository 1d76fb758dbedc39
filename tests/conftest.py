"""Fixtures that every folder of tests may use, and how files are spread over processes."""

from __future__ import annotations

import pytest

pytest_plugins = ["tests.postgres"]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each file in one process, so that what a module sets up is set up once; e2e has named its own group."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.as_posix()))
