"""Where the three export APIs keep what was asked and answered, whichever style CloudTrail wrote it in.

Old APIs are written in lower camel case with `{"items": […]}`, newer ones wrapped (`ExportImageRequest`), in wire case,
with `{"item": …}` or `{"tag": 1, "content": …}` (notes/aws.md 1.5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from decisions.export import ExportApi

WRAPPER = re.compile(r"[A-Z]\w+(Request|Response|Result)")

MAX_DEPTH = 64
"""No API nests parameters half as deep: what lies deeper is left out."""

Path = tuple[str, ...]
"""Names from the outside in, lower case; `|` between synonyms."""

_LOCATION = "exporttos3|exporttos3task"
_BUCKET = "s3bucket|bucket"
REQUEST: dict[ExportApi, dict[str, Path]] = {
    ExportApi.INSTANCE: {
        "instance_id": ("instanceid",),
        "bucket": (_LOCATION, _BUCKET),
        "prefix": (_LOCATION, "s3prefix|prefix"),
        "disk_format": (_LOCATION, "diskimageformat"),
        "container_format": (_LOCATION, "containerformat"),
        "target_environment": ("targetenvironment",),
        "description": ("description",),
    },
    ExportApi.IMAGE: {
        "image_id": ("imageid",),
        "bucket": ("s3exportlocation", _BUCKET),
        "prefix": ("s3exportlocation", "s3prefix|prefix"),
        "disk_format": ("diskimageformat",),
        "role_name": ("rolename",),
        "description": ("description",),
    },
    ExportApi.STORE: {"image_id": ("imageid",), "bucket": ("bucket",)},
}
RESPONSE: dict[ExportApi, dict[str, Path]] = {
    ExportApi.INSTANCE: {
        "task_id": ("exporttask", "exporttaskid"),
        "object_key": ("exporttask", _LOCATION, "s3key"),
        "instance_id": ("exporttask", "instanceexport", "instanceid"),
        "bucket": ("exporttask", _LOCATION, _BUCKET),
        "disk_format": ("exporttask", _LOCATION, "diskimageformat"),
        "container_format": ("exporttask", _LOCATION, "containerformat"),
        "target_environment": ("exporttask", "instanceexport", "targetenvironment"),
    },
    ExportApi.IMAGE: {
        "task_id": ("exportimagetaskid",),
        "image_id": ("imageid",),
        "bucket": ("s3exportlocation", _BUCKET),
        "disk_format": ("diskimageformat",),
        "role_name": ("rolename",),
    },
    ExportApi.STORE: {"object_key": ("objectkey",)},
}


def normalise(parameters: Any) -> Any:
    """requestParameters or responseElements in one style: unwrapped, first letters small, lists as lists."""
    tree = parameters
    if isinstance(tree, dict):
        inner = [name for name in cast("dict[str, Any]", tree) if WRAPPER.fullmatch(name)]
        if len(inner) == 1 and isinstance(tree[inner[0]], dict):
            tree = cast("dict[str, Any]", tree[inner[0]])
    return _lowered(tree)


def _lowered(value: Any, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, list):
        return [_lowered(item, depth + 1) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    tree = cast("dict[str, Any]", value)
    if len(tree) == 1 and (listed := tree.get("items", tree.get("item"))) is not None:
        return _lowered(listed if isinstance(listed, list) else [listed], depth + 1)
    if "tag" in tree and set(tree) <= {"tag", "content"}:
        return _lowered(tree.get("content"), depth + 1)
    # A name that stands there in both cases keeps both: which one counts is not for this function to guess.
    small = {name: name[:1].lower() + name[1:] for name in tree}
    return {(name if small[name] in tree else small[name]): _lowered(inner, depth + 1) for name, inner in tree.items()}


def asked(api: ExportApi, request: Any) -> Iterator[tuple[str, list[Any]]]:
    """Fields of ExportEvent that a request names, each with every value found for it (several contradict each other)."""
    for field, found in _fields(REQUEST[api], request):
        if api is ExportApi.STORE and field == "bucket":
            places = [_place(value) for value in found]
            yield "prefix", [prefix for _, prefix in places if prefix]
            found = [bucket for bucket, _ in places]
        yield field, found


def _place(bucket: Any) -> tuple[Any, str | None]:
    """CreateStoreImageTask's Bucket may be `bucket/path1/path2`: EC2 splits it, and the key is `path1/path2/ami-….bin`."""
    if not isinstance(bucket, str) or "/" not in bucket:
        return bucket, None
    name, _, path = bucket.partition("/")
    path = path.rstrip("/")
    return name, f"{path}/" if path else None


def answered(api: ExportApi, response: Any) -> Iterator[tuple[str, list[Any]]]:
    """Likewise for what EC2 answered."""
    return _fields(RESPONSE[api], response)


def _fields(paths: Mapping[str, Path], parameters: Any) -> Iterator[tuple[str, list[Any]]]:
    tree = normalise(parameters)
    for field, path in paths.items():
        if found := _at(tree, path):
            yield field, found[:8]  # two that differ are as good as a million


def _at(value: Any, path: Path) -> list[Any]:
    if isinstance(value, list):
        return [found for item in cast("list[Any]", value) for found in _at(item, path)]
    if not path:
        return [] if value is None or value == "" else [value]
    if not isinstance(value, dict):
        return []
    names = path[0].split("|")
    tree = cast("dict[str, Any]", value)
    return [found for name, inner in tree.items() if name.lower() in names for found in _at(inner, path[1:])]
