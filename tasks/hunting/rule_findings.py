"""What Sigma rules and the correlations over them say about what was found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from decisions.activity import LogRecord
from decisions.hunt import HuntFinding, finding_id, finding_of
from decisions.sigma import Loaded
from decisions.sigma_correlation import Hit as RuleHit
from decisions.sigma_correlation import correlate
from tasks.hunting.source import Found


def rule_findings(loaded: Loaded, first: Iterable[Found]) -> list[HuntFinding]:
    """A finding for each record that a rule matches, each event once, and one for each time that a correlation goes off."""
    rules = {rule.id: rule for rule in loaded.rules}
    found: dict[str, HuntFinding] = {}
    hits: dict[tuple[str, str], RuleHit] = {}
    records: dict[int, LogRecord] = {}
    for one in first:
        for name in (name for name in one.searches if name in rules):
            if (key := (name, one.record.event_id)) not in hits:
                hits[key] = RuleHit(name, one.record.time, _asked(one))
                records[id(hits[key].record)] = one.record
            if name in loaded.hidden:
                continue
            finding = finding_of(name, "rule", rules[name].title, rules[name].level, one.record)
            found.setdefault(finding.id, finding)
    return [*found.values(), *_correlated(loaded, list(hits.values()), records)]


def _asked(one: Found) -> Mapping[str, Any]:
    """What the rule was asked of: the record, or the fields of the line."""
    return one.record.additional if one.raw is None else one.raw


def _correlated(loaded: Loaded, hits: list[RuleHit], records: Mapping[int, LogRecord]) -> Iterable[HuntFinding]:
    """`records` by the identity of what a hit holds, which a correlation hands on as it is."""
    titles = {one.id: one for one in loaded.correlations}
    # Of the same second: in the same order whatever source they come from, as the last one names the finding.
    hits.sort(key=lambda hit: (hit.time, records[id(hit.record)].event_id, hit.rule_id))
    for fired in correlate(loaded.correlations, hits):
        about = tuple(finding_id(hit.rule_id, records[id(hit.record)].event_id) for hit in fired.hits)
        one = titles[fired.correlation_id]
        told = finding_of(one.id, "correlation", one.title, one.level, records[id(fired.hits[-1].record)])
        yield told.model_copy(update={"about": about, "origin": f"{len(fired.hits)} events"})
