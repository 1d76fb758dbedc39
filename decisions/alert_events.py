"""Which events an alert stands for, when it does not tell of its one event by itself.

A shell of a sequence, a threshold, an aggregate or a suppressed alert stands for events that it does not hold; the events
are asked for with this. Whoever wrote an event has a hand in what its alert says, so field names, index names and ids are
checked, and values are of use as values of `term` and `ids` alone, never in the text of a query (notes/elastic.md 1.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from pydantic import AwareDatetime

from decisions.ecs import first, has, objects, scalars
from decisions.evidence import Frozen
from decisions.reading import clean, moment

LONGEST = timedelta(days=7)
LATE = timedelta(hours=1)
"""Events reach an index late: so much further back than its rule looks."""
LOOK_BACK = timedelta(days=1)
"""For a rule that does not say how far back it looks."""
MOST_IDS, MOST_TERMS, LONGEST_VALUE = 1000, 32, 1024
_FIELD = re.compile(r"[A-Za-z0-9_.@-]{1,256}")
_INDEX = re.compile(r"(?:[A-Za-z0-9_-]{1,64}:)?(?:\.ds-|\.(?:internal\.)?alerts-security\.|[a-z0-9])[a-z0-9._-]{0,254}")
_FROM = re.compile(r"now-(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_MADE_BY = ("kibana.alert.rule.type", "kibana.alert.rule.parameters.type", "signal.rule.type")


Kind = Literal["building-block", "shell", "threshold", "suppressed", "aggregate", "anomaly", "sparse"]


class Behind(Frozen):
    """Which events an alert stands for: those with `ids`, those of the group, and those of the window that match all terms.

    Without ids, group and terms, every export within the window may be meant.
    """

    reason: str
    """A sentence for people."""
    kind: Kind
    """What the alert is; of these only a suppressed one also tells an event of its own."""
    ids: tuple[str, ...] = ()
    """`_id` of source events."""
    indices: tuple[str, ...] = ()
    """Where those lie; empty: not told."""
    group_id: str | None = None
    """`kibana.alert.group.id` of building blocks in the alerts index."""
    terms: tuple[tuple[str, str], ...] = ()
    """Field and value; all of them hold."""
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    """The window, both ends included, seven days at most; None: it has none, or none is told."""
    rule_id: str | None = None
    rule_uuid: str | None = None
    """The rule's saved object (`kibana.alert.rule.uuid`), where its stable id is not told."""


def behind(document: Mapping[str, Any]) -> Behind | None:
    """Which events the alert stands for; None when it tells its one event whole. Raises nothing.

    `document`: an alert's `_source`, its `fields`, or the search hit with one of them.
    """
    alert = _unwrapped(document)
    group = _one(alert, "group.id")
    if has(alert, "kibana.alert.building_block_type"):
        return _of_ancestors(alert, "building-block", "It is a building block: its group tells of the exports.", group)
    suppressed = _suppressed(alert)
    if group is not None and not _is_block(alert):
        found = _of_ancestors(alert, "shell", "It is the shell of an EQL sequence.", group)
        return found if suppressed is None else _both(found, suppressed)
    kind = first(alert, _MADE_BY)
    if "threshold" in kind or has(alert, "kibana.alert.threshold_result") or has(alert, "signal.threshold_result"):
        return _threshold(alert)
    if suppressed is not None:
        return suppressed
    told = _tells(alert)
    if "esql" in kind and not (told and _named(alert)):
        return _in_window(alert, "aggregate", "It holds the columns of an ES|QL rule and not its events.")
    if "machine_learning" in kind and not (told and _named(alert)):
        return _in_window(alert, "anomaly", "It tells of an anomaly that machine learning found, and not of events.")
    if told:
        return None
    found = _of_ancestors(alert, "sparse", "It does not tell of its event.", None)
    return found if found.ids else _in_window(alert, "sparse", found.reason)


