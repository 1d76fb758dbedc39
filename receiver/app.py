"""The HTTP doors: they take alerts, make them durable, answer with the case, and only then work."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from receiver import sns
from receiver.authentication import HEADER, holds_secret
from receiver.background import keep_working
from receiver.bodies import BodyTooLarge, read_body
from receiver.sns import Refused, SnsDoor, SnsMessage
from records import inbox
from records.database import NoDatabase, engine
from records.intake import TakenIn, work
from settings.organization import OrganizationUnusable
from settings.receiver import receiver as settings

log = logging.getLogger("vmexport.receiver")
SNS_BYTES = 1024 * 1024
"""SNS messages have 256 KiB at most, escaped into JSON; who has no secret is not listened to any longer."""
AWAY = (SQLAlchemyError, NoDatabase)


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keeps one task that starts runs and asks again, also for what an earlier receiver could not."""
    app.state.wake = asyncio.Event()
    worker = asyncio.create_task(keep_working(app.state.wake))
    yield
    worker.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await worker


app = FastAPI(title="vmexport receiver", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
app.state.sns = SnsDoor(sns.get)


@app.post("/alerts/elastic")
async def take_alert(request: Request) -> JSONResponse:
    """Take in one alert body: 202 with the case once it is durable; 401, 413, 503 as their names say."""
    own = settings()
    if not holds_secret(request.headers, own.secret.get_secret_value(), own.secret_header):
        return _no_secret()
    try:
        body = await read_body(request, own.body_limit_bytes)
    except BodyTooLarge:
        return _too_large(own.body_limit_bytes)
    return await _take_in(request, body, "elastic", request.headers.get("content-type"))


@app.post("/alerts/cloudtrail")
async def take_record(request: Request) -> JSONResponse:
    """Take in CloudTrail records: from EventBridge with the secret, from SNS with its signature; 403 where that is forged."""
    own = settings()
    trusted = holds_secret(request.headers, own.secret.get_secret_value(), own.secret_header)
    limit = own.body_limit_bytes if trusted else min(SNS_BYTES, own.body_limit_bytes)
    try:
        body = await read_body(request, limit)
    except BodyTooLarge:
        return _too_large(limit)
    envelope = await asyncio.to_thread(_envelope, body)
    if envelope is not None:
        return await _take_sns(request, envelope)
    if not trusted:
        return _no_secret()
    return await _take_in(request, body, "cloudtrail", request.headers.get("content-type"))


async def _take_sns(request: Request, envelope: dict[str, Any]) -> JSONResponse:
    door: SnsDoor = request.app.state.sns
    try:
        message = await asyncio.to_thread(door.verified, envelope, settings().sns_topics, datetime.now(UTC))
        if message.type == sns.CONFIRM:
            await asyncio.to_thread(door.confirm, message)
    except Refused as why:
        log.warning("a message of SNS was refused: %s", why)
        return JSONResponse({"error": f"refused: {why}"}, 403)
    except httpx.HTTPError as error:
        log.warning("SNS could not be asked for its certificate, or to confirm: %s", type(error).__name__)
        return _again("SNS's certificate or confirmation cannot be fetched now; send it again")
    if message.type != "Notification":
        level = logging.INFO if message.type == sns.CONFIRM else logging.ERROR
        log.log(level, "SNS: %s for the topic %s", message.type, message.topic)  # both are of what was verified
        return JSONResponse({"taken": message.type}, 202)
    return await _take_notification(request, message)


async def _take_notification(request: Request, message: SnsMessage) -> JSONResponse:
    """The inner message, once: whoever sends a signed message over and over does not fill the inbox."""
    body = message.message.encode("utf-8", "surrogatepass")
    try:
        before = await asyncio.to_thread(inbox.known, body, "sns")
    except AWAY as error:
        log.error("the inbox cannot be read: %s", type(error).__name__)
        return _again()
    if before is not None:
        return JSONResponse({"inbox": before, "repeated": True}, 202)
    if message.late:
        log.warning("SNS: a message of %s came more than an hour late; it is taken in", message.topic)
    return await _take_in(request, body, "sns", "application/json")


async def _take_in(request: Request, body: bytes, source: str, content_type: str | None) -> JSONResponse:
    try:
        item = await asyncio.to_thread(inbox.receive, body, source, content_type)
    except AWAY as error:
        log.error("the inbox cannot be written: %s", type(error).__name__)
        return _again()
    try:
        taken = await asyncio.to_thread(work, item)
    except (*AWAY, OrganizationUnusable) as error:
        log.error("body %s waits in the inbox: %s", item.id, type(error).__name__)
        return JSONResponse({"case": None, "inbox": item.id, "pending": True}, 202)
    request.app.state.wake.set()
    return JSONResponse(answer(taken), 202)


def answer(taken: TakenIn) -> dict[str, object]:
    """What the sender is told: the case (all of them, if the body held several), that it waits, or is quarantined."""
    said: dict[str, object] = {"case": taken.cases[0] if taken.cases else None, "inbox": taken.inbox_id}
    if len(taken.cases) > 1:
        said["cases"] = list(taken.cases)
    if taken.problems:
        said["problems"] = list(taken.problems)
    if taken.resolving:
        said["resolving"] = list(taken.resolving)
    elif not taken.cases:
        said["quarantined"] = True
    return said


def _envelope(body: bytes) -> dict[str, Any] | None:
    if b'"SigningCertURL"' not in body:
        return None
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if sns.is_envelope(value) else None


def _no_secret() -> JSONResponse:
    return JSONResponse({"error": f"the header {HEADER} does not carry the shared secret"}, 401)


def _too_large(limit: int) -> JSONResponse:
    return JSONResponse({"error": f"the body is larger than {limit} bytes; send fewer alerts at a time"}, 413)


def _again(why: str = "the inbox cannot be written now; send it again") -> JSONResponse:
    return JSONResponse({"error": why}, 503, {"Retry-After": "5"})


@app.get("/healthz")
async def healthz() -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"})


@app.get("/readyz")
async def readyz() -> JSONResponse:
    """Alerts can be made durable: the inbox's database answers. 503 otherwise."""
    try:
        await asyncio.to_thread(_ask_database)
    except AWAY as error:
        return JSONResponse(
            {"status": "not ready", "why": f"the database does not answer: {type(error).__name__}"}, 503
        )
    return JSONResponse({"status": "ready"})


def _ask_database() -> None:
    with engine().connect() as connection:
        connection.execute(text("select 1 from inbox limit 1"))
