"""Which rules may run on a schedule, by how much each of them matches in the last days of the very logs that are hunted in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from decisions.sigma import Loaded
from decisions.sigma_backtest import Tally, refused_for_scheduling
from tasks.hunting.source import Source

LAST = {"files": timedelta(days=2)}
"""How far back is counted in sources that must be read whole; others: OTHERWISE."""
OTHERWISE = timedelta(days=30)
FEW = 20
"""So many matches in all that time are no noise, however few events there are."""


def schedulable(loaded: Loaded, recent: Source, rate_max: float) -> Loaded:
    """The rules less those that match more than a share of all recent events; these are named with the reason.

    `recent`: the source over its last days, which nobody asked yet. Rules that only feed a correlation are no finding by
    themselves, and stay. Raises what the source raises.
    """
    asked = [rule for rule in loaded.rules if rule.id not in loaded.hidden]
    if not asked:
        return loaded
    recent.first(asked)
    counts, events = recent.counts(), recent.coverage(()).events
    refused: dict[str, tuple[str, str]] = {}
    for rule in asked:
        hits = counts.get(rule.id, 0)
        why = refused_for_scheduling(Tally(rule, events, hits), rate_max) if hits > FEW else None
        if why is not None:
            refused[rule.id] = (rule.source, f"refused for a schedule: {why}")
    lame = [one for one in loaded.correlations if refused.keys() & set(one.rules)]
    without = [(one.source, "refused for a schedule: a rule that it is about is") for one in lame]
    return replace(
        loaded,
        rules=tuple(rule for rule in loaded.rules if rule.id not in refused),
        correlations=tuple(one for one in loaded.correlations if one not in lame),
        refused=(*loaded.refused, *refused.values(), *without),
    )