def rule_of(alert: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The stable id of the rule that made an alert, and that of its saved object."""
    return _one(alert, "rule.rule_id"), _one(alert, "rule.uuid")


def window(since: datetime | None, until: datetime | None) -> tuple[datetime | None, datetime | None, str]:
    """The window in order and at most seven days long, and a sentence where it was cut."""
    if since is not None and until is not None:
        since, until = min(since, until), max(since, until)
        if until - since > LONGEST:
            cut = f" Of the {(until - since).days} days that it covers, only the last {LONGEST.days} are asked about."
            return until - LONGEST, until, cut
    return since, until, ""


def _unwrapped(document: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in ("_source", "fields"):
        if isinstance(inner := document.get(name), Mapping) and inner:
            return cast("Mapping[str, Any]", inner)
    return document


def _is_block(alert: Mapping[str, Any]) -> bool:
    """Whether it has a place within its group, so that it tells one event of it: the shell has none, and stands on alerts."""
    on_alerts = any(ancestor.get("type") == "signal" for ancestor in _rows(alert, "ancestors", ("id", "type", "index")))
    return has(alert, "kibana.alert.group.index") and not on_alerts


def _tells(alert: Mapping[str, Any]) -> bool:
    """Whether it names one call and when that was made."""
    actions = first(alert, ("event.action", "kibana.alert.original_event.action"))
    return len(actions) == 1 and _time(alert, "original_time") is not None


def _named(alert: Mapping[str, Any]) -> bool:
    return len(first(alert, ("event.id", "kibana.alert.original_event.id"))) == 1


def _of_ancestors(alert: Mapping[str, Any], kind: Kind, reason: str, group: str | None) -> Behind:
    ids: dict[str, None] = {}
    indices: dict[str, None] = {}
    for ancestor in _rows(alert, "ancestors", ("id", "type", "index")):
        name, made, index = (ancestor.get(key) for key in ("id", "type", "index"))
        if made != "event" or not isinstance(name, str) or not 0 < len(name.encode("utf-8", "replace")) <= 512:
            continue
        ids[clean(name)] = None
        if isinstance(index, str) and _INDEX.fullmatch(index):
            indices[index] = None
    cut = f" It has {len(ids)} events; only {MOST_IDS} are asked about." if len(ids) > MOST_IDS else ""
    kept = {"ids": tuple(ids)[:MOST_IDS], "indices": tuple(indices)[:MOST_IDS]}
    return _made(alert, kind, reason + cut, group_id=group, **kept)


def _threshold(alert: Mapping[str, Any]) -> Behind:
    terms, dropped = _terms(alert, "threshold_result.terms")
    since = _time(alert, "threshold_result.from")
    until = _time(alert, "original_time") or _time(alert, "@timestamp")
    if since is None and until is not None:
        since = until - _looks_back(alert) - LATE
    since, until, cut = window(since, until)
    reason = f"It only counts events that reached a threshold.{dropped}{cut}"
    return _made(alert, "threshold", reason, terms=terms, since=since, until=until)


def _suppressed(alert: Mapping[str, Any]) -> Behind | None:
    """None: nothing was suppressed behind it so far."""
    if not has(alert, "kibana.alert.suppression"):
        return None
    counted = scalars(alert, "kibana.alert.suppression.docs_count")
    if len(counted) == 1 and str(counted[0]) in {"0", "0.0"}:
        return None
    terms, dropped = _terms(alert, "suppression.terms")
    since, until, cut = window(_time(alert, "suppression.start"), _time(alert, "suppression.end"))
    number = clean(str(counted[0]))[:20] if len(counted) == 1 else "an unknown number of"
    reason = f"It stands for {number} more events that its rule suppressed.{dropped}{cut}"
    return _made(alert, "suppressed", reason, terms=terms, since=since, until=until)


def _both(shell: Behind, suppressed: Behind) -> Behind:
    told = {name: getattr(suppressed, name) for name in ("terms", "since", "until")}
    return shell.model_copy(update={"reason": f"{shell.reason} {suppressed.reason}"} | told)


def _in_window(alert: Mapping[str, Any], kind: Kind, reason: str) -> Behind:
    """By its rule and time alone."""
    made, original = _time(alert, "@timestamp"), _time(alert, "original_time")
    until = made or original
    if until is None:
        return _made(alert, kind, f"{reason} It does not tell when, either.")
    since = min(original or until, until - _looks_back(alert)) - LATE
    since, until, cut = window(since, until)
    return _made(alert, kind, reason + cut, since=since, until=until)


def _made(alert: Mapping[str, Any], kind: Kind, reason: str, **found: Any) -> Behind:
    rule_id, rule_uuid = rule_of(alert)
    return Behind(reason=reason, kind=kind, rule_id=rule_id, rule_uuid=rule_uuid, **found)


def _looks_back(alert: Mapping[str, Any]) -> timedelta:
    said = first(alert, ("kibana.alert.rule.parameters.from", "kibana.alert.rule.from", "signal.rule.from"))
    found = _FROM.fullmatch(said[0]) if len(said) == 1 and isinstance(said[0], str) else None
    return min(timedelta(**{_UNITS[found[2]]: int(found[1])}), LONGEST) if found else LOOK_BACK


def _terms(alert: Mapping[str, Any], name: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """Field and value of each, and a sentence where some cannot be asked with."""
    found: dict[tuple[str, str], None] = {}
    dropped = 0
    for row in _rows(alert, name, ("field", "value")):
        field, value = row.get("field"), row.get("value")
        values = cast("list[Any]", value) if isinstance(value, list) else [value]
        told = [text for item in values if (text := _value(item)) is not None]
        askable = isinstance(field, str) and _FIELD.fullmatch(field) and values and len(told) == len(values)
        if not askable or len(found) + len(told) > MOST_TERMS:
            dropped += 1
        else:
            found |= {(str(field), text): None for text in told}
    fewer = (
        f" {dropped} of its terms cannot be asked with, so that more than its own events are found." if dropped else ""
    )
    return tuple(found), fewer


def _value(value: Any) -> str | None:
    """A value that a keyword field can hold."""
    text = str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, str | int | float) else ""
    return text if 0 < len(text) <= LONGEST_VALUE and text == clean(text) else None


def _rows(alert: Mapping[str, Any], name: str, keys: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Objects of a list, also where the search API's `fields` tells them column by column."""
    columns: dict[str, Any] = {}
    for row in (*objects(alert, f"kibana.alert.{name}"), *objects(alert, f"signal.{name}")):
        if len(told := {key: row[key] for key in keys if key in row}) == 1:
            columns |= told  # one column of several, as "….terms.field": [...]
        elif any(isinstance(told.get(key), list) for key in keys if key != "value"):
            yield from _across(told)
        else:
            yield told
    yield from _across(columns)


def _across(columns: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    listed = {key: cast("list[Any]", value) if isinstance(value, list) else [value] for key, value in columns.items()}
    lengths = {len(values) for values in listed.values()}
    if len(lengths) == 1:
        yield from (dict(zip(listed, row, strict=True)) for row in zip(*listed.values(), strict=True))
    elif lengths:
        yield {}  # columns of different lengths do not say what belongs together


def _time(alert: Mapping[str, Any], name: str) -> datetime | None:
    paths = (name,) if name == "@timestamp" else (f"kibana.alert.{name}", f"signal.{name}")
    found = first(alert, paths)
    return moment(found[0]) if len(found) == 1 and isinstance(found[0], str) else None


def _one(alert: Mapping[str, Any], name: str) -> str | None:
    found = first(alert, (f"kibana.alert.{name}", f"signal.{name}"))
    return clean(found[0]) if len(found) == 1 and isinstance(found[0], str) and found[0] else None
