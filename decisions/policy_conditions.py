"""Condition blocks of IAM policies: operators, set operators, policy variables, and what a missing key means."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from decisions.policy import AccessRequest

Compare = Callable[[str, str], bool]


def _glob(pattern: str, value: str, ignore_case: bool = False) -> bool:
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(parts), value, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


def _number(compare: Callable[[float, float], bool]) -> Compare:
    def holds(wanted: str, value: str) -> bool:
        try:
            return compare(float(value), float(wanted))
        except ValueError:
            return False

    return holds


def _moment(text: str) -> datetime | None:
    try:
        if re.fullmatch(r"-?\d+(\.\d+)?", text):
            return datetime.fromtimestamp(float(text), UTC)
        parsed = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _date(compare: Callable[[datetime, datetime], bool]) -> Compare:
    def holds(wanted: str, value: str) -> bool:
        right, left = _moment(wanted), _moment(value)
        return left is not None and right is not None and compare(left, right)

    return holds


def _address(wanted: str, value: str) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False


def _arn(wanted: str, value: str) -> bool:
    """Each of the six parts matches by itself: a `*` does not reach over a colon, but in the last part."""
    left, right = wanted.split(":", 5), value.split(":", 5)
    if len(left) != 6 or len(right) != 6:
        return _glob(wanted, value)
    return all(_glob(w, v) for w, v in zip(left, right, strict=True))


POSITIVE: dict[str, Compare] = {
    "stringequals": lambda w, v: w == v,
    "stringequalsignorecase": lambda w, v: w.lower() == v.lower(),
    "stringlike": _glob,
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
    "bool": lambda w, v: w.lower() == v.lower(),
    "binaryequals": lambda w, v: w == v,
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


def conditions_hold(
    request: AccessRequest, block: Mapping[str, Any], unknown: frozenset[str]
) -> tuple[bool | None, tuple[str, ...]]:
    """Whether every condition holds; None with the keys when only unknown keys stand in the way."""
    context = {k.lower(): v for k, v in request.context.items()}
    asked: list[str] = []
    for operator, tests in block.items():
        for key, wanted in cast("dict[str, Any]", tests).items():
            if key.lower() in unknown and key.lower() not in context:
                asked.append(key)
            elif not _holds(operator, context.get(key.lower()), _values(wanted), request):
                return False, ()
    return (None, tuple(asked)) if asked else (True, ())


def _values(wanted: Any) -> tuple[str, ...]:
    listed = cast("list[Any]", wanted if isinstance(wanted, list) else [wanted])
    return tuple(str(v).lower() if isinstance(v, bool) else str(v) for v in listed)


def _holds(operator: str, values: tuple[str, ...] | None, wanted: tuple[str, ...], request: AccessRequest) -> bool:
    qualifier, _, name = operator.lower().rpartition(":")
    if name == "null":
        return any((values is None) == (w == "true") for w in wanted)
    optional = name.endswith("ifexists")
    name = name.removesuffix("ifexists")
    negated = name in NEGATED
    compare = POSITIVE.get(NEGATED.get(name, name))
    if compare is None:
        return False
    if not values:
        return optional or negated or qualifier == "forallvalues"
    expanded = [e for e in (substitute(w, request) for w in wanted) if e is not None]

    def one(value: str) -> bool:
        hit = any(compare(w, value) for w in expanded)
        return not hit if negated else hit

    if qualifier == "forallvalues":
        return all(one(v) for v in values)
    if qualifier == "foranyvalue":
        return any(one(v) for v in values)
    return all(one(v) for v in values) if negated else any(one(v) for v in values)


def substitute(text: str, request: AccessRequest) -> str | None:
    """Policy variables filled in (`${aws:username}`, `${key, 'default'}`, `${*}`); None when a key is missing."""
    context = {k.lower(): v for k, v in request.context.items()}
    missing = False

    def fill(match: re.Match[str]) -> str:
        nonlocal missing
        if match[1] in {"*", "?", "$"}:
            return match[1]
        key, _, default = match[1].partition(",")
        values = context.get(key.strip().lower())
        if values:
            return values[0]
        if default:
            return default.strip().strip("'")
        missing = True
        return ""

    filled = re.sub(r"\$\{([^}]*)\}", fill, text)
    return None if missing else filled
