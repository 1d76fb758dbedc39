"""Java's `Map.toString()` of a JSON object, in the order in which a HashMap lists it: how Elastic's pipeline keeps parameters.

Buckets are taken in turn, each in order of insertion; the index of a key's bucket is `(h ^ h >>> 16) & (n - 1)` with
String.hashCode (notes/elastic.md 7.3). Buckets with more than eight keys of the same index in a table of 64 become trees
and may list another first; no API names its parameters like that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

Order = Callable[[Mapping[str, Any]], Iterable[str]]

TREEIFY, SMALLEST_TREE_TABLE = 8, 64


def hash_order(names: Iterable[str]) -> list[str]:
    """Names in the order of a java.util.HashMap into which they were put in this order."""
    put = list(names)
    hashes = {name: _spread(hash_code(name)) for name in put}
    size = _table(list(hashes.values()))
    return sorted(hashes, key=lambda name: hashes[name] & (size - 1))  # sorting keeps the order within a bucket


def hash_code(text: str) -> int:
    """String.hashCode as an unsigned number of 32 bits, over UTF-16 code units."""
    units = text.encode("utf-16-be", "surrogatepass")
    code = 0
    for at in range(0, len(units), 2):
        code = (31 * code + int.from_bytes(units[at : at + 2], "big")) & 0xFFFFFFFF
    return code


def java_text(value: Any, names: Order = hash_order) -> str:
    """A JSON value as Java prints it: nothing quoted, `{k=v, k2=[a, b]}`. `names` tells another order of a map's names."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}={java_text(value[name], names)}" for name in names(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(java_text(item, names) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _double(value)
    return "null" if value is None else str(value)


def _spread(code: int) -> int:
    return code ^ (code >> 16)


def _table(hashes: list[int]) -> int:
    """How many buckets a map has after these were put: it doubles when it is three quarters full, or a bucket too long."""
    size = 16
    for n, code in enumerate(hashes, 1):
        if size < SMALLEST_TREE_TABLE:
            before = sum(1 for other in hashes[: n - 1] if (other ^ code) & (size - 1) == 0)
            size *= 2 if before >= TREEIFY else 1
        size *= 2 if n > size * 0.75 else 1
    return size


def _double(value: float) -> str:
    """Double.toString: plain from 0.001 to ten million, else one digit before the point and an exponent."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return format(Decimal(repr(value)), "f")
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    mantissa = "".join(map(str, digits))
    power = len(mantissa) - 1 + int(exponent)
    return f"{'-' if sign else ''}{mantissa[0]}.{mantissa[1:] or '0'}E{power}"
