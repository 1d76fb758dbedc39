"""Fixtures that every folder of tests may use, and how files are spread over processes."""

from __future__ import annotations

import pytest

pytest_plugins = ["tests.postgres"]


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each file in one process, so that what a module sets up is set up once; all of e2e shares one installation."""
    for item in items:
        end_to_end = "tests/e2e" in item.path.as_posix()
        item.add_marker(pytest.mark.xdist_group("e2e" if end_to_end else item.path.as_posix()))
        if end_to_end:
            item.add_marker(pytest.mark.prefect)
            item.add_marker(pytest.mark.timeout(600))
