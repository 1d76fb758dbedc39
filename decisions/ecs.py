"""Documents of the Elastic Common Schema, however they are keyed: nested, dotted, mixed, or with every value a list.

A search hit's `_source` is mixed, a webhook's alert nested, the search API's `fields` dotted with lists; one accessor reads
all of them alike (notes/elastic.md 0.2, 1.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast


def scalars(document: Mapping[str, Any], path: str) -> list[Any]:
    """The different scalars at a dotted path, eight at most; none: it is absent, several: they contradict each other."""
    distinct: list[Any] = []
    for value in _at(document, path.split(".")):
        if value is not None and not isinstance(value, dict) and value not in distinct:
            distinct.append(value)
        if len(distinct) == 8:
            break
    return distinct


def first(document: Mapping[str, Any], paths: Iterable[str]) -> list[Any]:
    """The scalars at the first of several paths that has any."""
    for path in paths:
        if found := scalars(document, path):
            return found
    return []


def has(document: Mapping[str, Any], path: str) -> bool:
    """Whether anything stands at or below a dotted path."""
    return bool(_at(document, path.split(".")))


def leaves(document: Mapping[str, Any], but: str) -> dict[str, list[Any]]:
    """Every dotted path with all its different scalars; nothing at or below the path `but`."""
    found: dict[str, list[Any]] = {}
    rest: list[tuple[str, Any]] = [("", document)]
    while rest:
        path, value = rest.pop()
        if isinstance(value, dict):
            below = f"{path}." if path else ""
            inner = [(below + name, item) for name, item in cast("dict[str, Any]", value).items()]
            rest += [one for one in reversed(inner) if not one[0].startswith(but)]
        elif isinstance(value, list):
            rest += [(path, item) for item in reversed(cast("list[Any]", value))]
        elif value is not None and value not in (known := found.setdefault(path, [])):
            known.append(value)
    return found


def plain(document: Mapping[str, Any], path: str) -> Any:
    """What stands at a dotted path in a document that is nested all the way; None also where it is not nested so."""
    value: Any = document
    for name in path.split("."):
        if not isinstance(value, dict):
            return None
        value = cast("dict[str, Any]", value).get(name)
    return value


def tree(document: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The object at a dotted path, its dotted names taken apart; a name with several values holds a list of them."""
    found: dict[str, Any] = {}
    for value in _at(document, path.split(".")):
        if isinstance(value, dict):
            _merge(found, cast("dict[str, Any]", value))
    return found


def objects(document: Mapping[str, Any], path: str) -> list[dict[str, Any]]:
    """Each object at a dotted path by itself; names that are joined to the path by a dot make an object each."""
    return [cast("dict[str, Any]", value) for value in _at(document, path.split(".")) if isinstance(value, dict)]


def _at(value: Any, parts: list[str]) -> list[Any]:
    if isinstance(value, list):
        return [found for item in cast("list[Any]", value) for found in _at(item, parts)]
    if not parts:
        return [value]
    if not isinstance(value, Mapping):
        return []
    found: list[Any] = []
    below = ".".join(parts) + "."
    for name, inner in cast("Mapping[str, Any]", value).items():
        if name.startswith(below):
            found.append({name.removeprefix(below): inner})
        elif below.startswith(f"{name}."):
            found += _at(inner, parts[name.count(".") + 1 :])
    return found


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        head, _, rest = name.partition(".")
        inner: Any = {rest: value} if rest else value
        if isinstance(inner, dict):
            below = into.setdefault(head, {})
            if isinstance(below, dict):
                _merge(cast("dict[str, Any]", below), cast("dict[str, Any]", inner))
                continue
        into[head] = inner if head not in into or into[head] == inner else [into[head], inner]
