"""What Sigma rules and the correlations over them say about what was found."""

from __future__ import annotations

from collections.abc import Iterable

from decisions.activity import LogRecord
from decisions.cloudtrail import parse_record
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
    for one in first:
        for name in (name for name in one.searches if name in rules):
            hits.setdefault((name, one.record.event_id), RuleHit(name, one.record.time, one.raw or {}))
            if name in loaded.hidden:
                continue
            finding = finding_of(name, "rule", rules[name].title, rules[name].level, one.record)
            found.setdefault(finding.id, finding)
    return [*found.values(), *_correlated(loaded, list(hits.values()))]


def _correlated(loaded: Loaded, hits: list[RuleHit]) -> Iterable[HuntFinding]:
    titles = {one.id: one for one in loaded.correlations}
    hits.sort(key=lambda hit: hit.time)
    for fired in correlate(loaded.correlations, hits):
        last = fired.hits[-1]
        about = tuple(finding_id(hit.rule_id, event_of(hit).event_id) for hit in fired.hits)
        one = titles[fired.correlation_id]
        told = finding_of(one.id, "correlation", one.title, one.level, event_of(last))
        yield told.model_copy(update={"about": about, "origin": f"{len(fired.hits)} events"})


def event_of(hit: RuleHit) -> LogRecord:
    """The record that a hit is about."""
    return parse_record(hit.record, "correlation")
