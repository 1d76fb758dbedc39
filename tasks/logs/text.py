"""JSON of log files and of LookupEvents, as a tree that can be stored and sent on whatever it holds."""

from __future__ import annotations

import json
from typing import Any

import orjson


def parse(text: bytes | str) -> Any:
    """The value. Raises ValueError (RecursionError for absurd depth) when it is no JSON.

    Unpaired surrogates, which only a caller of AWS can have written, are replaced: no record may hide others by them.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return mended(json.loads(text))


def mended(value: Any) -> Any:
    """The tree with every text as valid Unicode."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {mended(k): mended(v) for k, v in value.items()}
    return [mended(v) for v in value] if isinstance(value, list) else value
