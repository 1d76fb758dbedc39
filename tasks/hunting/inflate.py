"""Unpacks one log file, whatever its name says: plain, gzip of one member or several, cut off, damaged, or a bomb.

libdeflate is the fastest, but it gives the first member of a gzip file only, and nothing of a damaged one: what it cannot be
trusted with is read again by zlib, piece by piece.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass

import deflate

MAGIC = b"\x1f\x8b"
TRAILER = 8
"""CRC-32 and size of the last member."""
RATIO_MAX = 1032
"""No deflate stream grows by more."""
PIECE = 512


class TooLarge(ValueError):
    """A file unpacks to more than is read."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What was in a file; `damage` says why there may be less than was written."""

    text: bytes | bytearray
    damage: str | None = None


def packed(path: str, max_bytes: int) -> bytes:
    """A file as it lies there. Raises OSError, TooLarge."""
    with open(path, "rb", buffering=0) as stream:
        if os.fstat(stream.fileno()).st_size > max_bytes:
            raise TooLarge(f"it is larger than {max_bytes} bytes")
        return stream.readall()


def unpacked(packed: bytes, max_bytes: int) -> Unpacked:
    """The content of a file of at most `max_bytes`. Raises TooLarge."""
    if not packed.startswith(MAGIC):
        if len(packed) > max_bytes:
            raise TooLarge(f"it holds more than {max_bytes} bytes")
        return Unpacked(packed, None if packed else "it is empty")
    if len(packed) > 2 * TRAILER:
        crc, size = int.from_bytes(packed[-8:-4], "little"), int.from_bytes(packed[-4:], "little")
        if 0 < size <= min(max_bytes, len(packed) * RATIO_MAX):
            try:
                text = deflate.gzip_decompress(packed)
            except (deflate.DeflateError, ValueError, MemoryError):
                return _piece_by_piece(packed, max_bytes)
            # The end of the file describes what was read: it has one member, or its members are all the same.
            if len(text) == size and deflate.crc32(text) == crc:
                return Unpacked(text)
    return _piece_by_piece(packed, max_bytes)


def _piece_by_piece(packed: bytes, max_bytes: int) -> Unpacked:
    found: list[bytes] = []
    size, at = 0, 0
    member = zlib.decompressobj(wbits=31)
    while at < len(packed):
        piece = packed[at : at + PIECE]
        try:
            while piece:
                text = member.decompress(piece, max_bytes - size + 1)
                found.append(text)
                size += len(text)
                if size > max_bytes:
                    raise TooLarge(f"it unpacks to more than {max_bytes} bytes")
                piece = member.unconsumed_tail
        except zlib.error as error:
            return Unpacked(b"".join(found), f"its gzip data is damaged after {size} bytes ({error})")
        at += PIECE
        if member.eof:
            at = min(at, len(packed)) - len(member.unused_data)
            at = _next_member(packed, at)
            if at < len(packed) and packed[at : at + 2] != MAGIC:
                return Unpacked(b"".join(found), f"{len(packed) - at} bytes after its gzip data are no gzip")
            if at < len(packed):
                member = zlib.decompressobj(wbits=31)
    whole = b"".join(found)
    return Unpacked(whole, None if member.eof else f"its gzip data is cut off: {size} bytes could be unpacked")


def _next_member(packed: bytes, at: int) -> int:
    """Where the next member begins: zero bytes that fill a block are skipped."""
    while at < len(packed) and packed[at] == 0:
        at += 1
    return at
