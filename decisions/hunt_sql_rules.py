"""A whole pack of rules as one query: one scan, in which each row is asked only what its eventName may answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from decisions.hunt_sql import SPOT, columns
from decisions.partition import DAY
from decisions.sigma import Rule
from decisions.sigma_sql import Dialect, Names, Rendering, needed, quoted, quoted_name, reads_json
from decisions.store_schema import IRREGULAR

NAME = "eventName"
FEW = (NAME, "eventSource")
"""Columns of so few values that a rule's test of them becomes a list of values, and rows are skipped by it."""
MAX_FEW = 50_000
SEPARATOR = ","


@dataclass(frozen=True)
class Bounds:
    """The period as eventTime is compared with it, to the second: `2026-03-02T10:00:00`; None is open."""

    since: str | None = None
    until: str | None = None

    def condition(self) -> str:
        """Rows without an eventTime are within."""
        time = quoted_name("eventTime")
        # What is as long as the bound, or longer, compares with it as its first 19 characters do.
        since = [f"{time} >= {quoted(self.since)}"] if self.since else []
        until = [f"substr({time}, 1, {len(self.until)}) <= {quoted(self.until)}"] if self.until else []
        return f"({time} IS NULL OR ({' AND '.join([*since, *until])}))" if since or until else "true"


def few(relation: str) -> str:
    """A query of the values that the columns of few values have, together."""
    return f"SELECT DISTINCT {columns(FEW)} FROM {relation} LIMIT {MAX_FEW + 1}"  # noqa: S608 - names of ours


def names_told(rows: Sequence[Sequence[str | None]]) -> Names:
    """What `few` told: the values by column; nothing when there are too many."""
    if len(rows) > MAX_FEW:
        return {}
    return {name: {value for row in rows if (value := row[n]) is not None} for n, name in enumerate(FEW)}


def matched(
    relation: str, dialect: Dialect, rules: Sequence[Rule], names: Names, bounds: Bounds, irregular: bool = False
) -> list[str]:
    """Queries that answer together which rules match which rows: `matched` (places of rules in the list, each with a comma
    behind), and the spot; a row may come from more than one.

    `names`: every value of FEW that the table has. `irregular`: whether there are irregular rows at all.
    """
    flag, known = quoted_name(IRREGULAR), names.get(NAME)
    by_name: dict[bool, dict[str, list[int]]] = {False: {}, True: {}}
    always: list[tuple[int, str]] = []
    for n, rule in enumerate(rules):
        wanted = None if known is None else needed(rule.detection, NAME, known)
        if wanted is None:
            always.append((n, Rendering(dialect, names).node(rule.detection)))
        for name in wanted or ():
            # JSON is most of a table: it is read only of rows whose rules ask for it.
            by_name[dialect.many_selects and reads_json(rule.detection)].setdefault(name, []).append(n)
    found = [(_cases(rules, some, dialect, names), _among(some, dialect)) for some in by_name.values() if some]
    found += [(_told([one]), one[1]) for one in always]
    if found and not dialect.many_selects:
        found = [(" || ".join(told for told, _ in found), f"({' OR '.join(test for _, test in found)})")]
    within = bounds.condition()
    # A condition makes its column be read of every row, also one that no row fails.
    regular = f"NOT {flag} AND {within}" if irregular else within
    queries = [_query(relation, told, f"{regular} AND {test}") for told, test in found]
    if irregular:
        tests = [(n, Rendering(dialect, {}, irregular=True).node(rule.detection)) for n, rule in enumerate(rules)]
        queries.append(_query(relation, _told(tests), f"{flag} AND {within}"))
    return queries


def capped(queries: Sequence[str], most: int) -> str:
    """The answers of `matched`, of each set of rules so many at most, with how many there are: matched, total, the spot."""
    every = "\nUNION ALL ".join(queries)
    counted = "count(*) OVER (PARTITION BY matched) AS total"
    placed = f'row_number() OVER (PARTITION BY matched ORDER BY {quoted_name(DAY)}, "eventID") AS place'
    numbered = f"SELECT *, {counted}, {placed} FROM (\n{every}\n) AS found"  # noqa: S608 - values are quoted literals
    return f"SELECT matched, total, {columns(SPOT)} FROM ({numbered}) AS numbered WHERE place <= {most}"  # noqa: S608 - likewise


def _query(relation: str, told: str, where: str) -> str:
    query = f"SELECT {told} AS matched, {columns(SPOT)} FROM {relation} WHERE {where}"  # noqa: S608 - values are quoted literals
    return f"SELECT * FROM ({query}) AS asked WHERE matched <> ''"  # noqa: S608 - likewise


def _cases(rules: Sequence[Rule], by_name: Mapping[str, Sequence[int]], dialect: Dialect, names: Names) -> str:
    """By eventName, what its rules say: names with the same rules are one case."""
    groups: dict[tuple[int, ...], list[str]] = {}
    for name, numbers in by_name.items():
        groups.setdefault(tuple(numbers), []).append(name)
    cases: list[str] = []
    for numbers, found in groups.items():
        rendering = Rendering(dialect, {**names, NAME: found})
        told = _told([(n, rendering.node(rules[n].detection)) for n in numbers])
        cases.append(f"WHEN {_in(found)} THEN {told}")
    return f"CASE {' '.join(cases)} ELSE '' END"


def _told(tests: Sequence[tuple[int, str]]) -> str:
    return " || ".join(f"CASE WHEN {test} THEN '{n}{SEPARATOR}' ELSE '' END" for n, test in tests)


def _among(names: Collection[str], dialect: Dialect) -> str:
    """As the condition of a scan."""
    return dialect.among(quoted_name(NAME), ", ".join(map(quoted, sorted(names))))


def _in(names: Collection[str]) -> str:
    return f"{quoted_name(NAME)} IN ({', '.join(map(quoted, sorted(names)))})"
