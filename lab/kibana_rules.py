"""Rules and connectors of the pretended Kibana: bodies are taken as strictly as Kibana takes them, secrets never come back.

Fields and answers after Kibana 9's own schemas (security_solution rule_schemas, kbn-connector-schemas, actions routes).
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

Json = dict[str, Any]
LICENCES = ("basic", "gold", "platinum", "enterprise", "trial")
CONNECTOR_TYPES = {".index": "basic", ".server-log": "basic", ".webhook": "gold", ".slack": "gold"}
"""Connector type -> the lowest licence that has it."""
CONFIG = {
    ".webhook": {
        "url", "method", "headers", "hasAuth", "authType", "certType", "ca", "verificationMode", "accessTokenUrl",
        "clientId", "scope", "additionalFields",
    },
    ".index": {"index", "refresh", "executionTimeField"},
    ".server-log": set[str](),
    ".slack": set[str](),
}  # fmt: skip
SECRETS = {
    ".webhook": {"user", "password", "crt", "key", "pfx", "clientSecret", "secretHeaders"},
    ".index": set[str](),
    ".server-log": set[str](),
    ".slack": {"webhookUrl"},
}
DEFAULTS = {
    ".webhook": {"method": "post", "headers": None, "hasAuth": True, "authType": "webhook-authentication-basic"},
    ".index": {"refresh": False, "executionTimeField": None},
    ".server-log": {},
    ".slack": {},
}
REQUIRED = ("name", "description", "risk_score", "severity", "type")
RULE_DEFAULTS: Json = {
    "actions": [], "author": [], "enabled": False, "exceptions_list": [], "false_positives": [], "filters": [],
    "from": "now-6m", "interval": "5m", "language": "kuery", "max_signals": 100, "query": "", "references": [],
    "related_integrations": [], "required_fields": [], "risk_score_mapping": [], "setup": "", "severity_mapping": [],
    "tags": [], "threat": [], "to": "now", "version": 1,
}  # fmt: skip
OPTIONAL = {
    "alert_suppression", "building_block_type", "data_view_id", "index", "investigation_fields", "license", "meta",
    "namespace", "note", "output_index", "response_actions", "rule_name_override", "saved_id", "throttle", "timeline_id",
    "timeline_title", "timestamp_override", "timestamp_override_fallback_disabled",
}  # fmt: skip
RULE_FIELDS = {*REQUIRED, *RULE_DEFAULTS, *OPTIONAL, "rule_id", "id"}
ACTION_FIELDS = {"id", "action_type_id", "group", "params", "uuid", "frequency", "alerts_filter"}
ACTION_PARAMS = {
    ".webhook": {"body"},
    ".index": {"documents", "indexOverride"},
    ".server-log": {"message", "level"},
    ".slack": {"message"},
}
SEVERITIES = ("low", "medium", "high", "critical")
PREBUILT = "prebuilt"
"""In a rule's rule_source: Elastic's own rule, which only its exceptions and actions may be changed of."""


class Kibana(Protocol):
    """What this part needs of the pretended Kibana."""

    licence: str

    @property
    def space(self) -> str:
        """The space that the request is for."""
        ...

    @property
    def rules(self) -> Installed:
        """What is installed."""
        ...


@dataclass
class Installed:
    """Rules and connectors of all spaces."""

    rules: dict[tuple[str, str], Json] = field(default_factory=dict)
    """(space, rule_id) -> the rule as Kibana shows it."""
    connectors: dict[tuple[str, str], Json] = field(default_factory=dict)
    """(space, id) -> the connector as it is shown; secrets are apart."""
    secrets: dict[tuple[str, str], Json] = field(default_factory=dict)


class Refused(Exception):
    """An answer with an error status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def routes(kibana: Kibana) -> Blueprint:
    """The routes of this part, without the prefix of the space."""
    part = Blueprint("rules", __name__)

    @part.errorhandler(Refused)
    def refused(why: Refused) -> ResponseReturnValue:
        kind = {400: "Bad Request", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}[why.status]
        if request.path.endswith("/rules"):  # the detection engine's errors have a shape of their own
            return jsonify({"status_code": why.status, "message": why.message}), why.status
        return jsonify({"statusCode": why.status, "error": kind, "message": why.message}), why.status

    _rule_routes(part, kibana)
    _connector_routes(part, kibana)
    return part


