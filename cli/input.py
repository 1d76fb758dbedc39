"""What a command is given to read: a file or standard input, unzipped, and never more than a limit of it in memory."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from pathlib import Path
from typing import BinaryIO

GZIP = b"\x1f\x8b"


def read_input(file: str, limit: int) -> bytes:
    """At most one byte more than `limit`, unzipped: enough to tell that it is too large. `-` is standard input.

    Raises UsageProblem.
    """
    from cli.console import UsageProblem

    try:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as stream:
            return _unzipped(stream, limit)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UsageProblem(f"{file} starts like gzip and cannot be unzipped ({error}). Fetch it again.") from error
    except OSError as error:
        why = f"{file} cannot be read: {error.strerror}"
        raise UsageProblem(f"{why}. Name a file, or - for standard input.") from error


def _unzipped(stream: BinaryIO, limit: int) -> bytes:
    body = stream.read(limit + 1)
    if not body.startswith(GZIP):
        return body
    with gzip.GzipFile(fileobj=io.BytesIO(body)) as unzipped:
        return unzipped.read(limit + 1)
