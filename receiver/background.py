"""What the receiver does beside answering: bodies that wait are assigned, alerts asked about again, runs started."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from sqlalchemy.exc import SQLAlchemyError

from receiver import resolving, runs
from records.intake import catch_up
from settings.organization import OrganizationUnusable
from settings.receiver import receiver as settings

log = logging.getLogger("vmexport.receiver")
CATCH_UP_SECONDS = 5.0


async def keep_working(wake: asyncio.Event) -> None:
    """Assign bodies, ask again, and start a run for every case that has none; when woken and every few seconds.

    Asking Elasticsearch may take long, so it has a task of its own: a case that is known waits for no answer.
    """
    asking = asyncio.create_task(_keep_asking(wake))
    try:
        while True:
            for case in await asyncio.to_thread(_waiting):
                try:
                    await runs.start_run(case, settings().deployment)
                except Exception as error:  # noqa: BLE001 - Prefect away or deployment missing: the case is tried again below
                    log.warning("the run of case %s could not be started yet: %s", case, type(error).__name__)
            wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), CATCH_UP_SECONDS)
    finally:
        asking.cancel()


async def _keep_asking(wake: asyncio.Event) -> None:
    while True:
        try:
            if await asyncio.to_thread(resolving.ask_again):
                wake.set()
        except SQLAlchemyError as error:
            log.warning("the case store does not answer: %s", type(error).__name__)
        except OrganizationUnusable as error:
            log.error("alerts wait to be asked about: %s", error)
        except Exception:
            log.exception("asking about alerts again failed; it is tried again")
        await asyncio.sleep(CATCH_UP_SECONDS)


def _waiting() -> tuple[str, ...]:
    try:
        catch_up()
    except SQLAlchemyError as error:
        log.warning("the case store does not answer: %s", type(error).__name__)
        return ()
    except OrganizationUnusable as error:
        log.error("alerts wait in the inbox: %s", error)  # cases that there are already wait for nothing
    try:
        return runs.missing_runs()
    except SQLAlchemyError as error:
        log.warning("the case store does not answer: %s", type(error).__name__)
        return ()
