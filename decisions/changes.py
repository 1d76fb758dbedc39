"""Before and after as what differs between them: policies by statement, lists by member, everything else by field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import rfc8785

NOTHING = object()
"""Stands for a field that is not there; null is a value of its own."""


class Change(NamedTuple):
    """One difference."""

    what: str
    """Path of the field, `policy.Statement`."""
    was: str | None
    """None: it was not there."""
    now: str | None
    """None: it is gone."""


def changes(before: Any, after: Any) -> tuple[Change, ...]:
    """Everything that differs, in the order of the fields; text that holds a JSON document is compared as that document.

    Documents that differ in spaces or order alone are said to do so.
    """
    return tuple(_differ("", before, after))


def _differ(path: str, before: Any, after: Any) -> Iterator[Change]:
    if before == after:
        return
    was, now = _document(before), _document(after)
    if was == now:
        yield Change(path, "the same document, written otherwise", "the same document, written otherwise")
    elif isinstance(was, dict) and isinstance(now, dict):
        yield from _fields(path, cast("dict[str, Any]", was), cast("dict[str, Any]", now))
    elif isinstance(was, list) and isinstance(now, list):
        yield from _members(path, cast("list[Any]", was), cast("list[Any]", now))
    elif isinstance(now, dict) and was in (None, NOTHING):
        yield from _fields(path, {}, cast("dict[str, Any]", now))
    elif isinstance(was, dict) and now in (None, NOTHING):
        yield from _fields(path, cast("dict[str, Any]", was), {})
    elif isinstance(now, list) and was is NOTHING:
        yield from _members(path, [], cast("list[Any]", now))
    elif isinstance(was, list) and now is NOTHING:
        yield from _members(path, cast("list[Any]", was), [])
    else:
        yield Change(path, _text(was), _text(now))


def _fields(path: str, was: dict[str, Any], now: dict[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys((*was, *now)):
        yield from _differ(f"{path}.{name}" if path else name, was.get(name, NOTHING), now.get(name, NOTHING))


def _members(path: str, was: list[Any], now: list[Any]) -> Iterator[Change]:
    gone = [member for member in was if member not in now]
    new = [member for member in now if member not in was]
    if not gone and not new:
        yield Change(path, "the same members", "in another order or number")
    yield from (Change(path, _text(member), None) for member in gone)
    yield from (Change(path, None, _text(member)) for member in new)


def _document(value: Any) -> Any:
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _text(value: Any) -> str | None:
    if value is NOTHING:
        return None
    if isinstance(value, str):
        return value
    try:
        return rfc8785.dumps(value).decode()
    except (ValueError, RecursionError):
        return repr(value)
