"""One lab process for the session, forgotten before each test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.client import Lab
from tests.lab.aws import PRODUCTION, As


class RunningLab(Lab):
    """A lab and where it writes its log files."""

    def __init__(self, endpoint: str, directory: Path, started_in_s: float) -> None:
        super().__init__(endpoint)
        self.directory = directory
        self.started_in_s = started_in_s


@pytest.fixture(scope="session")
def lab_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """A lab on a free port, empty."""
    directory = tmp_path_factory.mktemp("lab")
    command = [sys.executable, "-m", "lab.server", "--port", "0", "--with-parent", "--directory", str(directory)]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MOTO_"))}
    errors = (directory / "stderr.log").open("wb")
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=kept) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            pytest.fail(f"the lab did not start:\n{(directory / 'stderr.log').read_text()}")
        yield RunningLab(json.loads(line)["endpoint"], directory, time.monotonic() - began)
        process.terminate()
        process.wait(timeout=20)
    errors.close()


@pytest.fixture
def lab(lab_process: RunningLab) -> RunningLab:
    """The lab with nothing in it, at real time, without faults."""
    lab_process.reset()
    return lab_process


@pytest.fixture
def root(lab: RunningLab) -> As:
    """The root user of the production account."""
    return As(lab, lab.root_key(PRODUCTION))


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Ask again until an answer is true, ten seconds at most; answers it."""

    def ask(question: Callable[[], Any], seconds: float = 10.0) -> Any:
        limit = time.monotonic() + seconds
        while not (answer := question()):
            assert time.monotonic() < limit, "it did not come to pass"
            time.sleep(0.05)
        return answer

    return ask
