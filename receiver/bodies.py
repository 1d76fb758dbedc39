"""The body of a request, never more of it in memory than allowed."""

from __future__ import annotations

import zlib

from fastapi import Request


class BodyTooLarge(Exception):
    """The sender exceeded the body limit."""


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
