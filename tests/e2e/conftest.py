"""One lab with our services for the whole session: started once, stories are played against it."""

from __future__ import annotations

import os

import pytest

from cli.incident import Incident


@pytest.fixture(scope="session")
def incident(tmp_path_factory):
    """The lab, PostgreSQL, Prefect, worker and receiver; the environment of this process points at them."""
    before = dict(os.environ)
    with Incident(tmp_path_factory.mktemp("incident"), print, ports=(0, 0)) as running:
        yield running
    os.environ.clear()
    os.environ.update(before)
