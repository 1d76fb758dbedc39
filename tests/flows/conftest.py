"""What the tests of phases share: the lab with our roles in it, and a Prefect server, each once per session."""

from __future__ import annotations

from tests.flows.harness import prefect
from tests.tasks.conftest import eventually, lab, lab_process, ours, roots

__all__ = ["eventually", "lab", "lab_process", "ours", "prefect", "roots"]
