"""The rule, the connectors and the actions of deployments/elastic, filled with this installation's settings."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Literal, get_args

from decisions.drift import filled
from settings.elastic import OUR_RULE, elasticsearch
from settings.home import ROOT
from settings.receiver import ReceiverAddress

Json = dict[str, Any]
Route = Literal["webhook", "index"]
"""How Kibana hands an alert over: to the receiver at once, or into an index that poll-alerts reads (any licence)."""
FOLDER = ROOT / "deployments" / "elastic"


class NotSet(ValueError):
    """A setting that a file needs is missing; the message names it."""


@lru_cache
def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def rule() -> Json:
    """The detection rule, without actions."""
    wanted: Json = filled(
        json.loads(_text("rule.json")), {"cloudtrail_indices": list(elasticsearch().cloudtrail_indices)}
    )
    if wanted["rule_id"] != OUR_RULE:
        raise ValueError(f"deployments/elastic/rule.json is not the rule {OUR_RULE}")
    return wanted


def connector(route: Route, secret: str | None) -> Json:
    """The connector of a route: name, connector_type_id, config, secrets. Raises NotSet.

    `secret` goes into `secrets`, which Kibana encrypts and never shows; None: `secrets` is left out.
    """
    template = json.loads(_text(f"connector_{route}.json"))
    secrets = template.pop("secrets")
    wanted: Json = filled(template, {name: _set(name, value) for name, value in _addresses(route).items()})
    if secret is not None:
        wanted["secrets"] = filled(secrets, {"receiver_secret": secret})
    return wanted


@lru_cache
def connector_names() -> frozenset[tuple[str, str]]:
    """(type, name) of the connectors of both routes."""
    files = (json.loads(_text(f"connector_{route}.json")) for route in get_args(Route))
    return frozenset((file["connector_type_id"], file["name"]) for file in files)


def action(route: Route, connector_id: str) -> Json:
    """The rule's action that uses the connector."""
    wanted: Json = filled(json.loads(_text(f"action_{route}.json")), {"connector_id": connector_id})
    return wanted


def _addresses(route: Route) -> dict[str, str | None]:
    if route == "webhook":
        return {"receiver_url": ReceiverAddress().alerts_url}
    return {"connector_index": elasticsearch().connector_index}


MISSING = {
    "receiver_url": "VMEXPORT_RECEIVER_PUBLIC_URL is not set: Kibana's webhook needs the address at which it reaches the "
    "receiver, e.g. https://vmexport.example.com",
    "connector_index": "VMEXPORT_ELASTICSEARCH_CONNECTOR_INDEX is not set: without a licence for webhooks the rule writes "
    "its alerts into that index, e.g. vmexport-inbox, and poll-alerts reads them there",
}


def _set(name: str, value: str | None) -> str:
    if value is None:
        raise NotSet(MISSING[name])
    return value
