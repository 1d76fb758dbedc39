"""The YAML of a Sigma rule: its documents, its head, its detection section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import yaml

from decisions.sigma_condition import combine
from decisions.sigma_detection import AnyOf, Node, Refused, search

MAX_CHARACTERS = 512 * 1024
LEVELS = ("informational", "low", "medium", "high", "critical")
SERVICES = ("cloudtrail", "s3access")

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Head:
    """What every rule says about itself."""

    id: str
    title: str
    level: str
    tags: tuple[str, ...]
    falsepositives: tuple[str, ...]
    description: str
    name: str | None
    """What correlation rules may call it by."""
    service: str
    """`cloudtrail` or `s3access`: the records it is about."""
    source: str
    """The name of the text that it was read from."""


def documents(text: str) -> list[Document]:
    """The YAML documents of a text. Raises Refused: anchors (a small text may grow without bound), a key given twice."""
    if len(text) > MAX_CHARACTERS:
        raise Refused(f"the file is longer than {MAX_CHARACTERS} characters")
    loader: Any = yaml.CSafeLoader(text)  # its methods are untyped
    found: list[Document] = []
    try:
        while loader.check_node():
            node = loader.get_node()
            _checked(node, set())
            document = loader.construct_document(node)
            if not isinstance(document, dict):
                raise Refused("a document of the file is no map")
            found.append(cast("Document", document))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, Refused):
            raise
        raise Refused(f"it is no YAML: {' '.join(str(error).split())[:200]}") from error
    finally:
        loader.dispose()
    if not found:
        raise Refused("the file is empty")
    return found


def head(document: Document, source: str) -> Head:
    """Id, title and the rest. Raises Refused."""
    if "action" in document:
        raise Refused("it is a collection with `action`, which the specification no longer has")
    product, service = _logsource(document)
    if product != "aws" or service not in SERVICES:
        raise Refused(f"it is about the logs of {product} {service}, not of aws {' or '.join(SERVICES)}")
    title, level = document.get("title"), document.get("level", "medium")
    if not isinstance(title, str) or not title.strip():
        raise Refused("it has no title")
    if level not in LEVELS:
        raise Refused(f"its level {level!r} is none of {', '.join(LEVELS)}")
    name = document.get("name")
    return Head(
        id=str(document.get("id") or source),
        title=title.strip(),
        level=str(level),
        tags=_texts(document, "tags"),
        falsepositives=_texts(document, "falsepositives"),
        description=str(document.get("description") or "").strip(),
        name=name if isinstance(name, str) and name else None,
        service=service,
        source=source,
    )


def detection(document: Document) -> Node:
    """The detection section as a tree of tests. Raises Refused."""
    section = document.get("detection")
    if not isinstance(section, dict):
        raise Refused("it has no detection")
    parts = cast("dict[Any, Any]", section)
    conditions = parts.get("condition")
    listed = cast("list[Any]", conditions) if isinstance(conditions, list) else [conditions]
    if "timeframe" in parts:
        raise Refused("it has a timeframe, which correlation rules have replaced")
    if not listed or not all(isinstance(one, str) for one in listed):
        raise Refused("it has no condition")
    searches = {str(name): search(found) for name, found in parts.items() if name != "condition"}
    nodes = [combine(str(one), searches) for one in listed]
    return nodes[0] if len(nodes) == 1 else AnyOf(tuple(nodes))


def _logsource(document: Document) -> tuple[str, str]:
    given = document.get("logsource")
    if given is None and "correlation" in document:
        return "aws", "cloudtrail"
    source = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    return str(source.get("product") or "nobody"), str(source.get("service") or "cloudtrail")


def _texts(document: Document, name: str) -> tuple[str, ...]:
    given = document.get(name)
    listed = cast("list[Any]", given) if isinstance(given, list) else [] if given is None else [given]
    return tuple(str(one) for one in listed)


def _checked(node: Any, seen: set[int]) -> None:
    if id(node) in seen:
        raise Refused("it uses YAML anchors")
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        names = [key.value for key, _ in node.value]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise Refused(f"the key {str(twice)[:80]!r} is given twice in one map")
        for _, value in node.value:
            _checked(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _checked(value, seen)
