"""Sigma rules for CloudTrail: what they ask, what must stand in a record's bytes, and whether a record matches.

One rule, one meaning, on every engine: `matches` is the reference (slow, obvious), `sigma_sql`, `sigma_elasticsearch` and the
literals are made from the same tree and are held to it by tests. The meaning of a value: decisions/sigma_values.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from decisions.sigma_correlation import Correlation, correlation
from decisions.sigma_detection import Node, Refused
from decisions.sigma_evaluate import holds
from decisions.sigma_literals import ESCAPED, Literal, literals
from decisions.sigma_rule import Document, Head, detection, documents, head

__all__ = ["ESCAPED", "Correlation", "Literal", "Loaded", "Rule", "load_rules", "matches"]


@dataclass(frozen=True)
class Rule(Head):
    """One detection rule."""

    detection: Node
    literals: tuple[tuple[Literal, ...], ...] | None
    """Of each group one alternative stands in a matching record's raw bytes, the most telling group first; None: costly."""

    @property
    def costly(self) -> bool:
        """Whether every record must be parsed for it."""
        return self.literals is None


@dataclass(frozen=True)
class Loaded:
    """A pack of rules; what could not be used is named with the reason."""

    rules: tuple[Rule, ...]
    correlations: tuple[Correlation, ...]
    refused: tuple[tuple[str, str], ...]
    hidden: frozenset[str] = frozenset()
    """Ids of rules that only feed a correlation: by themselves they are no finding."""


def load_rules(texts: Mapping[str, str]) -> Loaded:
    """The rules of YAML texts (name to content), in the order of the names; nothing raises, everything refused is named."""
    rules: dict[str, Rule] = {}
    correlations: dict[str, Correlation] = {}
    refused: list[tuple[str, str]] = []
    for name in sorted(texts):
        try:
            found = documents(texts[name])
        except Refused as error:
            refused.append((name, str(error)))
            continue
        for document in found:
            try:
                about = head(document, name)
                if about.id in rules or about.id in correlations:
                    raise Refused(f"the id {about.id} is in use by another rule")
                if "correlation" in document:
                    correlations[about.id] = correlation(document, about)
                else:
                    rules[about.id] = _rule(document, about)
            except Refused as error:
                refused.append((name, str(error)))
    kept, without = _resolved(correlations, rules)
    hidden = {rule for found in kept for rule in found.rules if not found.generate} - {c.id for c in kept}
    return Loaded(tuple(rules.values()), kept, (*refused, *without), frozenset(hidden))


def matches(rule: Rule, record: Mapping[str, Any]) -> bool:
    """Whether a record is as the rule says: the reference evaluator, slow and obvious."""
    return holds(rule.detection, record)


def _rule(document: Document, about: Head) -> Rule:
    node = detection(document)
    return Rule(**vars(about), detection=node, literals=literals(node, about.service == "s3access"))


def _resolved(
    correlations: Mapping[str, Correlation], rules: Mapping[str, Rule]
) -> tuple[tuple[Correlation, ...], tuple[tuple[str, str], ...]]:
    """Correlations whose rules are all there, named by id; a chain of them in the order of what feeds what."""
    ids = {rule.name: rule.id for rule in rules.values() if rule.name} | {known: known for known in rules}
    waiting = dict(correlations)
    kept: list[Correlation] = []
    while True:
        ready = [found for found in waiting.values() if all(name in ids for name in found.rules)]
        if not ready:
            break
        for found in ready:
            del waiting[found.id]
            kept.append(found.naming(ids))
            ids[found.id] = found.id
            if found.name:
                ids[found.name] = found.id
    lost = tuple(
        (found.source, f"it is about {name!r}, which is not among the rules")
        for found in waiting.values()
        for name in found.rules
        if name not in ids
    )
    return tuple(kept), lost