def _rule_routes(part: Blueprint, kibana: Kibana) -> None:
    path = "/api/detection_engine/rules"

    @part.get(path)
    def read_rule() -> ResponseReturnValue:
        return jsonify(_rule(kibana, request.args))

    @part.post(path)
    def create_rule() -> ResponseReturnValue:
        body = _rule_body(kibana)
        rule_id = body.setdefault("rule_id", str(uuid.uuid4()))
        if (kibana.space, rule_id) in kibana.rules.rules:
            raise Refused(409, f'rule_id: "{rule_id}" already exists')
        return jsonify(_keep(kibana, body | {"id": str(uuid.uuid4()), "revision": 0, "immutable": False}))

    @part.put(path)
    def replace_rule() -> ResponseReturnValue:
        body = _rule_body(kibana)
        old = _rule(kibana, body)
        if old["rule_source"]["type"] == "external":
            raise Refused(403, "prebuilt rules cannot be edited on this licence")
        same = {name: old[name] for name in ("id", "rule_id", "immutable", "created_at", "enabled")}
        return jsonify(_keep(kibana, same | body | {"revision": old["revision"] + 1}))

    @part.patch(path)
    def patch_rule() -> ResponseReturnValue:
        body = _rule_body(kibana, partial=True)
        old = _rule(kibana, body)
        return jsonify(_keep(kibana, old | body | {"revision": old["revision"] + 1}))


def _rule(kibana: Kibana, asked: Any) -> Json:
    rule_id, id_ = asked.get("rule_id"), asked.get("id")
    if not rule_id and not id_:
        raise Refused(400, 'either "id" or "rule_id" must be set')
    for (space, name), rule in kibana.rules.rules.items():
        if space == kibana.space and (name == rule_id if rule_id else rule["id"] == id_):
            return rule
    asked_by = f'rule_id: "{rule_id}"' if rule_id else f'id: "{id_}"'
    raise Refused(404, f"{asked_by} not found")


def _rule_body(kibana: Kibana, *, partial: bool = False) -> Json:
    body = _object(RULE_FIELDS)
    if not partial and (missing := [n for n in REQUIRED if n not in body]):
        raise Refused(400, "[request body]: " + ", ".join(f"{n}: Required" for n in missing))
    if "severity" in body and body["severity"] not in SEVERITIES:
        raise Refused(400, f"[request body]: severity: Invalid enum value '{body['severity']}'")
    if not isinstance(body.get("risk_score", 0), int) or not 0 <= body.get("risk_score", 0) <= 100:
        raise Refused(400, "[request body]: risk_score: Expected a number from 0 to 100")
    if not re.fullmatch(r"[1-9]\d*[smhd]", body.get("interval", "5m")):
        raise Refused(400, "[request body]: interval: Failed to parse time duration")
    if body.get("max_signals", 100) < 1:
        raise Refused(400, "[request body]: max_signals: Number must be greater than or equal to 1")
    for n, action in enumerate(body.get("actions", [])):
        _check_action(kibana, action, f"actions.{n}")
    return body


def _check_action(kibana: Kibana, action: Json, where: str) -> None:
    if unknown := set(action) - ACTION_FIELDS:
        raise Refused(400, f"[request body]: {where}: Unrecognized key(s) in object: {sorted(unknown)}")
    if missing := {"id", "action_type_id", "params"} - set(action):
        raise Refused(400, f"[request body]: {where}: Required: {sorted(missing)}")
    connector = kibana.rules.connectors.get((kibana.space, action["id"]))
    if connector is None:
        raise Refused(400, f"1 error occurred: Connector {action['id']} not found")
    if connector["connector_type_id"] != action["action_type_id"]:
        raise Refused(400, f"[request body]: {where}.action_type_id: is not the connector's")
    if unknown := set(action["params"]) - ACTION_PARAMS[action["action_type_id"]]:
        raise Refused(400, f"[request body]: {where}.params: Unrecognized key(s) in object: {sorted(unknown)}")


def _keep(kibana: Kibana, rule: Json) -> Json:
    now = datetime.now(UTC).isoformat()
    source = {"type": "external", "is_customized": False} if rule["immutable"] else {"type": "internal"}
    shown = RULE_DEFAULTS | {"created_at": now, "created_by": "elastic"} | rule
    shown |= {"updated_at": now, "updated_by": "elastic", "rule_source": source}
    shown["actions"] = [{"uuid": str(uuid.uuid4()), "group": "default"} | action for action in shown["actions"]]
    kibana.rules.rules[kibana.space, shown["rule_id"]] = shown
    return shown


