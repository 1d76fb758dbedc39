"""Checks by effect against services that answer with yesterday's state for a while (IAM and S3 are eventually consistent)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from botocore.exceptions import BotoCoreError, ClientError

from decisions.receipt import Verification

CONSECUTIVE = 2
"""Rounds in a row in which every look must hold: one good answer may come from the one server that knows already."""
PATIENCE = timedelta(seconds=90)
"""How long a change may take to be seen everywhere before the check is called failed."""
PAUSE = timedelta(milliseconds=200)
"""Before the second round; doubled each time, 5 s at most."""

Look = Callable[[], tuple[bool, str]]
"""One probe: whether it shows the effect, and what was tried and answered, in a sentence."""


def verification(looks: Sequence[Look], patience: timedelta | None = None) -> Verification:
    """Look until everything holds CONSECUTIVE times in a row, or `patience` (PATIENCE) is over.

    The last answers are the probes. A probe that could not be made does not show the effect: it counts as failed and says why.
    """
    deadline = time.monotonic() + (patience or PATIENCE).total_seconds()
    pause = PAUSE.total_seconds()
    good = 0
    while True:
        answers = [_answer(look) for look in looks]
        good = good + 1 if answers and all(holds for holds, _ in answers) else 0
        if good >= CONSECUTIVE or time.monotonic() >= deadline:
            return Verification(verified=good >= CONSECUTIVE, probes=tuple(sentence for _, sentence in answers))
        time.sleep(pause)
        pause = min(pause * 2, 5.0)


def _answer(look: Look) -> tuple[bool, str]:
    try:
        return look()
    except (ClientError, BotoCoreError) as error:
        return False, f"A check could not be made: {error}"
