"""What SQL of rules looks like in DuckDB (1.5 and 2.0; `lambda x:` is the one spelling that both take)."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network, ip_network
from itertools import count

from decisions.sigma_network import hex_prefix, ipv4_expression
from decisions.sigma_sql import folding, quoted
from decisions.sigma_values import Path

_IPV6 = r"\A(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,7})?(?:::(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6})?)?\z"


class DuckDb:
    """The templates; variables of lambdas are numbered, so that none hides another."""

    many_selects = True
    """OR is looked at, and IN is a join, after all columns of all rows were read."""

    def __init__(self) -> None:
        self._numbers = count()

    def values(self, column: str, path: Path, members: bool = False) -> str:
        """A list of texts; a list is looked through at each step, as `lax` does in Trino."""
        nodes = f"[CAST({column} AS JSON)]"
        if members:
            nodes = f"json_extract(CAST({column} AS JSON), '$.*')"
        for name in path:
            below, listed = quoted(f'$."{name}"'), quoted(f'$[*]."{name}"')
            nodes = self._each(nodes, lambda n, below=below: f"[json_extract({n}, {below})]", listed)
        nodes = self._each(nodes, lambda n: f"[{n}]", "'$[*]'")
        n = self._variable()
        return f"list_transform({nodes}, lambda {n}: {_text(n)})"

    def at(self, column: str, path: Path, test: Callable[[str], str]) -> str:
        """Whether a text at a path passes. The slow lambdas are asked where there is a list, or an object at its end.

        Most columns are NULL or one flat object: of these nothing is looked up but the text itself.
        """
        below = quoted("$" + "".join(f'."{name}"' for name in path))
        found = f"json_extract_string({column}, {below})"
        within = f"substr({column}, 2)" if path else column
        nested = f"contains({column}, '[') OR (contains({within}, '{{') AND starts_with({found}, '{{'))"
        return f"CASE WHEN {nested} THEN {self.any(self.values(column, path), test)} ELSE {test(found)} END"

    def one(self, value: str) -> str:
        """A list of one."""
        return f"[{value}]"

    def any(self, values: str, test: Callable[[str], str]) -> str:
        """A list filter; a test that is NULL is no pass."""
        v = self._variable()
        return f"(len(list_filter({values}, lambda {v}: {test(v)})) > 0)"

    def among(self, column: str, listed: str) -> str:
        """IN alone makes it skip row groups; within them, it asks only an expression before it reads the other columns."""
        return f"({column} IN ({listed}) AND coalesce({column} IN ({listed}), false))"

    def folded(self, value: str, sought: str | None) -> str:
        """lower() where it comes to the same, for translate() takes a hundred times longer.

        Only İ and the Kelvin sign have a lower case with an ASCII letter in it (tests go through all characters).
        """
        if sought is None or not sought.isascii():
            return folding(value)
        if not any(letter in "iIkK" for letter in sought):
            return f"lower({value})"
        return f"lower(replace(replace({value}, '\u0130', '\ufffd'), '\u212a', '\ufffd'))"

    def contains(self, value: str, part: str) -> str:
        """contains()."""
        return f"contains({value}, {part})"

    def starts(self, value: str, part: str) -> str:
        """starts_with()."""
        return f"starts_with({value}, {part})"

    def ends(self, value: str, part: str) -> str:
        """ends_with()."""
        return f"ends_with({value}, {part})"

    def regex(self, value: str, expression: str) -> str:
        """RE2."""
        return f"regexp_matches({value}, {expression})"

    def within(self, value: str, network: str) -> str:
        """By the text of the address: the `inet` extension is not in the wheel, and there may be no internet to get it."""
        parsed = ip_network(network)
        if isinstance(parsed, IPv4Network):
            return self.regex(value, quoted(ipv4_expression(parsed)))
        left, right = self._groups(value, 1), self._groups(value, 2)
        g, z = self._variable(), self._variable()
        zeros = f"list_transform(range(8 - len({left}) - len({right})), lambda {z}: '0')"
        full = f"list_concat(list_concat({left}, {zeros}), {right})"
        digits = f"array_to_string(list_transform({full}, lambda {g}: lpad(lower({g}), 4, '0')), '')"
        whole = f"(contains({value}, '::') AND len({left}) + len({right}) < 8) OR len({left}) = 8"
        shaped = f"{self.regex(value, quoted(_IPV6))} AND ({whole})"
        return f"CASE WHEN {shaped} THEN {self.regex(digits, quoted(hex_prefix(parsed)))} END"

    def _groups(self, value: str, half: int) -> str:
        g = self._variable()
        part = f"coalesce(split_part({value}, '::', {half}), '')"
        return f"list_filter(string_split({part}, ':'), lambda {g}: {g} <> '')"

    def _each(self, nodes: str, single: Callable[[str], str], listed: str) -> str:
        n = self._variable()
        step = f"CASE WHEN json_type({n}) = 'ARRAY' THEN json_extract({n}, {listed}) ELSE {single(n)} END"
        return f"flatten(list_transform({nodes}, lambda {n}: {step}))"

    def _variable(self) -> str:
        return f"v{next(self._numbers)}"


def _text(node: str) -> str:
    nested = f"""replace(nullif(CAST({node} AS VARCHAR), '{{}}'), '\\"', '"')"""
    return f"CASE WHEN json_type({node}) IN ('OBJECT', 'ARRAY') THEN {nested} ELSE json_extract_string({node}, '$') END"
