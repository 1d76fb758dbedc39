"""The lab, with a root user in each account of the organisation."""

from __future__ import annotations

import pytest

from tasks.actions import settled
from tests.actions.given import DEVELOPMENT, FOREIGN, FORENSICS, MANAGEMENT, PRODUCTION
from tests.lab.aws import As
from tests.lab.conftest import RunningLab, eventually, lab, lab_process

__all__ = ["eventually", "lab", "lab_process"]

Roots = dict[str, As]


@pytest.fixture
def roots(lab: RunningLab) -> Roots:
    """Account -> its root user; the organisation stands before anybody acts."""
    accounts = (MANAGEMENT, PRODUCTION, DEVELOPMENT, FORENSICS, FOREIGN)
    return {account: As(lab, lab.root_key(account)) for account in accounts}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that fails must not wait for AWS to become consistent: the lab is."""
    from datetime import timedelta

    monkeypatch.setattr(settled, "PATIENCE", timedelta(seconds=0.5))
