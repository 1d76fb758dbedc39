"""What SQL of rules looks like in Trino, and in Athena (engine 3), which is one.

`json_extract_scalar` does not look into lists and `json_format` makes a JSON null the word null; `json_query` in lax mode
does and does not (notes/engines.md: what a real Trino taught).
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network, ip_network
from itertools import count

from decisions.sigma_network import ipv4_expression
from decisions.sigma_sql import folding, quoted
from decisions.sigma_values import Path

_IPV6 = r"\A[0-9A-Fa-f:]{2,39}\z"


class Trino:
    """The templates; variables of lambdas are numbered, so that none hides another."""

    many_selects = False
    """A query of more than 150 stages is refused, and Athena takes money for each byte of each scan."""

    def __init__(self) -> None:
        self._numbers = count()

    def values(self, column: str, path: Path, members: bool = False) -> str:
        """Texts, by an SQL/JSON path in lax mode, which looks through a list at each step."""
        steps = "".join(f'."{name}"' for name in path)
        found = quoted(f"lax ${'.*' if members else ''}{steps}[*]")
        queried = f"json_query(CAST({column} AS varchar), {found} WITH UNCONDITIONAL ARRAY WRAPPER NULL ON EMPTY NULL ON ERROR)"
        n, written = self._variable(), self._variable()
        texts = f"transform(CAST(json_parse({queried}) AS array(json)), {n} -> json_format({n}))"
        return f"transform({texts}, {written} -> {_text(written)})"

    def at(self, column: str, path: Path, test: Callable[[str], str]) -> str:
        """Any of the values."""
        return self.any(self.values(column, path), test)

    def one(self, value: str) -> str:
        """A list of one."""
        return f"ARRAY[{value}]"

    def any(self, values: str, test: Callable[[str], str]) -> str:
        """any_match(): NULL when none passes and one is NULL."""
        v = self._variable()
        return f"any_match({values}, {v} -> {test(v)})"

    def among(self, column: str, listed: str) -> str:
        """IN, which it reads that column by first."""
        return f"{column} IN ({listed})"

    def folded(self, value: str, sought: str | None) -> str:
        """translate()."""
        return folding(value)

    def contains(self, value: str, part: str) -> str:
        """strpos(): contains() is about lists."""
        return f"(strpos({value}, {part}) > 0)"

    def starts(self, value: str, part: str) -> str:
        """starts_with()."""
        return f"starts_with({value}, {part})"

    def ends(self, value: str, part: str) -> str:
        """The end of the text, for there is no ends_with()."""
        return f"(length({value}) >= length({part}) AND substr({value}, length({value}) - length({part}) + 1) = {part})"

    def regex(self, value: str, expression: str) -> str:
        """Joni."""
        return f"regexp_like({value}, {expression})"

    def within(self, value: str, network: str) -> str:
        """IPv4 by the text of the address (a cast takes shapes that others refuse), IPv6 by Trino's own type."""
        parsed = ip_network(network)
        if isinstance(parsed, IPv4Network):
            return self.regex(value, quoted(ipv4_expression(parsed)))
        shaped = self.regex(value, quoted(_IPV6))
        return f"CASE WHEN {shaped} THEN contains({quoted(network)}, TRY_CAST({value} AS ipaddress)) END"

    def _variable(self) -> str:
        return f"v{next(self._numbers)}"


def _text(written: str) -> str:
    nested = f"""replace({written}, '\\"', '"')"""
    return (
        f"CASE WHEN {written} IN ('null', '{{}}') THEN NULL WHEN starts_with({written}, '\"') "
        f"THEN json_extract_scalar({written}, '$') WHEN starts_with({written}, '{{') OR starts_with({written}, '[') "
        f"THEN {nested} ELSE {written} END"
    )
