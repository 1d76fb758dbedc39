"""A rule as SQL over the table of decisions/store_schema.py: DuckDB, Trino and Athena, each by a template of its own.

No value of a rule becomes anything but a quoted literal. NULL never decides: under `not` every test is made true or false
(NOT NULL is NULL, and would drop the very rows that a rule asks for); elsewhere NULL is as good as false, and plain
comparisons let an engine skip what it need not read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Protocol

from decisions.sigma_detection import (
    AllOf,
    AnyOf,
    Compared,
    InNetwork,
    Leaf,
    Matching,
    Node,
    Not,
    Present,
    Same,
    Test,
    Text,
)
from decisions.sigma_evaluate import holds
from decisions.sigma_pattern import LOWER, UPPER, Pattern, Wild, fits, fold
from decisions.sigma_regex import RE2, render
from decisions.sigma_values import Path
from decisions.store_schema import IDENTITY_COLUMNS, JSON_COLUMNS, REST, TEXT_COLUMNS

Names = Mapping[str, Collection[str]]
"""For columns of few values: every value that the store has. A test of one becomes a list of them, which can be pruned by."""

_BY_PATH = {(name,): name for name in TEXT_COLUMNS} | {path: name for name, path in IDENTITY_COLUMNS.items()}


class Dialect(Protocol):
    """What an engine says in its own words; every argument but a rule's text is SQL."""

    many_selects: bool
    """Whether many small SELECTs are quicker than one that asks all: where columns are skipped by plain conditions alone."""

    def values(self, column: str, path: Path, members: bool = False) -> str:
        """A list of the texts at a path of a JSON column (`members`: of each of its fields), null or without nulls."""
        ...

    def at(self, column: str, path: Path, test: Callable[[str], str]) -> str:
        """Whether any of `values` passes."""
        ...

    def one(self, value: str) -> str:
        """A list of one text, empty if it is null."""
        ...

    def any(self, values: str, test: Callable[[str], str]) -> str:
        """Whether any of a list passes."""
        ...

    def among(self, column: str, listed: str) -> str:
        """Whether a column has one of some values, as the condition of a scan: other columns are not read of rows without."""
        ...

    def folded(self, value: str, sought: str | None) -> str:
        """A text with A to Z as a to z, to look for `sought` in it (None: for anything)."""
        ...

    def contains(self, value: str, part: str) -> str:
        """Whether a text contains another."""
        ...

    def starts(self, value: str, part: str) -> str:
        """Whether a text starts with another."""
        ...

    def ends(self, value: str, part: str) -> str:
        """Whether a text ends with another."""
        ...

    def regex(self, value: str, expression: str) -> str:
        """Whether an expression is found in a text."""
        ...

    def within(self, value: str, network: str) -> str:
        """Whether a text is an address in a network."""
        ...


