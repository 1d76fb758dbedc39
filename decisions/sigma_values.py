"""What stands in a CloudTrail record at a dotted path, as texts: the one meaning that every engine is held to.

- A list is looked through, one level at each step of the path and at its end: any element may match.
- null, an absent field, an empty list and an empty object are all "no value".
- A number is its JSON text, a truth value is `true` or `false`.
- An object (or a list within a list) is its compact JSON with sorted names, in which `\\"` is read as `"`, so that a rule
  can look for text of a policy document that a parameter holds as a string.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

Path = tuple[str, ...]


def values(record: Mapping[str, Any], path: Path) -> list[str]:
    """The texts at a path; none when there is no value."""
    node: Any = record
    for name in path:  # nearly all paths lead through objects alone, and to a text
        if type(node) is not dict or (node := cast("dict[str, Any]", node).get(name)) is None:
            break
    else:
        if type(node) is str:
            return [node]
    nodes: list[Any] = [record]
    for name in path:
        nodes = [
            cast("Mapping[str, Any]", item)[name]
            for node in nodes
            for item in _items(node)
            if isinstance(item, (dict, Mapping)) and name in item  # nearly all are dicts, of which this tells at once
        ]
    return [text(item) for node in nodes for item in _items(node) if item is not None and item != {}]


def everything(record: Mapping[str, Any]) -> list[str]:
    """The texts of all top-level fields: what a keyword is looked for in."""
    return [value for name in record for value in values(record, (name,))]


def text(value: Any) -> str:
    """One JSON value as the text that rules are compared with."""
    if isinstance(value, str):
        return value
    written = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return written.replace('\\"', '"') if isinstance(value, (dict, list)) else written


def _items(node: Any) -> list[Any]:
    return cast("list[Any]", node) if isinstance(node, list) else [node]
