"""The reference: what a rule means, slow and obvious. Every other engine is tested against it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from functools import lru_cache
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
    Present,
    Same,
    Text,
    number_of,
)
from decisions.sigma_pattern import fits, fold
from decisions.sigma_regex import PYTHON, Tree, render
from decisions.sigma_values import everything, values


def holds(node: Node, record: Mapping[str, Any]) -> bool:
    """Whether a record is as the tree says."""
    match node:
        case Leaf():
            found = everything(record) if node.path is None else values(record, node.path)
            return any(_passes(node, value, record) for value in found)
        case AllOf():
            return all(holds(item, record) for item in node.items)
        case AnyOf():
            return any(holds(item, record) for item in node.items)
        case Not():
            return not holds(node.item, record)


def _passes(leaf: Leaf, value: str, record: Mapping[str, Any]) -> bool:
    match leaf.test:
        case Present():
            return True
        case Text(pattern, cased):
            return fits(pattern, value, cased)
        case Matching(tree):
            return _compiled(tree).search(value) is not None
        case InNetwork(network):
            return _within(value, network)
        case Compared():
            return _compares(leaf.test, value)
        case Same():
            return any(_alike(leaf.test, value, other) for other in values(record, leaf.test.path))


@lru_cache(maxsize=1024)
def _compiled(tree: Tree) -> re.Pattern[str]:
    return re.compile(render(tree, PYTHON))


def _within(value: str, network: str) -> bool:
    if "%" in value or (":" in value and "." in value):  # an interface of some machine; two spellings in one
        return False
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(network)
    except ValueError:
        return False


def _compares(test: Compared, value: str) -> bool:
    number = number_of(value)
    if number is None:
        return False
    match test.operator:
        case "lt":
            return number < test.number
        case "lte":
            return number <= test.number
        case "gt":
            return number > test.number
        case _:
            return number >= test.number


def _alike(test: Same, value: str, other: str) -> bool:
    here, there = (value, other) if test.cased else (fold(value), fold(other))
    match test.how:
        case "contains":
            return there in here
        case "startswith":
            return here.startswith(there)
        case "endswith":
            return here.endswith(there)
        case _:
            return here == there