@dataclass(frozen=True)
class Rendering:
    """One tree on one engine: `irregular` for the rows that stand whole in `rest`."""

    dialect: Dialect
    names: Names = field(default_factory=dict[str, Collection[str]])
    irregular: bool = False

    def node(self, node: Node, decided: bool = False) -> str:
        """A condition; with `decided` it is never NULL."""
        match node:
            case AllOf():  # words first: of a row that fails one, no JSON is looked at
                return f"({' AND '.join(self.node(item, decided) for item in sorted(node.items, key=reads_json))})"
            case AnyOf():
                return f"({' OR '.join(self._alternatives(node, decided))})"
            case Not():
                return f"(NOT {self.node(node.item, True)})"
            case Leaf():
                test = self._leaf(node)
                return f"coalesce({test}, false)" if decided else test

    def _alternatives(self, node: AnyOf, decided: bool) -> Iterator[str]:
        """Each alternative; those about one place in JSON as one, so that it is looked for once, however many there are."""
        placed: dict[Path, list[Leaf]] = {}
        for item in node.items:
            if isinstance(item, Leaf) and item.path is not None and self._nested(item.path):
                placed.setdefault(item.path, []).append(item)
            else:
                yield self.node(item, decided)
        for path, leaves in placed.items():
            place, below = self._place(path)
            test = self.dialect.at(place, below, partial(self._any_test, leaves))
            yield f"coalesce({test}, false)" if decided else test

    def _any_test(self, leaves: Sequence[Leaf], value: str) -> str:
        tests = [self._test(leaf.test, value) for leaf in leaves]
        return tests[0] if len(tests) == 1 else f"({' OR '.join(tests)})"

    def _nested(self, path: Path) -> bool:
        return self.irregular or path not in _BY_PATH

    def _leaf(self, leaf: Leaf) -> str:
        if leaf.path is None:
            return f"({' OR '.join(self._keyword(leaf.test))})"
        column = None if self.irregular else _BY_PATH.get(leaf.path)
        if column is None:
            place, path = self._place(leaf.path)
            return self.dialect.at(place, path, lambda value: self._test(leaf.test, value))
        if column in self.names and not isinstance(leaf.test, Same):
            return self._listed(column, leaf)
        return self._test(leaf.test, quoted_name(column))

    def _values(self, path: Path) -> str:
        column = None if self.irregular else _BY_PATH.get(path)
        if column is not None:
            return self.dialect.one(quoted_name(column))
        return self.dialect.values(*self._place(path))

    def _place(self, path: Path) -> tuple[str, Path]:
        """The JSON in which a path is looked for, and what of the path is left there."""
        if not self.irregular and path[0] in JSON_COLUMNS:
            return quoted_name(path[0]), path[1:]
        if not self.irregular and path[0] in TEXT_COLUMNS:
            return "NULL", path[1:]  # below a word there is nothing
        return quoted_name(REST), path

    def _keyword(self, test: Test) -> list[str]:
        def passes(value: str) -> str:
            return self._test(test, value)

        rest = self.dialect.any(self.dialect.values(quoted_name(REST), (), members=True), passes)
        if self.irregular:
            return [rest]
        words = [f"coalesce({passes(quoted_name(name))}, false)" for name in TEXT_COLUMNS]
        nested = [self.dialect.any(self.dialect.values(quoted_name(name), ()), passes) for name in JSON_COLUMNS]
        return [f"coalesce({one}, false)" for one in (*words, *nested, rest)]

    def _listed(self, column: str, leaf: Leaf) -> str:
        found = sorted(_passing(leaf.test, column, self.names[column]))
        return f"{quoted_name(column)} IN ({', '.join(map(quoted, found))})" if found else "false"

    def _test(self, test: Test, value: str) -> str:
        match test:
            case Present():
                return f"({value} IS NOT NULL)"
            case Text(pattern, cased):
                return self._text(pattern, value, cased)
            case Matching(tree):
                return self.dialect.regex(value, quoted(render(tree, RE2)))
            case InNetwork(network):
                return self.dialect.within(value, network)
            case Compared():
                return self._compared(test, value)
            case Same():
                return self.dialect.any(self._values(test.path), lambda other: self._same(test, value, other))

    def _text(self, pattern: Pattern, value: str, cased: bool) -> str:
        if pattern.anything:
            return f"({value} IS NOT NULL)"
        lettered = any(character.isascii() and character.isalpha() for run in pattern.runs for character in run)
        folded = lettered and not cased
        expected = [part if isinstance(part, Wild) or not folded else fold(part) for part in pattern.parts]
        here = self.dialect.folded(value, "".join(pattern.runs)) if folded else value
        match expected:
            case []:
                return f"({value} = '')"
            case [str() as whole]:
                return f"({here} = {quoted(whole)})"
            case [str() as start, Wild.ANY]:
                return self.dialect.starts(here, quoted(start))
            case [Wild.ANY, str() as end]:
                return self.dialect.ends(here, quoted(end))
            case [Wild.ANY, str() as part, Wild.ANY]:
                return self.dialect.contains(here, quoted(part))
            case _:
                return f"({here} LIKE {quoted(''.join(map(_like, expected)))} ESCAPE '\\')"

    def _compared(self, test: Compared, value: str) -> str:
        operator = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}[test.operator]
        number = f"TRY_CAST({value} AS DECIMAL(36,18))"
        return f"CASE WHEN {self.dialect.regex(value, quoted(NUMBER))} THEN {number} {operator} {test.number:f} END"

    def _same(self, test: Same, value: str, other: str) -> str:
        here, there = (value, other) if test.cased else (self.dialect.folded(each, None) for each in (value, other))
        match test.how:
            case "contains":
                return self.dialect.contains(here, there)
            case "startswith":
                return self.dialect.starts(here, there)
            case "endswith":
                return self.dialect.ends(here, there)
            case _:
                return f"({here} = {there})"


NUMBER = r"\A-?[0-9]{1,18}(?:\.[0-9]{1,18})?\z"


def where(node: Node, dialect: Dialect, names: Names | None = None) -> tuple[str, str]:
    """The condition on regular rows and the one on irregular rows."""
    return (
        Rendering(dialect, names or {}).node(node),
        Rendering(dialect, {}, irregular=True).node(node),
    )


def needed(node: Node, column: str, known: Collection[str]) -> frozenset[str] | None:
    """The values of a column that a match must have one of; None: any, or none at all."""
    match node:
        case AllOf():
            found = [one for item in node.items if (one := needed(item, column, known)) is not None]
            return reduce(frozenset[str].intersection, found) if found else None
        case AnyOf():
            every = [needed(item, column, known) for item in node.items]
            kept = [one for one in every if one is not None]
            return reduce(frozenset[str].union, kept) if len(kept) == len(every) else None
        case Leaf((name,), test) if name == column and not isinstance(test, Same):
            return frozenset(_passing(test, column, known))
        case _:
            return None


def _passing(test: Test, column: str, known: Collection[str]) -> list[str]:
    """The values of a column that pass a test."""
    if isinstance(test, Text):  # as nearly all are, and a large pack asks for thousands
        return [value for value in known if fits(test.pattern, value, test.cased)]
    return [value for value in known if holds(Leaf((column,), test), {column: value})]


def reads_json(node: Node) -> bool:
    """Whether a rule asks for more than the columns of single words."""
    match node:
        case AllOf() | AnyOf():
            return any(map(reads_json, node.items))
        case Not():
            return reads_json(node.item)
        case Leaf(path, test):
            return path not in _BY_PATH or (isinstance(test, Same) and test.path not in _BY_PATH)


def quoted(text: str) -> str:
    """A text as an SQL literal. NUL, which no engine takes, can stand in no column either: it becomes U+FFFD."""
    return "'" + text.replace("'", "''").replace("\0", "\ufffd") + "'"


def quoted_name(name: str) -> str:
    """A column's name, as DuckDB, Trino and Athena take it."""
    return '"' + name.replace('"', '""') + '"'


def folding(value: str) -> str:
    """A to Z as a to z on every engine: lower() folds more, and differently in each."""
    return f"translate({value}, '{UPPER}', '{LOWER}')"


def _like(part: str | Wild) -> str:
    if isinstance(part, Wild):
        return "%" if part is Wild.ANY else "_"
    return part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
