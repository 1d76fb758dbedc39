"""Condition blocks of IAM policies: operators, set operators, and what a missing key means.

Every answer is True, False or Doubt: a key that nobody knows decides nothing, and neither does an operator that we do
not know.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, cast

from decisions.policy_pattern import Doubt, Facts, glob_matches, plain

Verdict = bool | Doubt
Compare = Callable[[str, str], bool]


def every(verdicts: Iterable[Verdict]) -> Verdict:
    """True when all are; False when one is, whatever the others' doubts."""
    listed = list(verdicts)
    if False in listed:
        return False
    doubts = [key for v in listed if isinstance(v, Doubt) for key in v.keys]
    return Doubt(tuple(dict.fromkeys(doubts))) if doubts else True


def some(verdicts: Iterable[Verdict]) -> Verdict:
    """True when one is; False when all are."""
    return opposite(every(opposite(v) for v in verdicts))


def opposite(verdict: Verdict) -> Verdict:
    """Not."""
    return verdict if isinstance(verdict, Doubt) else not verdict


def _number(compare: Callable[[float, float], bool]) -> Compare:
    def holds(wanted: str, value: str) -> bool:
        try:
            return compare(float(value), float(plain(wanted)))
        except ValueError:
            return False

    return holds


def _moment(text: str) -> datetime | None:
    try:
        if re.fullmatch(r"-?\d+(\.\d+)?", text):
            return datetime.fromtimestamp(float(text), UTC)
        parsed = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _date(compare: Callable[[datetime, datetime], bool]) -> Compare:
    def holds(wanted: str, value: str) -> bool:
        right, left = _moment(plain(wanted)), _moment(value)
        return left is not None and right is not None and compare(left, right)

    return holds


def _address(wanted: str, value: str) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(plain(wanted), strict=False)
    except ValueError:
        return False


def _arn(wanted: str, value: str) -> bool:
    """Each of the six parts matches by itself: a `*` does not reach over a colon, but in the last part."""
    left, right = wanted.split(":", 5), value.split(":", 5)
    if len(left) != 6 or len(right) != 6:
        return glob_matches(wanted, value)
    return all(glob_matches(w, v) for w, v in zip(left, right, strict=True))


POSITIVE: dict[str, Compare] = {
    "stringequals": lambda w, v: plain(w) == v,
    "stringequalsignorecase": lambda w, v: plain(w).lower() == v.lower(),
    "stringlike": glob_matches,
    "numericequals": _number(lambda v, w: v == w),
    "numericlessthan": _number(lambda v, w: v < w),
    "numericlessthanequals": _number(lambda v, w: v <= w),
    "numericgreaterthan": _number(lambda v, w: v > w),
    "numericgreaterthanequals": _number(lambda v, w: v >= w),
    "dateequals": _date(lambda v, w: v == w),
    "datelessthan": _date(lambda v, w: v < w),
    "datelessthanequals": _date(lambda v, w: v <= w),
    "dategreaterthan": _date(lambda v, w: v > w),
    "dategreaterthanequals": _date(lambda v, w: v >= w),
    "bool": lambda w, v: plain(w).lower() == v.lower(),
    "binaryequals": lambda w, v: plain(w) == v,
    "ipaddress": _address,
    "arnequals": _arn,
    "arnlike": _arn,
}
NEGATED: dict[str, str] = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
    "notipaddress": "ipaddress",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
}


def conditions_hold(block: Any, facts: Facts) -> Verdict:
    """Whether every condition of a block holds; a block that is no condition block decides nothing."""
    if not isinstance(block, dict):
        return True if block is None else Doubt(("a Condition that is no object",))
    verdicts: list[Verdict] = []
    for operator, tests in cast("dict[str, Any]", block).items():
        if not isinstance(tests, dict):
            verdicts.append(Doubt((f"{operator} without keys",)))
            continue
        for key, wanted in cast("dict[str, Any]", tests).items():
            verdicts.append(_holds(operator, key, wanted_values(wanted), facts))
    return every(verdicts)


def wanted_values(wanted: Any) -> tuple[str, ...]:
    """What a condition compares with, as texts; one value may stand without its list."""
    listed = cast("list[Any]", wanted if isinstance(wanted, list) else [wanted])
    return tuple(str(v).lower() if isinstance(v, bool) else str(v) for v in listed)


def _holds(operator: str, key: str, wanted: tuple[str, ...], facts: Facts) -> Verdict:
    qualifier, _, name = operator.lower().rpartition(":")
    values = facts.values(key)
    if isinstance(values, Doubt):
        return values
    if name == "null":
        return any((values is None) == (w.lower() == "true") for w in wanted)
    optional, name = name.endswith("ifexists"), name.removesuffix("ifexists")
    negated = name in NEGATED
    compare = POSITIVE.get(NEGATED.get(name, name))
    if compare is None or qualifier not in ("", "forallvalues", "foranyvalue"):
        return Doubt((f"operator {operator}",))
    if values is None:
        return optional or qualifier == "forallvalues" or (negated and qualifier == "")
    patterns = [p for p in (facts.fill(w) for w in wanted) if p is not None]

    def one(value: str) -> Verdict:
        hit = some(p if isinstance(p, Doubt) else compare(p, value) for p in patterns)
        return opposite(hit) if negated else hit

    all_of_them = qualifier == "forallvalues" or (qualifier == "" and negated)
    return every(map(one, values)) if all_of_them else some(map(one, values))
