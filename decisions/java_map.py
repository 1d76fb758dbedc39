"""Reads Java's `Map.toString()`, the form in which Elastic's integration keeps request parameters, and refuses to guess.

`{k=v, k2={…}, k3=[a, b]}` quotes nothing, so a value that a caller chose (description, prefix, tag) can hold text that
reads like fields and braces. But the names that decide what was exported and where to stand once in an honest text, and
EC2 accepts no export without its bucket and its instance or image. So a second occurrence, anywhere and at any depth, was
written by the caller, and the whole text is refused: what is read is the truth or nothing, whatever the order of fields.
"""

from __future__ import annotations

import re

JavaMap = dict[str, "JavaValue"]
JavaValue = str | JavaMap | list["JavaValue"]

MAX_DEPTH, MAX_LENGTH = 16, 200_000

SYNONYMS = (
    ("exportToS3", "exportToS3Task", "s3ExportLocation"),
    ("s3Bucket", "bucket"),
    ("s3Prefix", "prefix"),
    ("s3Key", "objectKey"),
    ("exportTaskId", "exportImageTaskId"),
    ("instanceId",), ("imageId",), ("diskImageFormat",), ("containerFormat",), ("targetEnvironment",), ("roleName",),
)  # fmt: skip
"""Names that decide; of the synonyms in a row at most one stands in an honest text."""
_ROW = {name.lower(): row[0] for row in SYNONYMS for name in row}
_DECISIVE = re.compile(rf"(?<!\w)({'|'.join(_ROW)})\s*=", re.IGNORECASE)
_KEY = re.compile(r"([A-Za-z_][\w:.-]*)=")
_VALUE_IN_MAP = re.compile(r"[^{}\[\]]*?(?=\}|, [A-Za-z_][\w:.-]*=)")
_VALUE_IN_LIST = re.compile(r"[^{}\[\]]*?(?=\]|, )")


class Ambiguous(ValueError):
    """The text has no reading, or more than one; the message says why."""


def parse(text: str) -> JavaMap:
    """The map, with strings as leaves. Raises Ambiguous for what is cut off, unbalanced, doubled or could mislead."""
    if len(text) > MAX_LENGTH:
        raise Ambiguous(f"the text is longer than {MAX_LENGTH} characters")
    seen: set[str] = set()
    for name in _DECISIVE.findall(text):
        row = _ROW[name.lower()]
        if row in seen:
            raise Ambiguous(f"{row} stands in it more than once, so that a free text may have written one of them")
        seen.add(row)
    found, end = _map(text, 0, 0)
    if end != len(text):
        raise Ambiguous("text follows the closing brace")
    return found


def _map(text: str, at: int, depth: int) -> tuple[JavaMap, int]:
    if depth > MAX_DEPTH:
        raise Ambiguous("it is nested too deeply")
    if not text.startswith("{", at):
        raise Ambiguous("it does not start with a brace")
    found: JavaMap = {}
    if text.startswith("{}", at):
        return found, at + 2
    while text[at] != "}":
        at += 1 if not found else 2
        key = _KEY.match(text, at)
        if key is None:
            raise Ambiguous(f"no field name at character {at}")
        if key[1] in found:
            raise Ambiguous(f"the field {key[1]} stands twice")
        found[key[1]], at = _value(text, key.end(), depth, _VALUE_IN_MAP)
        if not text.startswith(("}", ", "), at):
            raise Ambiguous(f"neither a comma nor a closing brace at character {at}")
    return found, at + 1


def _list(text: str, at: int, depth: int) -> tuple[list[JavaValue], int]:
    if depth > MAX_DEPTH:
        raise Ambiguous("it is nested too deeply")
    found: list[JavaValue] = []
    if text.startswith("[]", at):
        return found, at + 2
    while text[at] != "]":
        item, at = _value(text, at + (2 if found else 1), depth, _VALUE_IN_LIST)
        found.append(item)
        if not text.startswith(("]", ", "), at):
            raise Ambiguous(f"neither a comma nor a closing bracket at character {at}")
    return found, at + 1


def _value(text: str, at: int, depth: int, scalar: re.Pattern[str]) -> tuple[JavaValue, int]:
    if text.startswith("{", at):
        return _map(text, at, depth + 1)
    if text.startswith("[", at):
        return _list(text, at, depth + 1)
    leaf = scalar.match(text, at)
    if leaf is None:
        raise Ambiguous("it is cut off, or a value holds braces")
    return leaf[0], leaf.end()
