"""What differs between what we want to stand somewhere and what stands there, in the parts that are ours.

The other side adds defaults and names of its own, and people add theirs: only what we say is compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import unified_diff
from typing import Any, cast

Json = dict[str, Any]
_ABSENT = object()


def ours_of(wanted: Any, found: Any) -> Any:
    """The part of `found` that `wanted` speaks of: in objects the same names, in lists of equal length item by item."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        names, there = cast("Json", wanted), cast("Json", found)
        return {name: ours_of(value, there[name]) for name, value in names.items() if name in there}
    if isinstance(wanted, list) and isinstance(found, list):
        items, others = cast("list[Any]", wanted), cast("list[Any]", found)
        if len(items) == len(others):
            return [ours_of(a, b) for a, b in zip(items, others, strict=True)]
    return cast("Any", found)


def drift(wanted: Json, found: Json | None, name: str) -> str:
    """A unified diff from what stands there to what we want, or nothing where they agree; None: it is not there."""
    theirs: Json = {} if found is None else ours_of(wanted, found)
    if theirs == wanted:
        return ""
    there, here = _lines(theirs) if found is not None else [], _lines(wanted)
    return "\n".join(unified_diff(there, here, f"Kibana: {name}", f"deployments/elastic: {name}", lineterm=""))


def changed_names(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, ...]:
    """The names at the top whose values differ, in our order."""
    return tuple(n for n, value in wanted.items() if ours_of(value, found.get(n, _ABSENT)) != value)


def _lines(value: Any) -> list[str]:
    return json.dumps(_readable(value), indent=2, ensure_ascii=False).splitlines()


def _readable(value: Any) -> Any:
    """Texts of several lines as a list of lines, so that a diff shows the line."""
    if isinstance(value, dict):
        return {name: _readable(v) for name, v in cast("Json", value).items()}
    if isinstance(value, list):
        return [_readable(v) for v in cast("list[Any]", value)]
    if isinstance(value, str) and "\n" in value:
        return value.split("\n")
    return value


def filled(template: Any, values: Mapping[str, Any]) -> Any:
    """The template with every text that is wholly `$name` replaced by that value; a list is spliced into a list, once each.

    Values never become part of a text, so nothing in them can change what the template says. Raises KeyError.
    """
    if isinstance(template, str) and template.startswith("$"):
        return values[template[1:]]
    if isinstance(template, dict):
        return {name: filled(value, values) for name, value in cast("Json", template).items()}
    if isinstance(template, list):
        spliced: list[Any] = []
        for part in cast("list[Any]", template):
            given = filled(part, values)
            is_place = isinstance(part, str) and isinstance(given, list)
            taken: list[Any] = cast("list[Any]", given) if is_place else [given]
            spliced += [one for one in taken if one not in spliced]
        return spliced
    return template
