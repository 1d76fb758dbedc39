"""IAM patterns: `*`, `?` and policy variables. What a variable is filled with is text, whatever stars it holds.

Patterns are written by strangers, so matching takes time in proportion to pattern times value, never more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

VARIABLE = re.compile(r"\$\{([^{}]*)\}")
MARKS = {"*": "\ud800", "?": "\ud801"}
"""Stand for a star and a question mark that mean themselves; unpaired surrogates, which no text of AWS holds."""
LITERAL = str.maketrans(MARKS)
PLAIN = str.maketrans({mark: sign for sign, mark in MARKS.items()})


class Doubt(NamedTuple):
    """Neither yes nor no: these condition keys are not known, and they decide it."""

    keys: tuple[str, ...]


class Facts:
    """The condition keys of a request, found by name in any letter case, and those that nobody knows."""

    def __init__(self, context: Mapping[str, tuple[str, ...]], unknown: frozenset[str], variables: bool = True) -> None:
        self._context = {k.lower(): tuple(v) for k, v in context.items()}
        self._unknown = tuple(k.lower() for k in unknown)
        self.variables = variables
        """Whether `${…}` is a variable: only in documents of version 2012-10-17."""

    def values(self, key: str) -> tuple[str, ...] | Doubt | None:
        """The values of a key; None when the request does not have it, Doubt when nobody knows."""
        found = self._context.get(key.lower())
        if found is None and any(glob_matches(k, key.lower()) for k in self._unknown):
            return Doubt((key,))
        return found or None

    def fill(self, text: str) -> str | Doubt | None:
        """A pattern with its variables filled in; None when the request lacks one of their keys."""
        if not self.variables or "${" not in text:
            return text
        filled: list[str] = []
        doubts: list[str] = []
        for place, part in enumerate(VARIABLE.split(text)):
            value = self._variable(part) if place % 2 else part
            if value is None:
                return None
            if isinstance(value, Doubt):
                doubts += value.keys
            else:
                filled.append(value)
        return Doubt(tuple(doubts)) if doubts else "".join(filled)

    def _variable(self, name: str) -> str | Doubt | None:
        if name in ("*", "?", "$"):
            return name.translate(LITERAL)
        key, _, default = name.partition(",")
        values = self.values(key.strip())
        if isinstance(values, Doubt):
            return values
        if values and len(values) == 1:
            return values[0].translate(LITERAL)
        return default.strip().strip("'").translate(LITERAL) if default else None


def plain(pattern: str) -> str:
    """A filled pattern as the text it is, for operators that know no wildcards."""
    return pattern.translate(PLAIN)


def glob_matches(pattern: str, value: str, ignore_case: bool = False) -> bool:
    """Whether a value matches an IAM pattern: `*` any run, `?` one character."""
    first, *rest = _segments(pattern, ignore_case)
    if not rest:
        return first.fullmatch(value) is not None
    found = first.match(value)
    for segment in rest[:-1]:
        found = segment.search(value, found.end()) if found else None
    if found is None:
        return False
    tail = len(value) - len(pattern.rpartition("*")[2])
    return tail >= found.end() and rest[-1].fullmatch(value, tail) is not None


@lru_cache(maxsize=4096)
def _segments(pattern: str, ignore_case: bool) -> tuple[re.Pattern[str], ...]:
    """What stands between the stars; the leftmost place of each is as good as any other."""
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    parts = ("".join("." if c == "?" else re.escape(plain(c)) for c in part) for part in pattern.split("*"))
    return tuple(re.compile(part, flags) for part in parts)