def _connector_routes(part: Blueprint, kibana: Kibana) -> None:
    @part.get("/api/actions/connectors")
    def list_connectors() -> ResponseReturnValue:
        there = [c for (space, _), c in kibana.rules.connectors.items() if space == kibana.space]
        return jsonify([c | {"referenced_by_count": _references(kibana, c["id"])} for c in there])

    @part.get("/api/actions/connector_types")
    def list_types() -> ResponseReturnValue:
        return jsonify(
            [
                {
                    "id": id_, "name": id_[1:], "enabled": _licensed(kibana, id_), "enabled_in_config": True,
                    "enabled_in_license": _licensed(kibana, id_), "minimum_license_required": least,
                    "supported_feature_ids": ["alerting", "siem"], "is_system_action_type": False,
                }
                for id_, least in CONNECTOR_TYPES.items()
            ]
        )  # fmt: skip

    @part.get("/api/actions/connector/<id_>")
    def read_connector(id_: str) -> ResponseReturnValue:
        return jsonify(_connector(kibana, id_))

    @part.post("/api/actions/connector")
    def create_connector() -> ResponseReturnValue:
        body = _object({"name", "connector_type_id", "config", "secrets"}, "name", "connector_type_id")
        return jsonify(_keep_connector(kibana, str(uuid.uuid4()), body["connector_type_id"], body))

    @part.put("/api/actions/connector/<id_>")
    def replace_connector(id_: str) -> ResponseReturnValue:
        body = _object({"name", "config", "secrets"}, "name")
        return jsonify(_keep_connector(kibana, id_, _connector(kibana, id_)["connector_type_id"], body))


def _connector(kibana: Kibana, id_: str) -> Json:
    if (kibana.space, id_) not in kibana.rules.connectors:
        raise Refused(404, f"Saved object [action/{id_}] not found")
    return kibana.rules.connectors[kibana.space, id_]


def _keep_connector(kibana: Kibana, id_: str, type_: str, body: Json) -> Json:
    if type_ not in CONNECTOR_TYPES:
        raise Refused(400, f'Action type "{type_}" is not registered.')
    if not _licensed(kibana, type_):
        raise Refused(
            403, f"Action type {type_} is disabled because your {kibana.licence} license does not support it. "
            "Please upgrade your license.",
        )  # fmt: skip
    config, secrets = body.get("config") or {}, body.get("secrets") or {}
    if unknown := set(config) - CONFIG[type_]:
        raise Refused(400, f"error validating connector type config: Unrecognized key(s) in object: {sorted(unknown)}")
    if unknown := set(secrets) - SECRETS[type_]:
        raise Refused(400, f"error validating connector type secrets: Unrecognized key(s) in object: {sorted(unknown)}")
    if type_ == ".webhook" and not str(config.get("url", "")).startswith(("https://", "http://")):
        raise Refused(
            400, "error validating connector type config: error configuring webhook action: unable to parse url"
        )
    if type_ == ".index" and not config.get("index"):
        raise Refused(400, "error validating connector type config: [index]: expected value of type [string]")
    kibana.rules.secrets[kibana.space, id_] = secrets
    shown = {
        "id": id_, "name": body["name"], "connector_type_id": type_, "config": DEFAULTS[type_] | config,
        "is_preconfigured": False, "is_deprecated": False, "is_system_action": False, "is_missing_secrets": False,
        "is_connector_type_deprecated": False,
    }  # fmt: skip
    kibana.rules.connectors[kibana.space, id_] = shown
    return shown


def _licensed(kibana: Kibana, type_: str) -> bool:
    return LICENCES.index(kibana.licence) >= LICENCES.index(CONNECTOR_TYPES[type_])


def _references(kibana: Kibana, id_: str) -> int:
    rules = (rule for (space, _), rule in kibana.rules.rules.items() if space == kibana.space)
    return sum(action["id"] == id_ for rule in rules for action in rule["actions"])


def _object(allowed: set[str], *required: str) -> Json:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise Refused(400, "[request body]: expected a plain object value")
    if unknown := set(body) - allowed:
        raise Refused(400, f"[request body]: Unrecognized key(s) in object: {sorted(unknown)}")
    if missing := [n for n in required if n not in body]:
        raise Refused(400, "[request body." + missing[0] + "]: expected value of type [string] but got [undefined]")
    return body
