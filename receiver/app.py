"""The HTTP door: takes alerts, makes them durable, answers with the case, and only then works."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import zlib
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from receiver import runs
from receiver.authentication import HEADER, holds_secret
from records import inbox
from records.database import engine
from records.intake import TakenIn, catch_up, work
from settings.organization import OrganizationUnusable
from settings.receiver import receiver as settings

log = logging.getLogger("vmexport.receiver")
CATCH_UP_SECONDS = 5.0


class BodyTooLarge(Exception):
    """The sender exceeded the body limit."""


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keeps one task that starts runs, also those that an earlier receiver could not start."""
    app.state.wake = asyncio.Event()
    worker = asyncio.create_task(start_missing_runs(app.state.wake))
    yield
    worker.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await worker


async def start_missing_runs(wake: asyncio.Event) -> None:
    """Assign bodies that still wait, and start a run for every case that has none; when woken and every few seconds."""
    while True:
        for case in await asyncio.to_thread(_waiting):
            try:
                await runs.start_run(case, settings().deployment)
            except Exception as error:  # noqa: BLE001 - Prefect away or deployment missing: the case is tried again below
                log.warning("the run of case %s could not be started yet: %s", case, type(error).__name__)
        wake.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), CATCH_UP_SECONDS)


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


app = FastAPI(title="vmexport receiver", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)


@app.post("/alerts/elastic")
async def take_alert(request: Request) -> JSONResponse:
    """Take in one alert body: 202 with the case once it is durable; 401, 413, 503 as their names say."""
    if not holds_secret(request.headers.get(HEADER), settings().secret.get_secret_value()):
        return JSONResponse({"error": f"the header {HEADER} does not carry the shared secret"}, 401)
    try:
        body = await read_body(request, settings().body_limit_bytes)
    except BodyTooLarge:
        limit = settings().body_limit_bytes
        return JSONResponse({"error": f"the body is larger than {limit} bytes; send fewer alerts at a time"}, 413)
    try:
        item = await asyncio.to_thread(inbox.receive, body, "elastic", request.headers.get("content-type"))
    except SQLAlchemyError as error:
        log.error("the inbox cannot be written: %s", type(error).__name__)
        return JSONResponse({"error": "the inbox cannot be written now; send it again"}, 503, {"Retry-After": "5"})
    try:
        taken = await asyncio.to_thread(work, item)
    except (SQLAlchemyError, OrganizationUnusable) as error:
        log.error("body %s waits in the inbox: %s", item.id, type(error).__name__)
        return JSONResponse({"case": None, "inbox": item.id, "pending": True}, 202)
    request.app.state.wake.set()
    return JSONResponse(answer(taken), 202)


def answer(taken: TakenIn) -> dict[str, object]:
    """What the sender is told: the case (all of them, if the body held several), or that it is quarantined."""
    said: dict[str, object] = {"case": taken.cases[0] if taken.cases else None, "inbox": taken.inbox_id}
    if len(taken.cases) > 1:
        said["cases"] = list(taken.cases)
    if taken.problems:
        said["problems"] = list(taken.problems)
    if not taken.cases:
        said["quarantined"] = True
    return said


async def read_body(request: Request, limit: int) -> bytes:
    """The body, decompressed if it says so and is; never more than `limit` bytes in memory. Raises BodyTooLarge.

    A body that says gzip and is not is returned as it came: it is quarantined, where a 400 would lose it.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise BodyTooLarge
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge
    if request.headers.get("content-encoding", "").lower() != "gzip":
        return bytes(body)
    try:
        unzipped = zlib.decompressobj(wbits=47).decompress(bytes(body), limit + 1)
    except zlib.error:
        return bytes(body)
    if len(unzipped) > limit:
        raise BodyTooLarge
    return unzipped


@app.get("/healthz")
async def healthz() -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"})


@app.get("/readyz")
async def readyz() -> JSONResponse:
    """Alerts can be made durable: the inbox's database answers. 503 otherwise."""
    try:
        await asyncio.to_thread(_ask_database)
    except SQLAlchemyError as error:
        return JSONResponse(
            {"status": "not ready", "why": f"the database does not answer: {type(error).__name__}"}, 503
        )
    return JSONResponse({"status": "ready"})


def _ask_database() -> None:
    with engine().connect() as connection:
        connection.execute(text("select 1 from inbox limit 1"))
