"""JSON from a sender who may be broken or hostile: read as far as it has one meaning, and said where it has none."""

from __future__ import annotations

import codecs
import json
import math
from typing import Any, cast

MAX_DEPTH = 64
NOT_UTF16 = "the body begins like UTF-16 and is not; what could not be read stands as \ufffd"
_WHY_DEEP = "it is nested too deeply to be an alert"


class NotJson(ValueError):
    """The text is not JSON; the message says where."""


def read_text(body: bytes) -> tuple[str, tuple[str, ...]]:
    """The body as text, and what is wrong with it as sentences: bytes that are no UTF-8 become replacement characters.

    A body that says by its first bytes that it is UTF-16 is read as that.
    """
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return body.decode("utf-16"), ()
        except UnicodeDecodeError:
            return body.decode("utf-16", "replace"), (NOT_UTF16,)
    try:
        return body.decode("utf-8-sig"), ()
    except UnicodeDecodeError as error:
        note = f"the body is not UTF-8 (byte {error.start}); what could not be read stands as \ufffd"
        return body.decode("utf-8", "replace"), (note,)


def read_json(text: str) -> tuple[Any, tuple[str, ...]]:
    """The value, and what was left out as sentences. Raises NotJson.

    A name with two different values has neither; NaN and infinities are absent; numbers that no computer holds exactly
    stay text. None of this makes an alert unreadable, as whoever can write one field of it could then hide it.
    """
    notes: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        tree = dict(found)
        if len(tree) < len(found):
            for name in {name for name, value in found if value != tree[name]}:
                del tree[name]
                notes.append(f"the name {name[:80]!a} stands twice with different values; neither was read")
        return tree

    def constant(name: str) -> None:
        notes.append(f"{name} is no JSON; it was read as absent")

    try:
        value = json.loads(
            text, object_pairs_hook=pairs, parse_constant=constant, parse_int=_integer, parse_float=_number
        )
    except json.JSONDecodeError as error:
        raise NotJson(f"it is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise NotJson(_WHY_DEEP) from error
    return value, tuple(dict.fromkeys(notes))


def check_depth(value: Any) -> None:
    """Raises NotJson for a value that is nested deeper than any alert, before anything recursive touches it."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for item in level for inner in _children(item)]
        if not level:
            return
    raise NotJson(_WHY_DEEP)


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(cast("dict[str, Any]", value).values())
    return cast("list[Any]", value) if isinstance(value, list) else []


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= 16 else digits


def _number(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits
