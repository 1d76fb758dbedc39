"""What a rule asks of a record, as a tree of tests, read from its `detection` section.

The fields and modifiers of the Sigma specification 2.1. What has no meaning in CloudTrail, or none that all engines share
(windash, base64, placeholders), is refused by name: a rule that is not run is better than one that runs as another.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from decisions.sigma_pattern import Pattern, pattern
from decisions.sigma_regex import RegexRefused, Tree, parse
from decisions.sigma_values import Path


class Refused(ValueError):
    """The rule cannot be used; the text says why."""


@dataclass(frozen=True)
class Text:
    """The value fits a pattern; without case (ASCII) unless `cased`."""

    pattern: Pattern
    cased: bool = False


@dataclass(frozen=True)
class Matching:
    """A regular expression is found in the value."""

    tree: Tree


@dataclass(frozen=True)
class InNetwork:
    """The value is an address in this network (CIDR, canonical)."""

    network: str


@dataclass(frozen=True)
class Compared:
    """The value is a decimal number that is lt, lte, gt or gte than this one."""

    operator: str
    number: Decimal


@dataclass(frozen=True)
class Same:
    """The value equals (contains, starts with, ends with) a value of another field."""

    path: Path
    how: str = "equals"
    cased: bool = False


@dataclass(frozen=True)
class Present:
    """There is a value."""


Test = Text | Matching | InNetwork | Compared | Same | Present


@dataclass(frozen=True)
class Leaf:
    """Any value at the path passes the test; without a path: the text of any top-level field does (a keyword)."""

    path: Path | None
    test: Test


@dataclass(frozen=True)
class AllOf:
    """Every one holds."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class AnyOf:
    """At least one holds."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class Not:
    """It does not hold: true, too, of a record that has no such field."""

    item: Node


Node = Leaf | AllOf | AnyOf | Not

MAX_VALUES = 10_000
_HOW = {"contains": (True, True), "startswith": (False, True), "endswith": (True, False)}
_COMPARISONS = ("lt", "lte", "gt", "gte")
_REGEX_FLAGS = {"i": "ignore_case", "s": "dot_all"}
_KNOWN = {*_HOW, *_COMPARISONS, "re", "i", "s", "cidr", "fieldref", "exists", "cased", "all"}
_NUMBER = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?")


def search(found: Any) -> Node:
    """One search identifier: a map (all fields hold), or a list of maps or keywords (any of them)."""
    if isinstance(found, Mapping):
        fields = cast("Mapping[Any, Any]", found)
        if not fields:
            raise Refused("a search identifier is empty")
        return _all([_field(str(name), value) for name, value in fields.items()])
    if isinstance(found, list) and found:
        items = cast("list[Any]", found)
        return _any([search(item) if isinstance(item, Mapping) else _field("", item) for item in items])
    if isinstance(found, str | int | float):
        return _field("", found)
    raise Refused("a search identifier is neither a map nor a list of maps or keywords")


def number_of(text: str) -> Decimal | None:
    """The number that a value is, if it is a plain decimal one."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _field(name: str, value: Any) -> Node:
    spelled, *modifiers = name.split("|")
    unknown = [modifier for modifier in modifiers if modifier not in _KNOWN]
    if unknown:
        raise Refused(f"the modifier {unknown[0]!r} is not supported")
    path = path_of(spelled) if spelled else None
    given = cast("list[Any]", value) if isinstance(value, list) else [value]
    if not given or len(given) > MAX_VALUES:
        raise Refused(f"{spelled or 'a keyword list'} has no value, or more than {MAX_VALUES}")
    kept = [modifier for modifier in modifiers if modifier != "all"]
    leaves = [_leaf(path, kept, one) for one in given]
    return _all(leaves) if "all" in modifiers else _any(leaves)


def path_of(spelled: str) -> Path:
    r"""The names of a dotted field; `\.` is a dot that belongs to a name."""
    names = tuple(part.replace("\0", ".") for part in spelled.replace("\\.", "\0").split("."))
    if not all(names) or any(c in '"\\' or not c.isprintable() for name in names for c in name):
        raise Refused(f"{spelled!r} is no field name")
    return names


def _leaf(path: Path | None, modifiers: list[str], value: Any) -> Node:
    if isinstance(value, date | list | dict):
        raise Refused("a value is neither text nor a number, a truth value or null")
    if "exists" in modifiers:
        if not isinstance(value, bool) or path is None or len(modifiers) > 1:
            raise Refused("`exists` takes true or false, a field and no other modifier")
        return Leaf(path, Present()) if value else Not(Leaf(path, Present()))
    if value is None:
        if modifiers or path is None:
            raise Refused("null takes a field, and no modifier")
        return Not(Leaf(path, Present()))
    written = str(value).lower() if isinstance(value, bool) else str(value)
    test = _test(modifiers, written)
    if path is None and not isinstance(test, Text | Matching):
        raise Refused("a keyword takes no modifier but `re`, `cased` and `all`")
    if path is None and isinstance(test, Text):
        test = Text(test.pattern.widened(True, True), test.cased)
    return Leaf(path, test)


def _test(modifiers: list[str], written: str) -> Test:
    cased = "cased" in modifiers
    rest = [modifier for modifier in modifiers if modifier != "cased"]
    match rest:
        case ["re", *flags] if all(flag in _REGEX_FLAGS for flag in flags) and not cased:
            try:
                return Matching(parse(written, **{_REGEX_FLAGS[flag]: True for flag in flags}))
            except RegexRefused as error:
                raise Refused(str(error)) from error
        case ["cidr"] if not cased:
            return InNetwork(_network(written))
        case [operator] if operator in _COMPARISONS and not cased:
            return Compared(operator, _decimal(written))
        case ["fieldref"]:
            return Same(path_of(written), "equals", cased)
        case ["fieldref", how] | [how, "fieldref"] if how in _HOW:
            return Same(path_of(written), how, cased)
        case [how] if how in _HOW:
            return Text(pattern(written).widened(*_HOW[how]), cased)
        case []:
            return Text(pattern(written), cased)
        case _:
            raise Refused(f"the modifiers {'|'.join(modifiers)} do not go together")


def _network(written: str) -> str:
    try:
        return str(ipaddress.ip_network(written, strict=False))
    except ValueError as error:
        raise Refused(f"{written!r} is no network") from error


def _decimal(written: str) -> Decimal:
    try:
        number = Decimal(written)
    except InvalidOperation as error:
        raise Refused(f"{written!r} is no number") from error
    if number_of(str(number)) is None:
        raise Refused(f"{written!r} is no plain decimal number")
    return number


def _all(items: list[Node]) -> Node:
    return items[0] if len(items) == 1 else AllOf(tuple(items))


def _any(items: list[Node]) -> Node:
    return items[0] if len(items) == 1 else AnyOf(tuple(items))
