r"""Regular expressions of rules, in the part that all engines share, written anew for each of them.

Python, RE2 (DuckDB), Joni (Trino) and Lucene (Elasticsearch) read the same text differently: `$` before a last newline, `.`
and line ends, `\w` and Unicode, case. So an expression is read once into a small tree and rendered from it: classes are
ASCII, `^` and `$` are the ends of the value, `.` is anything but a newline. What only some engines have is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

from decisions.sigma_pattern import LOWER, UPPER

# The standard library's own parser: undocumented, stable since 3.11, and the only one that knows Python's syntax.
_parser: Any = import_module("re._parser")

MAX_LENGTH, MAX_REPEAT, LAST = 4096, 1000, 0x10FFFF
_DIGIT = ((48, 57),)
_WORD = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE = ((9, 13), (32, 32))
_CATEGORIES: dict[str, tuple[tuple[tuple[int, int], ...], bool]] = {
    "CATEGORY_DIGIT": (_DIGIT, False),
    "CATEGORY_NOT_DIGIT": (_DIGIT, True),
    "CATEGORY_WORD": (_WORD, False),
    "CATEGORY_NOT_WORD": (_WORD, True),
    "CATEGORY_SPACE": (_SPACE, False),
    "CATEGORY_NOT_SPACE": (_SPACE, True),
}

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Characters:
    """One character out of these ranges of code points; `ranges` are in order and do not touch."""

    ranges: Ranges

    @property
    def only(self) -> str | None:
        """The character when there is one, or one letter in both cases (as its lower case)."""
        points = [point for low, high in self.ranges for point in range(low, min(high, low + 2) + 1)]
        if len(points) == 1:
            return chr(points[0])
        pair = "".join(map(chr, points))
        return (
            pair[1]
            if len(points) == 2 and pair.isascii() and pair[0].isalpha() and pair[1] == pair[0].lower()
            else None
        )


@dataclass(frozen=True)
class Sequence:
    """One after the other."""

    items: tuple[Tree, ...]


@dataclass(frozen=True)
class Branch:
    """Any one of them."""

    items: tuple[Tree, ...]


@dataclass(frozen=True)
class Repeat:
    """`least` to `most` times; `most` is None without an end."""

    item: Tree
    least: int
    most: int | None


@dataclass(frozen=True)
class End:
    """The beginning (`first`) or the end of the value."""

    first: bool


Tree = Characters | Sequence | Branch | Repeat | End


class RegexRefused(ValueError):
    """The expression has something that not all engines have; the text says what."""


def parse(source: str, ignore_case: bool = False, dot_all: bool = False) -> Tree:
    """The expression as a tree. Raises RegexRefused."""
    if len(source) > MAX_LENGTH:
        raise RegexRefused(f"the regular expression is longer than {MAX_LENGTH} characters")
    try:
        parsed = _parser.parse(source)
    except (re.error, OverflowError, RecursionError) as error:
        raise RegexRefused(f"the regular expression cannot be read: {error}") from error
    flags = int(parsed.state.flags)
    if flags & (re.MULTILINE | re.VERBOSE | re.LOCALE):
        raise RegexRefused("the regular expression has the flag m, x or L, which not all engines have")
    tree = _Reading(ignore_case or bool(flags & re.IGNORECASE), dot_all or bool(flags & re.DOTALL)).sequence(parsed)
    if _nests(tree, False):
        raise RegexRefused("the regular expression repeats a repetition without end, which can take forever")
    return tree


class _Reading:
    def __init__(self, ignore_case: bool, dot_all: bool) -> None:
        self.ignore_case = ignore_case
        self.dot_all = dot_all

    def sequence(self, parsed: Any) -> Tree:
        items = tuple(self.one(str(op), argument) for op, argument in parsed)
        return items[0] if len(items) == 1 else Sequence(items)

    def one(self, op: str, argument: Any) -> Tree:
        match op:
            case "LITERAL":
                return self.characters([(argument, argument)])
            case "NOT_LITERAL":
                return self.characters([(argument, argument)], negated=True)
            case "ANY":
                return Characters(((0, LAST),) if self.dot_all else _inverted(((10, 10),)))
            case "IN":
                return self.class_of(cast("list[tuple[Any, Any]]", argument))
            case "BRANCH":
                return Branch(tuple(self.sequence(branch) for branch in argument[1]))
            case "SUBPATTERN":
                return self.group(argument)
            case "MAX_REPEAT" | "MIN_REPEAT":
                return self.repeat(argument)
            case "AT":
                return _end(str(argument))
            case _:
                raise RegexRefused(
                    f"the regular expression uses {op.lower().replace('_', ' ')}, which not all engines have"
                )

    def group(self, argument: tuple[Any, int, int, Any]) -> Tree:
        _, added, removed, inner = argument
        if (added | removed) & ~(re.IGNORECASE | re.DOTALL):
            raise RegexRefused("a group of the regular expression sets flags that not all engines have")
        ignore_case = (self.ignore_case or bool(added & re.IGNORECASE)) and not removed & re.IGNORECASE
        dot_all = (self.dot_all or bool(added & re.DOTALL)) and not removed & re.DOTALL
        return _Reading(ignore_case, dot_all).sequence(inner)

    def repeat(self, argument: tuple[Any, Any, Any]) -> Tree:
        least, most, inner = argument
        end = None if str(most) == "MAXREPEAT" else int(most)
        if int(least) > MAX_REPEAT or (end or 0) > MAX_REPEAT:
            raise RegexRefused(f"the regular expression repeats something more than {MAX_REPEAT} times")
        return Repeat(self.sequence(inner), int(least), end)

    def class_of(self, members: list[tuple[Any, Any]]) -> Tree:
        ranges: list[tuple[int, int]] = []
        negated = False
        for op, argument in members:
            match str(op):
                case "NEGATE":
                    negated = True
                case "LITERAL":
                    ranges.append((argument, argument))
                case "RANGE":
                    ranges.append((int(argument[0]), int(argument[1])))
                case _:
                    found, inverse = _CATEGORIES[str(argument)]
                    ranges += _inverted(found) if inverse else found
        return self.characters(ranges, negated)

    def characters(self, ranges: list[tuple[int, int]], negated: bool = False) -> Characters:
        both = [*ranges]
        if self.ignore_case:
            both += [(ord(there), ord(there)) for here, there in zip(UPPER + LOWER, LOWER + UPPER, strict=True)
                     if any(low <= ord(here) <= high for low, high in ranges)]  # fmt: skip
        merged = _inverted(_merged(both)) if negated else _merged(both)
        if not merged:
            raise RegexRefused("the regular expression has a class that no character is in")
        return Characters(merged)


@dataclass(frozen=True)
class Dialect:
    """How an engine writes the ends of a value."""

    start: str
    end: str


PYTHON = Dialect(r"\A", r"\Z")
RE2 = JONI = Dialect(r"\A", r"\z")
_ESCAPED = frozenset(r"\.^$|?*+()[]{}-&~#")


def render(tree: Tree, dialect: Dialect) -> str:
    """The expression for an engine that searches in a value (Python, RE2, Joni)."""
    match tree:
        case Characters():
            return _class(tree.ranges)
        case Sequence():
            return "".join(render(item, dialect) for item in tree.items)
        case Branch():
            return f"(?:{'|'.join(render(item, dialect) for item in tree.items)})"
        case Repeat():
            return f"(?:{render(tree.item, dialect)}){_times(tree)}"
        case End():
            return dialect.start if tree.first else dialect.end


def _times(tree: Repeat) -> str:
    if tree.most == 1 and tree.least == 0:
        return "?"
    if tree.most is None and tree.least < 2:
        return "+" if tree.least else "*"
    return f"{{{tree.least},{'' if tree.most is None else tree.most}}}"


def _class(ranges: Ranges) -> str:
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return _escape(ranges[0][0])
    if ranges[-1][1] == LAST:
        outside = _inverted(ranges)
        return f"[^{_members(outside)}]" if outside else "(?:.|\n)"
    return f"[{_members(ranges)}]"


def _members(ranges: Ranges) -> str:
    return "".join(_escape(low) if low == high else f"{_escape(low)}-{_escape(high)}" for low, high in ranges)


def _escape(point: int) -> str:
    return f"\\{chr(point)}" if chr(point) in _ESCAPED else chr(point)


def _end(name: str) -> End:
    if name in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
        return End(True)
    if name in ("AT_END", "AT_END_STRING"):
        return End(False)
    raise RegexRefused(r"the regular expression uses \b or \B, which means something else in each engine")


def _nests(tree: Tree, inside: bool) -> bool:
    match tree:
        case Repeat():
            endless = tree.most is None
            return (inside and endless) or _nests(tree.item, inside or endless)
        case Sequence() | Branch():
            return any(_nests(item, inside) for item in tree.items)
        case _:
            return False


def _merged(ranges: list[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


def _inverted(ranges: Ranges) -> Ranges:
    found: list[tuple[int, int]] = []
    start = 0
    for low, high in ranges:
        if low > start:
            found.append((start, low - 1))
        start = high + 1
    if start <= LAST:
        found.append((start, LAST))
    return tuple(found)
