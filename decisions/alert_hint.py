"""Where an alert can be read again, from the alert itself or from a message that only tells that a rule has fired."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, cast
from urllib.parse import unquote

from pydantic import AwareDatetime

from decisions.alert_events import behind, rule_of
from decisions.ecs import first
from decisions.evidence import Frozen
from decisions.reading import clean, moment

MOST_STRINGS, LONGEST_STRING = 200, 16_384
NO_ALERT = "It tells that a rule has fired, and holds no alert."
_ALERT = re.compile(r"[0-9a-f]{64}")
_ALERT_LINK = re.compile(r"/alerts/redirect/([0-9a-f]{64})")
_RULE_LINK = re.compile(r"/rules/id/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_SPACE_LINK = re.compile(r"/s/([a-z0-9_-]{1,64})/app/security/")
_TIME_LINK = re.compile(r"timerange:\(from:'?([0-9T:.Z+-]{10,35})'?,kind:absolute,to:'?([0-9T:.Z+-]{10,35})'?")
_NAMES = {
    "alert_id": ("alert_id", "alert_uuid", "alert.uuid", "alert.id", "kibana.alert.uuid"),
    "rule_id": ("rule_id", "context.rule.rule_id", "rule.rule_id", "event.rule.rule_id"),
    "rule_uuid": ("rule_uuid", "rule.id", "event.rule.id"),
    "space": ("space", "spaceId", "rule.spaceId", "event.spaceId"),
}


class Hint(Frozen):
    """Where an alert can be read again; it is the body's own word, so ask with it and believe only the answer."""

    alert_id: str | None = None
    index: str | None = None
    space: str | None = None
    rule_id: str | None = None
    """Stable id of the rule (`kibana.alert.rule.rule_id`)."""
    ask: str | None = None
    """Why this alert must be asked about again before all its exports are known; None: it told its export."""
    rule_uuid: str | None = None
    """The rule's saved object (`kibana.alert.rule.uuid`): of use where the stable id is not told."""
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    """When the alerts were made (their `@timestamp`), where a message tells it; None: look around the message's arrival."""


def hint_of(alert: Mapping[str, Any], hit: Mapping[str, Any], refused: str | None = None) -> Hint:
    """The hint of an alert; `hit` is what it came in, `refused` why it was not decoded."""
    found = behind(alert)
    rule_id, rule_uuid = rule_of(alert)

    def one(*told: Any) -> str | None:
        return next((clean(value) for value in told if isinstance(value, str) and value), None)

    return Hint(
        alert_id=one(*first(alert, ("kibana.alert.uuid",)), hit.get("_id")),
        index=one(hit.get("_index")),
        space=one(*first(alert, ("kibana.space_ids",))),
        rule_id=rule_id,
        rule_uuid=rule_uuid,
        ask=found.reason if found else refused,
    )


def message_hint(message: Any, ask: str = NO_ALERT) -> Hint | None:
    """The hint of a message (an object, or text) that names an alert or a rule; None when it names neither."""
    texts = [unquote(text) for text in _strings(message)]
    told: dict[str, Any] = {
        "alert_id": _linked(_ALERT_LINK, texts),
        "rule_uuid": _linked(_RULE_LINK, texts),
        "space": _linked(_SPACE_LINK, texts),
    }
    if isinstance(message, Mapping):
        tree = cast("Mapping[str, Any]", message)
        for name, paths in _NAMES.items():
            values = [value for value in first(tree, paths) if isinstance(value, str) and 0 < len(value) <= 256]
            if len(values) == 1 and (name != "alert_id" or _ALERT.fullmatch(values[0])):
                told[name] = clean(values[0])
    if not any(told[name] for name in ("alert_id", "rule_uuid")) and "rule_id" not in told:
        return None
    since, until = _times(texts)
    return Hint(ask=ask, since=since, until=until, **told)


def _linked(pattern: re.Pattern[str], texts: list[str]) -> str | None:
    return next((found[1] for text in texts if (found := pattern.search(text))), None)


def _times(texts: list[str]) -> tuple[datetime | None, datetime | None]:
    for text in texts:
        if found := _TIME_LINK.search(text):
            since, until = moment(found[1]), moment(found[2])
            if since and until and since <= until:
                return since, until
    return None, None


def _strings(value: Any) -> Iterator[str]:
    """Texts in a message, not without end."""
    level, count = [value], 0
    while level and count < MOST_STRINGS:
        inner: list[Any] = []
        for item in level[:MOST_STRINGS]:
            if isinstance(item, str):
                count += 1
                yield item[:LONGEST_STRING]
            elif isinstance(item, Mapping):
                inner += list(cast("Mapping[str, Any]", item).values())[:MOST_STRINGS]
            elif isinstance(item, list):
                inner += cast("list[Any]", item)[:MOST_STRINGS]
        level = inner
