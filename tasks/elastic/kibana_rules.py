"""Our detection rule and its connector in Kibana: what differs from deployments/elastic, and making it the same.

Ours is what the files say and one action of the rule. Whether the rule is switched on, its exceptions, other actions and
whatever else people set in Kibana is theirs, and stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from decisions.drift import drift
from settings.elastic import OUR_RULE
from tasks.elastic import rule_files
from tasks.elastic.kibana_request import Kibana, KibanaRefused
from tasks.elastic.rule_files import Json, Route

RULES = "/api/detection_engine/rules"
CONNECTORS = "/api/actions/connectors"
CONNECTOR = "/api/actions/connector"
TYPES = "/api/actions/connector_types"

THEIRS = (
    "exceptions_list", "meta", "license", "timeline_id", "timeline_title", "response_actions", "namespace",
    "investigation_fields", "rule_name_override", "enabled",
)  # fmt: skip
"""What a person sets in Kibana and an update carries over as it stands."""
SUPPRESSION = "alert_suppression"
"""Ours to keep off: a suppressed alert is an export that nobody is told of."""


class NotInstallable(Exception):
    """It cannot be brought to agree; the text says why and what to do."""


@dataclass(frozen=True)
class Part:
    """The rule or the connector, compared."""

    name: str
    there: bool
    diff: str
    """Unified, from Kibana to the files; empty: they agree."""


@dataclass(frozen=True)
class Compared:
    """One space against the files."""

    space: str
    route: Route
    parts: tuple[Part, ...]
    """The connector, then the rule."""
    notes: tuple[str, ...]
    """Sentences about what is not ours or cannot be compared."""
    connectors: tuple[Json, ...]
    """Those of ours, of either route, that are there."""
    connector: Json | None
    rule: Json | None

    @property
    def same(self) -> bool:
        """Whether nothing of ours differs."""
        return not any(part.diff for part in self.parts)


BASIC = (
    "This Kibana's licence has no webhook connector (Gold or higher has): the rule writes its alerts into the index "
    "{index}, and the deployment poll-alerts reads them there."
)
NOT_COMPARED = (
    "The connector's secret header cannot be read back, so it was not compared; `vmexport elastic apply --renew-secret` "
    "sends it again."
)
SWITCHED_OFF = "The rule is switched off in Kibana and raises no alert. Only people switch it on or off: do it there."
EXCEPTIONS = "The rule has exceptions, which are left alone: what they match raises no alert."


def compare(kibana: Kibana, space: str) -> Compared:
    """What differs in a space; changes nothing. Raises KibanaRefused, rule_files.NotSet, NotInstallable."""
    route = _route(kibana, space)
    wanted = rule_files.connector(route, None) | {"is_missing_secrets": False}
    connectors = tuple(c for c in kibana.request("GET", CONNECTORS, space=space) if _is_ours(c))
    connector = _the_one(connectors, wanted)
    rule = _read_rule(kibana, space)
    connector_id = connector["id"] if connector else "(Kibana gives it)"
    want, have = _rules(rule, rule_files.action(route, connector_id), connectors)
    standing = None if connector is None else {"is_missing_secrets": False} | connector
    parts = (
        Part(f"connector {wanted['name']}", connector is not None, drift(wanted, standing, "connector")),
        Part(f"rule {want['rule_id']}", rule is not None, drift(want, have, "rule")),
    )
    return Compared(space, route, parts, tuple(_notes(route, wanted, connector, rule)), connectors, connector, rule)


def apply(kibana: Kibana, space: str, secret: Callable[[], str], *, renew_secret: bool = False) -> tuple[str, ...]:
    """Make the space agree with the files; a sentence for each change, none where it did already.

    `secret` is called only where the webhook connector has to be written. Raises what compare raises.
    """
    found = compare(kibana, space)
    changes: list[str] = []
    connector = found.connector
    if connector is None or found.parts[0].diff or (renew_secret and found.route == "webhook"):
        given = rule_files.connector(found.route, secret() if found.route == "webhook" else "")
        changes.append(f"{found.parts[0].name}: {'updated' if connector else 'created'}")
        connector = _write_connector(kibana, space, given, connector)
    want, have = _rules(found.rule, rule_files.action(found.route, connector["id"]), found.connectors)
    body = {name: value for name, value in want.items() if name != SUPPRESSION}
    if found.rule is None:
        kibana.request("POST", RULES, space=space, body=body | {"enabled": True})
        changes.append(f"{found.parts[1].name}: created and switched on")
    elif drift(want, have, "rule"):
        theirs = {name: found.rule[name] for name in THEIRS if found.rule.get(name) is not None}
        ids = {c["id"] for c in found.connectors}
        others = [action for action in found.rule.get("actions", []) if action["id"] not in ids]
        kibana.request("PUT", RULES, space=space, body=theirs | body | {"actions": [*others, *body["actions"]]})
        changes.append(f"{found.parts[1].name}: updated")
    return tuple(changes)


def _route(kibana: Kibana, space: str) -> Route:
    types = {t["id"]: t for t in kibana.request("GET", TYPES, space=space)}
    webhook = types.get(".webhook", {})
    if not webhook.get("enabled_in_license"):
        return "index"
    if not webhook.get("enabled_in_config", True):
        raise NotInstallable(
            "this Kibana has the webhook connector switched off (xpack.actions.enabledActionTypes): add .webhook to that "
            "setting, or rely on poll-alerts alone"
        )
    return "webhook"


def _is_ours(connector: Json) -> bool:
    return (connector["connector_type_id"], connector["name"]) in rule_files.connector_names()


def _the_one(connectors: tuple[Json, ...], wanted: Json) -> Json | None:
    same = [c for c in connectors if c["connector_type_id"] == wanted["connector_type_id"]]
    if len(same) > 1:
        raise NotInstallable(
            f"there are {len(same)} connectors called {wanted['name']!r} ({', '.join(c['id'] for c in same)}): delete "
            "those that no rule uses"
        )
    return same[0] if same else None


def _read_rule(kibana: Kibana, space: str) -> Json | None:
    try:
        return kibana.request("GET", RULES, space=space, query={"rule_id": OUR_RULE})
    except KibanaRefused as refused:
        if refused.status == 404:
            return None
        raise


def _rules(rule: Json | None, action: Json, connectors: tuple[Json, ...]) -> tuple[Json, Json | None]:
    """The rule as we want it and as it stands, both with only such actions as use a connector of ours."""
    want = rule_files.rule() | {SUPPRESSION: None, "actions": [action]}
    if rule is None:
        return want, None
    ids = {c["id"] for c in connectors}
    ours = [standing for standing in rule.get("actions", []) if standing["id"] in ids]
    return want, rule | {SUPPRESSION: rule.get(SUPPRESSION), "actions": ours}


def _notes(route: Route, wanted: Json, connector: Json | None, rule: Json | None) -> Iterator[str]:
    if route == "index":
        yield BASIC.format(index=wanted["config"]["index"])
    elif connector is not None:
        yield NOT_COMPARED
    if rule is not None and not rule.get("enabled"):
        yield SWITCHED_OFF
    if rule is not None and rule.get("exceptions_list"):
        yield EXCEPTIONS


def _write_connector(kibana: Kibana, space: str, wanted: Json, standing: Json | None) -> Json:
    if standing is None:
        made: Json = kibana.request("POST", CONNECTOR, space=space, body=wanted)
        return made
    body = {name: value for name, value in wanted.items() if name != "connector_type_id"}
    written: Json = kibana.request("PUT", f"{CONNECTOR}/{quote(standing['id'], safe='')}", space=space, body=body)
    return written
