"""What we write into Kibana: status and tags of alerts, a case with them attached, its comments (notes/elastic.md §3.2).

Everything can be done again: whoever died between a write and its receipt finds what is there already. Kibana has no key
for that, so each write looks first. HTTP 200 is not success: what was updated is counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from decisions.ecs import first
from settings.elastic import KibanaSettings, elasticsearch, kibana
from tasks.elastic.kibana_request import Kibana as Connection
from tasks.elastic.kibana_request import KibanaRefused, connected

Json = dict[str, Any]
OWNER = "securitySolution"
NO_CONNECTOR = {"id": "none", "name": "none", "type": ".none", "fields": None}
MOST_ATTACHED = 1000
"""Alerts that one case may hold."""
BATCH = 500
"""Alerts asked for, or changed, in one request."""
MOST_FOUND = 10_000
PAGE = 100
"""Comments or cases of one page; Kibana's own limit."""
READ_AGAIN = 3
"""Times that a case is read again because somebody else changed it meanwhile."""
FOR_GOOD = frozenset({400, 404, 406, 413, 415, 422})
"""What Kibana answers to a request that it will not take later either."""


class KibanaFailed(Exception):
    """Something could not be written; the text is a sentence without secrets."""

    def __init__(self, sentence: str, *, again: bool = True, wait: timedelta | None = None) -> None:
        super().__init__(sentence)
        self.again = again
        """Whether the same may work later."""
        self.wait = wait
        """What Kibana asked to be left alone for."""


@dataclass(frozen=True)
class Alert:
    """An alert as Kibana has it now."""

    space: str
    index: str
    id: str
    status: str
    rule: str
    """Saved-object id of its rule."""
    rule_name: str


@dataclass(frozen=True)
class Place:
    """A case in Kibana."""

    space: str
    id: str


class Kibana:
    """The Kibana of the settings; `open_kibana` makes one."""

    def __init__(self, connection: Connection, spaces: Sequence[str], rule_ids: Sequence[str]) -> None:
        self._connection, self._spaces, self._rule_ids = connection, tuple(spaces), tuple(rule_ids)

    @property
    def spaces(self) -> tuple[str, ...]:
        """Our spaces, the first one for what belongs to none."""
        return self._spaces

    def alerts(self, alert_ids: Sequence[str], event_ids: Sequence[str]) -> tuple[Alert, ...]:
        """The alerts with these ids, and those of our rules about these events, in all our spaces, as they are now."""
        found: dict[tuple[str, str], Alert] = {}
        for space in self._spaces:
            asked = [{"ids": {"values": part}} for part in _parts(alert_ids)]
            rules = {"terms": {"kibana.alert.rule.rule_id": list(self._rule_ids)}}
            for part in _parts(event_ids):
                about = {"terms": {"kibana.alert.original_event.id": part}}
                asked.append({"bool": {"filter": [rules, about]}})
            for query in asked:
                for alert in self._search(space, query):
                    found[space, alert.id] = alert
        return tuple(found.values())

    def _search(self, space: str, query: Json) -> list[Alert]:
        no_parts = {"exists": {"field": "kibana.alert.building_block_type"}}
        body = {"query": {"bool": {"filter": [query], "must_not": [no_parts]}}, "size": MOST_FOUND}
        answer = self._ask("POST", "/api/detection_engine/signals/search", space, body=body)
        failed = _number(answer.get("_shards", {}), "failed")
        if answer.get("timed_out") or failed:
            raise KibanaFailed(f"The alerts of the space {space!r} could not all be searched ({failed} shards failed).")
        return [_alert(space, hit) for hit in answer["hits"]["hits"]]

    def change_status(self, alerts: Sequence[Alert], status: str, reason: str | None = None) -> None:
        """Give alerts a status; `reason` with `closed` only."""
        for space, ids in _by_space(alerts):
            body: Json = {"signal_ids": ids, "status": status}
            path = "/api/detection_engine/signals/status"
            try:
                answer = self._ask("POST", path, space, body=body | ({"reason": reason} if reason else {}))
            except KibanaFailed as refused:
                if refused.again or reason is None or "reason" not in str(refused):
                    raise
                answer = self._ask("POST", path, space, body=body)  # a Kibana of before there were reasons
            _all_updated(answer, space, ids, f"the status {status}")

    def add_tags(self, alerts: Sequence[Alert], tags: Sequence[str]) -> None:
        """Give alerts these tags beside those that they have."""
        for space, ids in _by_space(alerts):
            body = {"ids": ids, "tags": {"tags_to_add": list(tags), "tags_to_remove": []}}
            answer = self._ask("POST", "/api/detection_engine/signals/tags", space, body=body)
            _all_updated(answer, space, ids, "tags")

    def find_case(self, tag: str) -> Place | None:
        """The case that bears this tag, in any of our spaces."""
        for space in self._spaces:
            query = {"tags": tag, "owner": OWNER, "perPage": str(PAGE), "sortField": "createdAt", "sortOrder": "asc"}
            for case in self._ask("GET", "/api/cases/_find", space, query=query)["cases"]:
                if tag in case["tags"]:
                    return Place(space, case["id"])
        return None

    def open_case(self, space: str, title: str, description: str, tags: Sequence[str], severity: str) -> Place:
        """The case with the last of these tags, opened unless it is there."""
        if there := self.find_case(tags[-1]):
            return there
        body = {
            "title": title, "description": description, "tags": list(tags), "severity": severity, "owner": OWNER,
            "connector": NO_CONNECTOR, "settings": {"syncAlerts": False},
        }  # fmt: skip
        return Place(space, self._ask("POST", "/api/cases", space, body=body)["id"])

    def add_alerts(self, case: Place, alerts: Sequence[Alert]) -> tuple[Alert, ...]:
        """Attach those that are not attached yet; what the case has no room for is returned."""
        path = f"/api/cases/{quote(case.id, safe='')}"
        attached = {a["id"] for a in self._ask("GET", f"{path}/alerts", case.space)}
        new = [a for a in alerts if a.space == case.space and a.id not in attached]
        room = max(0, MOST_ATTACHED - len(attached))
        rules: defaultdict[tuple[str, str], list[Alert]] = defaultdict(list)
        for alert in new[:room]:
            rules[alert.rule, alert.rule_name].append(alert)
        for (rule, name), same in rules.items():
            body = {
                "type": "alert", "owner": OWNER, "rule": {"id": rule, "name": name},
                "alertId": [a.id for a in same], "index": [a.index for a in same],
            }  # fmt: skip
            self._ask("POST", f"{path}/comments", case.space, body=body)
        return tuple(new[room:])

    def comment(self, case: Place, marker: str, text: str) -> None:
        """Write a comment, unless one with this marker is there."""
        if marker not in text:
            raise ValueError(f"a comment without its marker {marker!r} would be written again and again")
        path = f"/api/cases/{quote(case.id, safe='')}/comments"
        if any(f"`{marker}`" in there for there in self._comments(case, path)):
            return
        self._ask("POST", path, case.space, body={"type": "user", "comment": text, "owner": OWNER})

    def _comments(self, case: Place, path: str) -> Iterator[str]:
        """Newest first where Kibana sorts: what was written last is most likely asked for."""
        page = 1
        while True:
            query = {"page": str(page), "perPage": str(PAGE), "sortOrder": "desc"}
            answer = self._ask("GET", f"{path}/_find", case.space, query=query)
            yield from (c.get("comment") or "" for c in answer["comments"] if c.get("type") == "user")
            if page * PAGE >= answer["total"]:
                return
            page += 1

    def change_case(self, case: Place, **fields: str) -> None:
        """Set `status` or `severity`. A case that somebody else changed meanwhile is read again first."""
        path, last = f"/api/cases/{quote(case.id, safe='')}", None
        for _ in range(READ_AGAIN):
            now = self._ask("GET", path, case.space)
            change = {name: value for name, value in fields.items() if now.get(name) != value}
            if not change:
                return
            try:
                body = {"cases": [{"id": case.id, "version": now["version"], **change}]}
                self._ask("PATCH", "/api/cases", case.space, body=body)
                return
            except _Conflict as conflict:
                last = conflict
        raise KibanaFailed(f"Others kept changing the case: {last}")

    def _ask(self, method: str, path: str, space: str, *, query: dict[str, str] | None = None, body: Any = None) -> Any:
        try:
            return self._connection.request(method, path, space=space, query=query, body=body)
        except KibanaRefused as refused:
            if refused.status == 409:
                raise _Conflict(str(refused), wait=refused.retry_after) from None
            gone = refused.status == 404 and "[space/" in str(refused)  # a setting that people can put right
            for_good = refused.by_kibana and refused.status in FOR_GOOD and not gone
            raise KibanaFailed(str(refused), again=not for_good, wait=refused.retry_after) from None


