"""Records made from rules: each field as the rule wants it, and absent, null, in a list, in other case, nearly right.

On ordinary records nearly all rules match nothing, and engines that differ agree (notes/engines.md).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from decisions.sigma_detection import (
    AllOf,
    AnyOf,
    Compared,
    InNetwork,
    Leaf,
    Matching,
    Node,
    Not,
    Same,
    Text,
)
from decisions.sigma_pattern import Wild
from decisions.sigma_regex import Branch, Characters, Repeat, Sequence, Tree

STRANGE = (
    "",
    "'",
    '"',
    "%",
    "_",
    "\\",
    "ı",
    "İ",
    "\u212a",
    "\n",
    "é",
    "*",
    "a'b\"c\\d%e_f",
    '{"a":1}',
    "null",
    "0",
    "[]",
)
BASE = {
    "eventVersion": "1.09",
    "eventTime": "2026-03-02T09:15:00Z",
    "awsRegion": "eu-central-1",
    "sourceIPAddress": "203.0.113.7",
    "userAgent": "aws-cli/2.17.0",
    "recipientAccountId": "111122223333",
    "eventType": "AwsApiCall",
    "readOnly": False,
    "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/ops/alice"},
}


def leaves(node: Node, wanted: bool = True) -> Iterator[tuple[Leaf, bool]]:
    """Every test of a rule, and whether it is to hold."""
    match node:
        case Leaf():
            yield node, wanted
        case Not():
            yield from leaves(node.item, not wanted)
        case AllOf() | AnyOf():
            for item in node.items:
                yield from leaves(item, wanted)


def records(node: Node, count: int, seed: str) -> Iterator[dict[str, Any]]:
    """Records around a rule: by turns right, and wrong in one way that an engine may overlook."""
    chance = random.Random(seed)
    tests = list(leaves(node))
    for number in range(count):
        record = _copied(BASE) | {"eventID": f"{seed}-{number}"}
        careless = chance.choice((0.0, 0.1, 0.4))
        for leaf, wanted in chance.sample(tests, len(tests)):
            if wanted or chance.random() < careless:
                _put(record, leaf, chance, wrong=chance.random() < careless)
        yield record


def _put(record: dict[str, Any], leaf: Leaf, chance: random.Random, wrong: bool) -> None:
    path = leaf.path or (chance.choice(("userAgent", "errorMessage", "requestParameters", "additionalEventData")),)
    right = sample(leaf, record, chance)
    value = (
        chance.choice(_variants(right, chance))
        if wrong
        else chance.choice((right, right, right.swapcase(), [right, "x"]))
    )
    if value is ABSENT:
        return
    node = record
    for name in path[:-1]:
        below = node.get(name)
        if isinstance(below, list) and below and isinstance(below[0], dict):
            below = below[0]
        elif not isinstance(below, dict):
            below = {}
            node[name] = [below] if chance.random() < 0.1 else below
        node = below
    node[path[-1]] = value


ABSENT = object()


def _variants(right: str, chance: random.Random) -> list[Any]:
    number = int(right) if right.isdigit() and len(right) < 15 and str(int(right)) == right else 5236.5
    return [
        ABSENT, ABSENT, None, [None], [], {}, "", [""], [right], ["x", right.upper()], [[right]], right + "x", "x" + right,
        right[1:], right[:-1], {"inner": right}, [{"inner": right}], number, [number], True, False, right + "\n",
        right.replace("i", "ı"), right.replace("i", "İ"), right.replace("k", "\u212a"),
        right.replace("_", "x"), right.replace("%", "xx"), chance.choice(STRANGE),
        right + chance.choice(STRANGE), chance.choice(STRANGE) + right,
    ]  # fmt: skip


def sample(leaf: Leaf, record: dict[str, Any], chance: random.Random) -> str:
    """A text that passes the test."""
    match leaf.test:
        case Text(pattern):
            some = {Wild.ANY: ("", "abc", "\n", '"', "1"), Wild.ONE: ("x", "é", "\n")}
            return "".join(chance.choice(some[part]) if isinstance(part, Wild) else part for part in pattern.parts)
        case Matching(tree):
            return _sample(tree, chance)
        case InNetwork(network):
            parsed = ip_network(network)
            inside = str(parsed[chance.randrange(min(parsed.num_addresses, 2**16))])
            return chance.choice(
                (inside, inside, "198.51.100.9", "2001:db8::1", "2001:DB8:0:0:0:0:0:1", "::", "1.2.3.04")
            )
        case Compared(_, number):
            return chance.choice((str(number), str(number + 1), str(number - 1), "1e5", "٣"))
        case Same(path, _, _):
            other = f"same-{chance.randrange(3)}"
            node = record
            for name in path[:-1]:
                below = node.get(name)
                node[name] = below if isinstance(below, dict) else {}
                node = node[name]
            node[path[-1]] = chance.choice((other, [other, "y"], other.upper()))
            return other
        case _:
            return "something"


def _sample(tree: Tree, chance: random.Random) -> str:
    match tree:
        case Characters():
            low, high = chance.choice(tree.ranges)
            return chr(min(max(low, 32), high)) if low < 128 else "é"
        case Sequence():
            return "".join(_sample(item, chance) for item in tree.items)
        case Branch():
            return _sample(chance.choice(tree.items), chance)
        case Repeat():
            return "".join(_sample(tree.item, chance) for _ in range(max(tree.least, 1)))
        case _:
            return ""


def _copied(value: Any) -> Any:
    return {name: _copied(inner) for name, inner in value.items()} if isinstance(value, dict) else value
