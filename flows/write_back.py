"""Writing a case back into Kibana: after each phase by the case's own run, and every minute for what had to wait.

Kibana is where people look, not where the response lives: whatever happens there, the response goes on. A note that could
not be written stays in the outbox with the reason, and `vmexport case show CASE` tells it.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from decisions.plain import plain_text
from records import outbox
from settings.elastic import kibana
from tasks.elastic.kibana import KibanaFailed, open_kibana
from tasks.elastic.kibana_sender import SYSTEM, note_down, send

PATIENCE = timedelta(seconds=10)
"""A Kibana that hangs keeps the response no longer than this, and then for as long as the outbox waits not at all."""

ENOUGH = 3
"""Cases that could not be written, after which the others wait for the next minute: Kibana is most likely away."""


async def write_back(case_id: str) -> None:
    """Tell Kibana what the case's ledger says by now; at once nothing where no Kibana is configured. Raises nothing.

    It answers nothing either: no branch of a flow may depend on Kibana.
    """
    if kibana().url:
        await write_case_back(case_id)


@task(name="write back to Kibana", cache_policy=NO_CACHE, persist_result=False)
async def write_case_back(case_id: str) -> None:
    """Note down what is new, and send what is due."""
    log = get_run_logger()
    try:
        why = await asyncio.to_thread(_write_back, case_id)
    except Exception as failed:  # noqa: BLE001 - nothing that goes wrong here may stop the response; the next call tries again
        why = f"{type(failed).__name__}: {failed}"
    if why:
        log.warning("Kibana is not up to date, and will be written again: %s", plain_text(why, 500))


def _write_back(case_id: str) -> str | None:
    note_down(case_id)
    if case_id not in outbox.cases_due(SYSTEM):
        return None
    try:
        with open_kibana(patience=PATIENCE) as opened:
            return send(opened, case_id)
    except KibanaFailed as failed:
        return str(failed)


@flow(name="write-back", persist_result=False)
async def write_back_waiting() -> None:
    """Send the notes of every case that had to wait."""
    if kibana().url:
        why = await asyncio.to_thread(_write_waiting)
        if why:
            get_run_logger().warning("Kibana is not up to date, and will be written again: %s", plain_text(why, 500))


def _write_waiting() -> str | None:
    failed: list[str] = []
    try:
        with open_kibana() as opened:
            for case_id in outbox.cases_due(SYSTEM):
                if why := send(opened, case_id):
                    failed.append(why)
                if len(failed) == ENOUGH:
                    break
    except KibanaFailed as no_kibana:
        return str(no_kibana)
    return failed[-1] if failed else None
