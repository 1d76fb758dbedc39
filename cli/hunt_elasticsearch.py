"""`vmexport hunt --elasticsearch`: the source, with the file in which it keeps what it has finished."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cli.hunt_sources import Told
    from tasks.elastic.hunt import ElasticSource
    from tasks.hunting.coverage import Period


@contextmanager
def source(period: Period, told: Told, fresh: bool) -> Iterator[ElasticSource]:
    """The cluster of the settings. Raises UsageProblem where it cannot be asked, or does not answer the hunt whole."""
    from cli.console import UsageProblem
    from settings.elastic import elasticsearch
    from settings.home import home
    from tasks.elastic.failures import Unanswered
    from tasks.elastic.hunt import ElasticSource, question
    from tasks.elastic.hunt_checkpoint import CheckpointInUse, opened

    own = elasticsearch()
    folder = home().home / "hunts"
    try:
        with opened(folder, question(own), fresh=fresh) as checkpoint:
            try:
                yield ElasticSource(own, period, checkpoint, told)
            except Unanswered as error:
                kept = " What was finished is kept: the same command goes on from there." if len(checkpoint) else ""
                raise UsageProblem(f"{error}{kept}") from error
    except CheckpointInUse as error:
        raise UsageProblem(str(error)) from error
    except OSError as error:
        raise UsageProblem(
            f"{folder} cannot be written: {error.strerror}. Set VMEXPORT_HOME to a folder that can."
        ) from error