class _Conflict(KibanaFailed):
    """Somebody else was faster."""


@contextmanager
def open_kibana(settings: KibanaSettings | None = None, patience: timedelta | None = None) -> Iterator[Kibana]:
    """The configured Kibana, waited for no longer than `patience` per request. Raises KibanaFailed."""
    own = settings or kibana()
    if patience is not None and patience < own.request_timeout:
        own = own.model_copy(update={"request_timeout": patience})
    try:
        connection = connected(own)
        with connection as opened:
            yield Kibana(opened, elasticsearch().spaces, elasticsearch().rule_ids)
    except KibanaRefused as refused:
        raise KibanaFailed(str(refused)) from None


def _alert(space: str, hit: Json) -> Alert:
    source = hit["_source"]

    def one(*paths: str) -> str:
        return next((v for v in first(source, paths) if isinstance(v, str)), "")

    return Alert(
        space=space,
        index=hit["_index"],
        id=hit["_id"],
        status=one("kibana.alert.workflow_status"),
        rule=one("kibana.alert.rule.uuid"),
        rule_name=one("kibana.alert.rule.name"),
    )


def _by_space(alerts: Sequence[Alert]) -> Iterator[tuple[str, list[str]]]:
    spaces: defaultdict[str, list[str]] = defaultdict(list)
    for alert in alerts:
        spaces[alert.space].append(alert.id)
    for space, ids in spaces.items():
        yield from ((space, part) for part in _parts(ids))


def _parts(ids: Sequence[str]) -> Iterator[list[str]]:
    return (list(ids[n : n + BATCH]) for n in range(0, len(ids), BATCH))


def _all_updated(answer: Any, space: str, ids: Sequence[str], what: str) -> None:
    updated, failures = _number(answer, "updated"), answer.get("failures") or []
    conflicts = _number(answer, "version_conflicts")
    if failures or conflicts or updated < len(ids):
        told = f"{updated} of {len(ids)} alerts, {conflicts} conflicts, {len(failures)} failures"
        raise KibanaFailed(f"Kibana did not give {what} to every alert of the space {space!r} ({told}).")


def _number(answer: Any, name: str) -> int:
    value = answer.get(name) if isinstance(answer, dict) else None
    return value if isinstance(value, int) else 0
