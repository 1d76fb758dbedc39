"""The `condition` of a rule: and, or, not, parentheses, `1 of x*`, `all of them`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from decisions.sigma_detection import AllOf, AnyOf, Node, Not, Refused

MAX_LENGTH, MAX_DEPTH = 8192, 50
_TOKEN = re.compile(r"\(|\)|[^\s()]+")


def combine(condition: str, searches: Mapping[str, Node]) -> Node:
    """The searches, combined as the condition says. Raises Refused, naming what is not understood."""
    if "|" in condition:
        raise Refused("the condition has an aggregation after `|`, which correlation rules have replaced")
    if len(condition) > MAX_LENGTH:
        raise Refused(f"the condition is longer than {MAX_LENGTH} characters")
    reading = _Reading(_TOKEN.findall(condition), searches)
    node = reading.any(0)
    if reading.tokens:
        raise Refused(f"the condition goes on after its end: {reading.tokens[0]!r}")
    return node


class _Reading:
    def __init__(self, tokens: list[str], searches: Mapping[str, Node]) -> None:
        self.tokens = tokens
        self.searches = searches

    def any(self, depth: int) -> Node:
        items = [self.all(depth)]
        while self._next("or"):
            items.append(self.all(depth))
        return items[0] if len(items) == 1 else AnyOf(tuple(items))

    def all(self, depth: int) -> Node:
        items = [self.one(depth)]
        while self._next("and"):
            items.append(self.one(depth))
        return items[0] if len(items) == 1 else AllOf(tuple(items))

    def one(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise Refused("the condition is nested too deeply")
        if self._next("not"):
            return Not(self.one(depth + 1))
        if self._next("("):
            node = self.any(depth + 1)
            if not self._next(")"):
                raise Refused("the condition has no `)` for a `(`")
            return node
        if not self.tokens:
            raise Refused("the condition ends where a search is expected")
        token = self.tokens.pop(0)
        if token.lower() in ("1", "any", "all") and self._next("of"):
            return self._several(token.lower() == "all")
        if token not in self.searches:
            raise Refused(f"the condition names {token!r}, which the detection does not have")
        return self.searches[token]

    def _several(self, every: bool) -> Node:
        if not self.tokens:
            raise Refused("the condition ends after `of`")
        wanted = self.tokens.pop(0)
        them = wanted.lower() == "them"
        shape = re.compile(".*" if them else ".*".join(map(re.escape, wanted.split("*"))))
        found = [
            node
            for name, node in self.searches.items()
            if shape.fullmatch(name) and not (them and name.startswith("_"))
        ]
        if not found:
            raise Refused(f"no search of the detection is named {wanted!r}")
        return AllOf(tuple(found)) if every else AnyOf(tuple(found))

    def _next(self, word: str) -> bool:
        if self.tokens and self.tokens[0].lower() == word:
            self.tokens.pop(0)
            return True
        return False
