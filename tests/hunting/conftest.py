"""A signed trail that tests of validation tamper with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hunting.trails_of import Trail, trail


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Trail:
    """Made once: each test works on a copy."""
    return trail(tmp_path_factory.mktemp("trail") / "logs")


@pytest.fixture
def mine(untouched: Trail, tmp_path: Path) -> Trail:
    """A copy to tamper with."""
    return untouched.copy(tmp_path / "logs")
