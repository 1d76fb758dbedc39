"""Correlation rules: several hits within a time span that mean more than each by itself.

As the Sigma correlation specification 2.1 says, evaluated over hits in the order of their times. What it leaves open is
decided here, once: a window is the span that ends with a hit, both ends included; a hit without a value in a `group-by`
field belongs to no group (two unknowns are not the same one); a correlation fires with the hit that makes it true, and again
only after it was not.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

from decisions.sigma_detection import Refused, path_of
from decisions.sigma_rule import Document, Head
from decisions.sigma_values import Path, values

TYPES = ("event_count", "value_count", "temporal", "temporal_ordered")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_OPERATORS = ("eq", "neq", "gt", "gte", "lt", "lte")


@dataclass(frozen=True)
class Correlation(Head):
    """One correlation rule."""

    type: str
    rules: tuple[str, ...]
    """Ids of the rules (or correlations) whose hits it is about; for `temporal_ordered` in their order."""
    group_by: tuple[str, ...]
    span: timedelta
    limits: tuple[tuple[str, int], ...] = ()
    """What the count is to be: ("gte", 5). All hold."""
    counted: Path | None = None
    """For `value_count`: the field whose different values are counted."""
    aliases: Mapping[str, Mapping[str, Path]] = field(default_factory=dict[str, Mapping[str, Path]])
    """For a name in `group_by`: the field that it stands for in the records of each rule."""
    generate: bool = False
    """Whether its rules are findings by themselves as well."""

    def naming(self, ids: Mapping[str, str]) -> Correlation:
        """The same, with every rule called by its id."""
        aliases = {
            alias: {ids.get(rule, rule): path for rule, path in fields.items()}
            for alias, fields in self.aliases.items()
        }
        return replace(self, rules=tuple(ids[rule] for rule in self.rules), aliases=aliases)


@dataclass(frozen=True)
class Hit:
    """A record that a rule matched."""

    rule_id: str
    time: datetime
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Correlated:
    """The hits of one window that a correlation is about, the one that made it true last."""

    correlation_id: str
    group: tuple[tuple[str, ...], ...]
    hits: tuple[Hit, ...]


def correlation(document: Document, about: Head) -> Correlation:
    """The correlation section of a rule. Raises Refused."""
    given = document["correlation"]
    section = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    kind = section.get("type")
    if kind not in TYPES:
        raise Refused(f"the correlation type {kind!r} is none of {', '.join(TYPES)}")
    rules = _texts(section.get("rules"))
    if not rules:
        raise Refused("the correlation names no rules")
    limits, counted = _condition(section.get("condition"), str(kind))
    return Correlation(
        **vars(about),
        type=str(kind),
        rules=rules,
        group_by=_texts(section.get("group-by")),
        span=_span(section.get("timespan")),
        limits=limits,
        counted=counted,
        aliases=_aliases(section.get("aliases")),
        generate=bool(section.get("generate", document.get("generate", False))),
    )


def correlate(correlations: Iterable[Correlation], hits: Iterable[Hit]) -> Iterator[Correlated]:
    """What the correlations say about hits in the order of their times; one may feed the next, in the order given."""
    running = [_Running(found) for found in correlations]
    for hit in hits:
        pending = [hit]
        for one in running:
            for arrived in tuple(pending):
                fired = one.take(arrived)
                if fired is not None:
                    yield fired
                    pending.append(Hit(fired.correlation_id, arrived.time, arrived.record))


class _Running:
    def __init__(self, about: Correlation) -> None:
        self.about = about
        self.windows: dict[tuple[tuple[str, ...], ...], deque[Hit]] = defaultdict(deque)
        self.held: dict[tuple[tuple[str, ...], ...], bool] = {}

    def take(self, hit: Hit) -> Correlated | None:
        group = self._group(hit) if hit.rule_id in self.about.rules else None
        if group is None:
            return None
        window = _since(self.windows[group], hit.time - self.about.span)
        # A steady stream goes off once: what counts is whether the last hit left it true, and is still in the window.
        before = bool(window) and self.held.get(group, False)
        window.append(hit)
        self.held[group] = self._holds(window)
        if self.held[group] and not before:
            return Correlated(self.about.id, group, tuple(window))
        return None

    def _group(self, hit: Hit) -> tuple[tuple[str, ...], ...] | None:
        group: list[tuple[str, ...]] = []
        for name in self.about.group_by:
            path = self.about.aliases.get(name, {}).get(hit.rule_id) or path_of(name)
            found = values(hit.record, path)
            if not found:
                return None
            group.append(tuple(sorted(found)))
        return tuple(group)

    def _holds(self, window: deque[Hit]) -> bool:
        match self.about.type:
            case "event_count":
                return self._within(len(window))
            case "value_count":
                counted = self.about.counted or ()
                return self._within(len({value for hit in window for value in values(hit.record, counted)}))
            case "temporal":
                return {hit.rule_id for hit in window} >= set(self.about.rules)
            case _:
                wanted = iter(self.about.rules)
                next_one = next(wanted, None)
                for hit in window:
                    if hit.rule_id == next_one:
                        next_one = next(wanted, None)
                return next_one is None

    def _within(self, count: int) -> bool:
        return all(_compare(operator, count, limit) for operator, limit in self.about.limits)


def _since(window: deque[Hit], start: datetime) -> deque[Hit]:
    while window and window[0].time < start:
        window.popleft()
    return window


def _compare(operator: str, count: int, limit: int) -> bool:
    held = {
        "eq": count == limit,
        "neq": count != limit,
        "gt": count > limit,
        "gte": count >= limit,
        "lt": count < limit,
        "lte": count <= limit,
    }
    return held[operator]


def _condition(given: Any, kind: str) -> tuple[tuple[tuple[str, int], ...], Path | None]:
    if kind.startswith("temporal"):
        if given is not None:
            raise Refused("a temporal correlation with a condition is not supported")
        return (), None
    section = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    limits = tuple((name, value) for name, value in section.items() if name in _OPERATORS)
    unknown = [name for name in section if name not in (*_OPERATORS, "field")]
    if not limits or unknown or not all(isinstance(value, int) and not isinstance(value, bool) for _, value in limits):
        raise Refused("the condition of the correlation is not understood")
    counted = section.get("field")
    if kind == "value_count" and not isinstance(counted, str):
        raise Refused("a value_count names the field that is counted")
    return limits, path_of(counted) if isinstance(counted, str) and kind == "value_count" else None


def _span(given: Any) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,6})([smhdw])", str(given))
    if not match:
        raise Refused(f"the timespan {given!r} is not understood: a number and s, m, h, d or w")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def _aliases(given: Any) -> dict[str, Mapping[str, Path]]:
    if given is None:
        return {}
    try:
        return {
            str(alias): {str(rule): path_of(str(name)) for rule, name in fields.items()}
            for alias, fields in given.items()
        }
    except AttributeError as error:
        raise Refused("the aliases of the correlation are no map of maps") from error


def _texts(given: Any) -> tuple[str, ...]:
    listed = cast("list[Any]", given) if isinstance(given, list) else [] if given is None else [given]
    return tuple(str(one) for one in listed)
