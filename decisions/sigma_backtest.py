"""What a rule would bring and cost, counted over past events before it is enabled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from decisions.sigma import Rule
from decisions.sigma_values import Path, values

NOISY: tuple[Path, ...] = (("eventName",), ("userIdentity", "arn"), ("sourceIPAddress",), ("userAgent",))
"""The fields by whose values a noisy rule is narrowed."""
MAX_VALUES, SHOWN, LONGEST = 2_000, 3, 200


@dataclass
class Tally:
    """One rule: hits, how many records had to be parsed for it, and the time that its evaluation took."""

    rule: Rule
    events: int = 0
    """Records, or lines of access logs, of the kind that the rule is about."""
    hits: int = 0
    parsed: int = 0
    seconds: float = 0.0
    noisiest: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])

    def hit(self, record: Mapping[str, Any]) -> None:
        """Count a record that matches; of values that are all different not all are kept."""
        self.hits += 1
        for path in NOISY:
            kept = self.noisiest.setdefault(".".join(path), Counter())
            for value in values(record, path):
                if len(kept) < MAX_VALUES or value in kept:
                    kept[value[:LONGEST]] += 1

    @property
    def rate(self) -> float:
        """Hits per event; 0 of nothing is 0."""
        return self.hits / self.events if self.events else 0.0

    def top(self) -> list[tuple[str, str, int]]:
        """Field, value and hits of the values that bring most."""
        return [
            (name, value, count)
            for name, kept in self.noisiest.items()
            for value, count in kept.most_common(SHOWN)
            if count > 1
        ]


def refused_for_scheduling(tally: Tally, rate_max: float) -> str | None:
    """Why a rule must not run on a schedule, from its backtest; None: it may."""
    if not tally.events:
        return "its backtest saw no event, so its rate is unknown"
    if tally.rate > rate_max:
        return f"it matches {tally.rate:.2%} of all events, more than {rate_max:.2%}: narrow it, or raise VMEXPORT_HUNT_RULE_RATE_MAX"
    return None


def schedulable(tallies: Sequence[Tally], rate_max: float) -> tuple[list[Rule], dict[str, str]]:
    """The rules that may run on a schedule, and by id why the others must not."""
    why = {
        tally.rule.id: reason for tally in tallies if (reason := refused_for_scheduling(tally, rate_max)) is not None
    }
    return [tally.rule for tally in tallies if tally.rule.id not in why], why
